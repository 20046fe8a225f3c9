"""The file of a mapping: who it is for, what it was made from, and the JSONata expression that makes events.

JSONata, because a mapping is a picture of the event with the vendor's names in its places, because it can do what
vendors make necessary (conditions, lists, lookups, texts, times), and because it is a language of its own with several
implementations. The one used here works in Rust: tens of microseconds a message, regular expressions in linear time.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jsonatapy import JsonataExpression, compile  # noqa: A004 # the library's name for it
from pydantic import BaseModel, ConfigDict, Field

from pipeline.toml_file import Fault, read_toml
from pipeline.toml_lines import Location

FUNCTIONS: Final = ("device", "digest", "id", "ignore", "json", "moment")
"""What a mapping may call beside JSONata's own."""

REFUSED: Final = {
    "eval": "it would run what a message says",
    "pad": "a number of the message could make it fill the memory",
    "formatInteger": "a number of the message could make it fill the memory",
    "random": "the same message has to give the same event",
    "shuffle": "the same message has to give the same event",
}
"""Functions of JSONata that a mapping may not call. Names cannot be made while it runs, so its text tells."""
_CALL: Final = re.compile(rf"\$({'|'.join(REFUSED)})\b")

Functions = Mapping[str, Callable[..., Any]]


class Source(BaseModel):
    """A public document that a mapping was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1)
    url: str = Field(pattern=r"^https?://")


class MappingFile(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    verified: bool = Field(False, strict=True)
    """Whether the vendor, or its real messages, have confirmed it."""
    source: tuple[Source, ...] = ()
    events: str = Field(min_length=1)
    """The expression."""

    @property
    def needs_devices(self) -> bool:
        """Whether it asks whose a device is."""
        return re.search(r"\$device\b", self.events) is not None

    def compiled(self, functions: Functions) -> JsonataExpression:
        """The expression, ready to be evaluated. Raises ValueError where it is none."""
        expression = compile(self.events)
        for name in FUNCTIONS:
            expression.register(name, functions[name])
        return expression


def read_mapping(text: str, name: str) -> MappingFile:
    """The mapping in a file's text. Raises SettingsError that names the first line that is wrong.

    :param name: of the file, as people know it."""
    return read_toml(text, name, MappingFile, _known, _faults)


def _known(location: Location) -> list[str]:
    model = Source if location[:1] == ("source",) and len(location) > 1 else MappingFile
    return sorted(model.model_fields)


def _faults(mapping: MappingFile) -> Iterator[Fault]:
    if match := _CALL.search(mapping.events):
        yield Fault(("events",), f"${match[1]} may not be called, as {REFUSED[match[1]]}: do without it")
    try:
        compile(mapping.events)
    except ValueError as error:
        yield Fault(("events",), f"is no JSONata expression ({error}): correct it")
