"""Reading a TOML file by a model: what is wrong is refused in one sentence with file, line, key, reason and way out."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.configuration import SettingsError
from pipeline.toml_lines import Lines, Location

Model = TypeVar("Model", bound=BaseModel)

_REASONS: Final = {
    "missing": "the key is missing: add it",
    "model_type": "should be a table of keys and values",
    "dict_type": "should be a table of keys and values",
    "tuple_type": "should be a list in brackets",
    "float_type": "should be a number without quotes",
    "int_type": "should be a whole number without quotes or a point",
    "bool_type": "should be true or false without quotes",
    "string_type": "should be text in quotes",
    "string_too_short": "should not be empty",
    "string_pattern_mismatch": "should begin with http:// or https://",
}
"""What pydantic would say in the terms of Python."""


class Fault(NamedTuple):
    """What cannot be used: where, and why with the way out."""

    location: Location
    reason: str


def read_toml(
    text: str,
    name: str,
    model: type[Model],
    known: Callable[[Location], Sequence[str]],
    faults: Callable[[Model], Iterable[Fault]],
) -> Model:
    """Parses the file's text. Raises SettingsError that names the first line that is wrong.

    :param name: of the file, as people know it.
    :param known: the keys that may stand where an unknown one does.
    :param faults: what no single value shows.
    """
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(_syntax(text, name, str(error))) from None
    try:
        read = model.model_validate(parsed)
    except ValidationError as error:
        found = [Fault(one["loc"], _reason(one, known)) for one in error.errors(include_url=False)]
    else:
        found = list(faults(read))
        if not found:
            return read
    lines = Lines(text)
    first = min(found, key=lambda fault: lines.line(fault.location))
    raise SettingsError(f"{name}, line {lines.line(first.location)}: {_key(lines, first.location)}: {first.reason}")


def _syntax(text: str, name: str, message: str) -> str:
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    reason, line = (match[1], match[2]) if match else (message, None)
    return f"{name}, line {line or text.rstrip().count(chr(10)) + 1}: {reason}: correct it, as this is not TOML"


def _key(lines: Lines, location: Location) -> str:
    """The key as a person would write it: as far as the file has it, and what is missing."""
    written = lines.written(location)
    names = location if written == location[:-1] and isinstance(location[-1], str) else written
    return ".".join(_quoted(one) for one in names if isinstance(one, str))


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _reason(error: ErrorDetails, known: Callable[[Location], Sequence[str]]) -> str:
    kind, location = error["type"], error["loc"]
    if kind == "extra_forbidden":
        return f"the key is not known: use {', '.join(known(location))}"
    if kind == "model_type" and isinstance(location[-1], int):
        return "should be a table such as {from = 2027-01-01, value = ...}"
    return _REASONS.get(kind) or re.sub(r"^(Value error, |(Input|String) (?=should))", "", error["msg"])
