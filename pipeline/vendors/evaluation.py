"""A mapping's expression at work on one message after another, within bounds of time, depth and length."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.vendors.devices import Devices
from pipeline.vendors.failure import MappingError
from pipeline.vendors.functions import digest, identity, json_inside, moment
from pipeline.vendors.mapping import MappingFile

_PATIENCE_MS: Final = (50, 250)
"""An evaluation takes a tenth of a millisecond. One that the machine held up for longer is tried once more."""

_DEPTH_MAX: Final = 200
_LIST_MAX: Final = 10_000

_TOO_LONG: Final = "D1012"
_OF_THE_MAPPING: Final = ("D3137", "D3141")
_WITHOUT_VALUES: Final = re.compile(r"(?:T04\d\d|T1006|T200[12369]|D1002): [^:]*")
"""Codes whose words name types, operators and functions, and nothing of the message."""
_WORDS: Final = {
    "D1011": "it calls itself too often",
    "D1012": "it took too long",
    "D2014": "a list became too long",
    "D2015": "a list became too long",
    "D3030": "$number was given what is no number",
    "D3110": "$toMillis was given what is no time",
    "D3136": "$toMillis was given what is no time",
    "D3138": "$single found more than one value",
    "D3139": "$single found no value",
    "T1003": "the key of an object is no text",
    "U1001": "it calls itself too often",
}


class _Call:
    """What the functions of a mapping know, and what they have said since the last message."""

    def __init__(self, mapping: MappingFile, devices: Devices) -> None:
        self._mapping = mapping
        self._devices = devices
        self.failure: MappingError | None = None
        self.ignored: str | None = None

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        given: Mapping[str, Callable[..., Any]] = {
            "device": self._device,
            "digest": digest,
            "id": identity,
            "ignore": self._ignore,
            "json": json_inside,
            "moment": moment,
        }
        return {name: self._telling(name, function) for name, function in given.items()}

    def _telling(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose error is remembered: the library hands on its words only."""

        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except MappingError as error:
                self.failure = error
            except TypeError as error:
                self.failure = MappingError(f"${name}: was called with other arguments than it takes", str(error))
            except (ValueError, ArithmeticError, RecursionError) as error:
                self.failure = MappingError(f"${name}: cannot use what it was given", str(error))
            raise self.failure

        return call

    def _device(self, device_id: Any = None) -> Any:
        if device_id is None or device_id == "":
            raise MappingError("$device: the message names no device")
        if not isinstance(device_id, str | int) or isinstance(device_id, bool):
            raise MappingError("$device: the device is no text and no whole number")
        row = self._devices.get(str(device_id).strip())
        if row is None:
            raise MappingError(
                "$device: the table of devices has no such device", f"$device: {device_id} is not in the table"
            )
        return row

    def _ignore(self, why: Any = None) -> None:
        # what stands in the mapping is no value of a message
        self.ignored = why if isinstance(why, str) and why in self._mapping.events else "the mapping does not say why"


def functions_of(mapping: MappingFile, devices: Devices) -> Mapping[str, Callable[..., Any]]:
    """The functions that a mapping may call beside JSONata's own, by their names without the dollar."""
    return _Call(mapping, devices).functions()


class Evaluation:
    """Belongs to the thread that makes it: the library's expressions do."""

    def __init__(self, name: str, mapping: MappingFile, devices: Devices) -> None:
        self._mapping = mapping
        self._bindings = {"vendor": name}
        self._call = _Call(mapping, devices)
        self._expression = mapping.compiled(self._call.functions())

    @property
    def ignored(self) -> str | None:
        """Why the mapping said $ignore of the last message, if it did."""
        return self._call.ignored

    def result(self, message: Any) -> Any:
        """What the expression makes of a message. Raises MappingError."""
        failure = None
        for milliseconds in _PATIENCE_MS:
            self._call.failure = self._call.ignored = None
            try:
                return self._expression.evaluate(
                    message,
                    self._bindings,
                    timeout=milliseconds,
                    max_stack_depth=_DEPTH_MAX,
                    max_sequence_length=_LIST_MAX,
                )
            except (ValueError, TypeError) as error:
                failure = self._call.failure or self._failed(str(error))
            if not failure.full.startswith(_TOO_LONG):
                break
        assert failure is not None
        raise failure

    def _failed(self, words: str) -> MappingError:
        """The library's words as far as they are its own and not the message's."""
        code, _, said = words.partition(": ")
        if code in _OF_THE_MAPPING:
            return MappingError(f"{said if said in self._mapping.events else '$error'} ({code})", words)
        if match := _WITHOUT_VALUES.match(words):
            return MappingError(match[0].strip(), words)
        known = re.fullmatch(r"[A-Z]\d{4}", code)
        return MappingError(
            f"{_WORDS.get(code, 'JSONata refuses what it was given')}{f' ({code})' if known else ''}", words
        )
