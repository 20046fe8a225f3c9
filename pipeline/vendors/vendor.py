"""What becomes of a vendor's message: the texts of events, a reason why there are none, or the mapping's word that
there is nothing in it for us."""

import json
import threading
from typing import Any, Final, NamedTuple

from pipeline.vendors.devices import Devices
from pipeline.vendors.evaluation import Evaluation
from pipeline.vendors.failure import MappingError
from pipeline.vendors.mapping import MappingFile
from pipeline.vendors.message import read_message
from schemas.reject import Reason, Rejection

_EVENTS_MAX: Final = 1_000
_TEXT_MAX_BYTES: Final = 4 << 20
"""Of all events of one message."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Ignored(NamedTuple):
    """The mapping says that a message carries nothing for us, and why."""

    why: str


class Vendor:
    """A vendor's mapping and the table of its devices. May be used by several threads."""

    def __init__(self, name: str, mapping: MappingFile, devices: Devices | None = None) -> None:
        self.name = name
        self.mapping = mapping
        self.devices = devices or {}
        self._own = threading.local()

    def events(self, raw: bytes) -> list[bytes] | Ignored | Rejection:
        """The events' compact JSON texts, at least one; they are still to be judged. Never raises for what is sent.

        A rejection is `too_large`, `not_json` or `not_mapped`, and its detail repeats no value."""
        message = read_message(raw)
        if isinstance(message, Rejection):
            return message
        try:
            return self._events(message)
        except MappingError as error:
            return Rejection(Reason.NOT_MAPPED, f": the mapping failed: {error.detail}")

    def explained(self, raw: bytes) -> str:
        """Why there are no events in a message, with the values that `events` leaves out; empty where there are."""
        message = read_message(raw)
        if isinstance(message, Rejection):
            return message.detail.removeprefix(": ")
        try:
            self._events(message)
        except MappingError as error:
            return error.full
        return ""

    def _events(self, message: Any) -> list[bytes] | Ignored:
        evaluation = self._evaluation()
        result = evaluation.result(message)
        found = [one for one in (result if isinstance(result, list) else [result]) if one is not None]
        if found:
            return _texts(found)
        if evaluation.ignored is None:
            raise MappingError("it made no event of this message, and did not say $ignore")
        return Ignored(evaluation.ignored)

    def _evaluation(self) -> Evaluation:
        try:
            evaluation: Evaluation = self._own.evaluation
        except AttributeError:
            evaluation = self._own.evaluation = Evaluation(self.name, self.mapping, self.devices)
        return evaluation


def _texts(found: list[Any]) -> list[bytes]:
    if len(found) > _EVENTS_MAX:
        raise MappingError(f"it made more than {_EVENTS_MAX} events of one message")
    texts = [_text(one) for one in found]
    if sum(map(len, texts)) > _TEXT_MAX_BYTES:
        raise MappingError(f"it made more than {_TEXT_MAX_BYTES} bytes of one message")
    return texts


def _text(event: Any) -> bytes:
    if not isinstance(event, dict):
        raise MappingError("it made something that is no object, where an event is one")
    try:
        return _encode(event).encode()
    except (ValueError, RecursionError):
        raise MappingError("it made an event that cannot be written as JSON (a division by 0?)") from None
