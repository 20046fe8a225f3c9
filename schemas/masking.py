"""A refused event as it may be shown: what is known and cannot be about a person in clear, everything else hidden.

It is a list of what may be seen, not of what may not. Of each event type the model says which fields there are and
which of them are personal; a value is shown where its field is of a closed form (an enumeration, a moment, an id, a
small number) and the value has that form. Free texts, unknown fields with their names, and whatever stands in them are
hidden: a vendor's bug may have put a person's name anywhere.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from stdnum.cn import ric

from schemas.catalogue import EVENT_TYPES
from schemas.fields import Alias, Closed, Personal, PersonalWhen, Timestamp, annotations_of
from schemas.findings import UNKNOWN

HIDDEN: Final = "***"

_SHAPE_MAX: Final = 40
_DIGITS_OF_A_PHONE: Final = 7
_PLAIN: Final = frozenset({int, float, bool})
_NAMED: Final = Closed(r"[A-Za-z0-9._:/+#=~-]{1,256}")
"""Attributes that name the event, its source and its type."""
_MOBILE: Final = re.compile(r"(?<!\d)(?:(?:\+|00)?86[ ._-]?)?1[3-9]\d(?:[ ._-]?\d){8}(?!\d)", re.ASCII)
_LANDLINE: Final = re.compile(r"(?<!\d)0\d{2,3}[ ._-]?[2-9]\d{6,7}(?!\d)", re.ASCII)
_RESIDENT: Final = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dXx])", re.ASCII)


class Shown(NamedTuple):
    """What may be seen of some bytes. `event` is None where they are no JSON; then their digest tells them apart."""

    size: int
    event: Any
    sha256: str | None = None

    def text(self) -> str:
        """For people to read."""
        if self.sha256 is not None:
            return f"{self.size} bytes that are no JSON, SHA-256 {self.sha256}"
        return json.dumps(self.event, ensure_ascii=False, indent=2)


def masked(raw: bytes) -> Shown:
    """What may be shown of an event's bytes, or of anything else that was sent in its place."""
    try:
        parsed = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Shown(len(raw), None, hashlib.sha256(raw).hexdigest())
    return Shown(len(raw), _event(parsed) if isinstance(parsed, dict) else HIDDEN)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _event(parsed: Mapping[str, Any]) -> dict[str, Any]:
    kind = parsed.get("type")
    model = EVENT_TYPES.get(kind) if isinstance(kind, str) else None
    shown: dict[str, Any] = {}
    for name, value in parsed.items():
        if name == "data":
            shown[name] = _object(model, value) if model and isinstance(value, dict) else HIDDEN
        elif name in _ATTRIBUTES:
            shown[name] = _text(_ATTRIBUTES[name], value) if isinstance(value, str) else HIDDEN
        else:
            shown[_nameless(shown)] = HIDDEN
    return shown


def _object(model: type[BaseModel], value: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    shown: dict[str, Any] = {}
    for name, inner in value.items():
        shown[name if name in fields else _nameless(shown)] = _field(fields[name], inner) if name in fields else HIDDEN
    return shown


def _nameless(shown: Mapping[str, Any]) -> str:
    """In place of a name that is not known, and so may be anybody's."""
    return f"?{sum(name.startswith('?') for name in shown) + 1}"


class _Form(NamedTuple):
    """What of a field's values may be shown, by what its model declares."""

    model: type[BaseModel] | None
    closed: Closed | None
    alias: Alias | None
    words: frozenset[str]
    plain: bool
    """Numbers, true and false."""


def _form(field: FieldInfo) -> _Form | None:
    """None for personal data and free texts, of which nothing is shown."""
    notes = tuple(annotations_of(field.annotation, field.metadata))
    if any(isinstance(one, Personal | PersonalWhen) for one in notes):
        return None
    form = _Form(
        next((one for one in notes if isinstance(one, type) and issubclass(one, BaseModel)), None),
        next((one for one in notes if isinstance(one, Closed)), None),
        next((one for one in notes if isinstance(one, Alias)), None),
        _words(field.annotation),
        not _PLAIN.isdisjoint(notes),
    )
    return form if any(form) else None


def _field(field: FieldInfo, value: Any) -> Any:
    form = _form(field)
    if form is None:
        return HIDDEN
    return [_value(form, one) for one in value] if isinstance(value, list) else _value(form, value)


def _value(form: _Form, value: Any) -> Any:
    if isinstance(value, dict):
        return _object(form.model, value) if form.model else HIDDEN
    if isinstance(value, str):
        if form.alias:
            return value if form.alias.resolve(value) != UNKNOWN else HIDDEN
        return _text(form.closed, value, form.words)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value if sum(map(str.isdigit, repr(value))) < _DIGITS_OF_A_PHONE else HIDDEN
    return HIDDEN


def _words(annotation: Any) -> frozenset[str]:
    """The words of an enumeration, wherever it stands inside a type."""
    if get_origin(annotation) is Literal:
        return frozenset(one for one in get_args(annotation) if isinstance(one, str))
    return frozenset(word for one in get_args(annotation) for word in _words(one))


def _text(closed: Closed | None, value: str, words: frozenset[str] = frozenset()) -> str:
    """The text where it is as it should be, else only its shape: which tells a date written another way from a name."""
    if value in words or (closed and re.fullmatch(closed.pattern, value) and not _looks_personal(value)):
        return value
    return f"{HIDDEN} ({_shape(value)})"


def _looks_personal(value: str) -> bool:
    """Whether a text of ASCII holds what looks like a phone or a resident's number."""
    if _MOBILE.search(value) or _LANDLINE.search(value):
        return True
    return any(ric.is_valid(one) for one in _RESIDENT.findall(value))


def _shape(value: str) -> str:
    """How it is written, not what is written: 2026/11/23 is 9999/99/99, 张三 is xx."""
    return "".join(map(_shape_of, value[:_SHAPE_MAX])) + ("..." if len(value) > _SHAPE_MAX else "")


def _shape_of(sign: str) -> str:
    if sign.isdigit():
        return "9"
    if sign.isalpha():
        return ("A" if sign.isupper() else "a") if sign.isascii() else "x"
    return sign if sign.isascii() and sign.isprintable() else "?"


_ATTRIBUTES: Final[dict[str, Closed]] = {
    "specversion": Closed(r"[0-9]\.[0-9]"),
    "id": _NAMED,
    "source": _NAMED,
    "type": _NAMED,
    "subject": _NAMED,
    "time": next(one for one in annotations_of(Timestamp) if isinstance(one, Closed)),
}
