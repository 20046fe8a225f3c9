"""From a request's body to the texts of its events, each with the bytes that were sent.

A list is not parsed and written again: that would join doubled keys, round great numbers and lose what is not JSON at
all. It is cut where its items begin and end, and each item is judged by its own text.
"""

import json
import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from io import BytesIO
from typing import Any, Final

BLANK: Final = b" \t\r\n"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


class Form(Enum):
    """How a body holds events."""

    ONE = auto()
    LIST = auto()
    ONE_OR_LIST = auto()
    LINES = auto()
    BINARY = auto()
    """The body is the event's data, its attributes are headers."""


class NotEventsError(ValueError):
    """The body is empty or holds no list of events: nothing that could be judged."""


class BrokenTextError(ValueError):
    """The text of a list is no JSON, so it cannot be said where its items end."""


_FORMS: Final = {
    "application/json": Form.ONE_OR_LIST,
    "application/cloudevents+json": Form.ONE,
    "application/cloudevents-batch+json": Form.LIST,
    "application/x-ndjson": Form.LINES,
}
MEDIA_TYPES: Final = tuple(_FORMS)


def form_of(content_type: str, has_attributes: bool) -> Form | None:
    """The form that a Content-Type announces; None where the gateway does not read it.

    :param has_attributes: whether attributes of an event stand in the headers, which is binary mode.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        return None
    form = _FORMS.get(media_type)
    if has_attributes and (form is Form.ONE_OR_LIST or (form is None and media_type.endswith("+json"))):
        return Form.BINARY
    return form


def items(form: Form, body: bytes) -> Iterator[bytes]:
    """The events' own bytes, in their order.

    Raises NotEventsError where there are none, and BrokenTextError, at any item, where the text of a list breaks."""
    if form is Form.LINES:
        return _lines(body)
    start = body.lstrip(BLANK)[:1]
    if not start:
        raise NotEventsError("the body is empty: send one event, a JSON array of events, or one event a line")
    if form is not Form.ONE and start == b"[":
        return (text.encode() for text in array_items(_decoded(body)))
    if (form is Form.LIST or (form is Form.ONE_OR_LIST and start != b"{")) and is_json(body):
        raise NotEventsError("the body is JSON but no list of events: send an array of objects")
    return iter((body,))


def _lines(body: bytes) -> Iterator[bytes]:
    empty = True
    for line in BytesIO(body):
        if line.strip(BLANK):
            empty = False
            yield line.removesuffix(b"\n").removesuffix(b"\r")
    if empty:
        raise NotEventsError("the body has no line with an event: send one JSON object a line")


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BrokenTextError(f"the list is not UTF-8 at byte {error.start}") from None


def is_json(body: bytes) -> bool:
    """Whether the body is one JSON text, numbers of any size included."""
    try:
        text = body.decode()
        start = _skip_space(text, 0)
        return _skip_space(text, _end_of_value(text, start)) == len(text)
    except (UnicodeDecodeError, BrokenTextError):
        return False


def array_items(text: str) -> Iterator[str]:
    """The texts of the items of the JSON array `text`.

    Raises NotEventsError for an array without items, BrokenTextError where the text is no JSON array."""
    position = _skip_space(text, _skip_space(text, 0) + 1)
    if text[position : position + 1] == "]":
        if _skip_space(text, position + 1) != len(text):
            raise BrokenTextError(f"the list goes on after its end at character {position + 1}")
        raise NotEventsError("the list has no events: send at least one")
    while True:
        end = _end_of_value(text, position)
        yield text[position:end]
        position = _skip_space(text, end)
        follows = text[position : position + 1]
        if follows == "]":
            break
        if follows != ",":
            raise BrokenTextError(f"the list has no comma and no end at character {position}")
        position = _skip_space(text, position + 1)
    if _skip_space(text, position + 1) != len(text):
        raise BrokenTextError(f"the list goes on after its end at character {position + 1}")


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _unread(_text: str) -> None:
    """Numbers are left as they stand: only where they end is asked."""


_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    parse_int=_unread, parse_float=_unread, parse_constant=_unread
).raw_decode


def _end_of_value(text: str, start: int) -> int:
    try:
        return _scan(text, start)[1]
    except json.JSONDecodeError as error:
        raise BrokenTextError(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        return _end_of_nested(text, start)


def _end_of_nested(text: str, start: int) -> int:
    """The end of a value that is nested too deep for the scanner. The item will be refused, but those beside it count,
    so its end is found by its brackets."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        sign = match[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise BrokenTextError("a nested value has no end")
