"""What a mapping would make of messages, judged as the gateway judges, without sending anything."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.gateway.items import Form, array_items, is_json, items
from pipeline.vendors.vendor import Ignored, Vendor
from schemas.decode import Decoder
from schemas.event import Event
from schemas.reject import Rejection


class Made(NamedTuple):
    """One event that the mapping made, and what it would become: a record of a topic, or a refused item."""

    event: Any
    topic: str = ""
    rejection: Rejection | None = None


class Tried(NamedTuple):
    """One message: its events, or why there are none."""

    events: list[Made]
    rejection: Rejection | None = None
    explanation: str = ""
    """More than the rejection says, with values of the message."""
    ignored: str | None = None

    @property
    def refused(self) -> int:
        """How many rejections it gives."""
        return sum(one.rejection is not None for one in self.events) + (self.rejection is not None)


def messages(body: bytes) -> Iterator[bytes]:
    """The messages in a file: one JSON value, the items of a JSON array, or one JSON value a line.

    Raises NotEventsError where there are none."""
    first = body.lstrip().split(b"\n", 1)[0]
    if is_json(body):
        if body.lstrip()[:1] == b"[":
            return (one.encode() for one in array_items(body.decode()))
        return iter((body.strip(),))
    return items(Form.LINES if is_json(first) else Form.ONE, body)


def tried(vendor: Vendor, raw: bytes, latest: datetime) -> Tried:
    """What becomes of one message.

    :param latest: the greatest acceptable `time` of an event; what is later is in the future."""
    texts = vendor.events(raw)
    if isinstance(texts, Ignored):
        return Tried([], ignored=texts.why)
    if isinstance(texts, Rejection):
        return Tried([], texts, vendor.explained(raw))
    return Tried([_made(text, latest) for text in texts])


def _made(text: bytes, latest: datetime) -> Made:
    event = _DECODER.decode(text, latest)
    shown = json.loads(text)
    if isinstance(event, Rejection):
        return Made(shown, rejection=event)
    assert isinstance(event, Event)
    return Made(shown, type(event.data).stream)


_DECODER = Decoder(None)
