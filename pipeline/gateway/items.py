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
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(")?|[\[\]{}]', re.DOTALL)
"""A string, perhaps without an end, or a bracket. It never goes back, so the time it takes grows with the text only."""
_SCALAR: Final = re.compile(r"[^\s,\[\]{}\"]++")
_OPENING: Final = re.compile(rb"[ \t\r\n]*+\[[ \t\r\n]*+(?=\{)")
_BETWEEN: Final = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+\{")
_BLOCK: Final = 256 * 1024
"""Characters that the scanner sees at once: it builds what it reads, which takes up to 50 times as much memory."""


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


def likely_items(form: Form, body: bytes) -> Iterator[bytes] | None:
    """The items of a list of objects, cut at every `},{`; None where the body does not look like one.

    That is the right cut if each of them is found to be JSON: joined again they are a list, and a list has one reading
    only. Whoever judges them finds out anyway, so most lists need not be scanned for it."""
    opening = _OPENING.match(body)
    if form not in (Form.LIST, Form.ONE_OR_LIST) or opening is None:
        return None
    closed = body.rstrip(BLANK)
    last = closed.removesuffix(b"]").rstrip(BLANK)
    if not closed.endswith(b"]") or not last.endswith(b"}"):
        return None
    return _cut(last, opening.end())


def _cut(text: bytes, start: int) -> Iterator[bytes]:
    for match in _BETWEEN.finditer(text, start):
        yield text[start : match.start() + 1]
        start = match.end() - 1
    yield text[start:]


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
    """Whether the body is one JSON text, numbers of any size included. What is far too large for an event is only asked
    whether its brackets match."""
    try:
        text = body.decode()
        return _skip_space(text, _Values(text).end(_skip_space(text, 0))) == len(text)
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
    values = _Values(text)
    while True:
        end = values.end(position)
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


class _Values:
    """Tells where values of a text end, which are asked for in their order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._begin = 0
        self._block = text[:_BLOCK]

    def end(self, start: int) -> int:
        """Where the value that begins at `start` ends. Raises BrokenTextError."""
        while True:
            edge, broken = self._begin + len(self._block), ""
            try:
                end = self._begin + _scan(self._block, start - self._begin)[1]
            except RecursionError:
                return _end_of_long(self._text, start)
            except json.JSONDecodeError as error:
                broken = f"{error.msg} at character {self._begin + error.pos}"
                if edge == len(self._text):
                    raise BrokenTextError(broken) from None
            else:
                if end < edge or edge == len(self._text):
                    return end
            if start == self._begin:
                break
            self._begin, self._block = start, self._text[start : start + _BLOCK]
        end = _end_of_long(self._text, start)
        if broken and end <= edge:
            raise BrokenTextError(broken)
        return end


def _end_of_long(text: str, start: int) -> int:
    """The end of a value that is nested too deep for the scanner, or too long. The item will be refused, but those
    beside it count, so its end is found by its brackets."""
    if text[start] not in '"[{':
        scalar = _SCALAR.match(text, start)
        if scalar is None:
            raise BrokenTextError(f"Expecting value at character {start}")
        return scalar.end()
    depth = 0
    for match in _TOKEN.finditer(text, start):
        sign = match[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif match[1] is None:
            raise BrokenTextError(f"the string has no end that begins at character {match.start()}")
        if depth == 0:
            return match.end()
    raise BrokenTextError("a nested value has no end")
