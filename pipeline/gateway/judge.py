"""From the text of an event to the record that Kafka is given: on the event's topic, or on that of the rejected."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.gateway.records import Outgoing
from pipeline.keys.key import Grant
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.decode import Decoder
from schemas.event import Event
from schemas.reject import Reason, Rejection
from streams.rejects import Door, door_headers


class Judged(NamedTuple):
    """One event of a request: the record it becomes, its id as far as readable, and why it is refused, if it is."""

    outgoing: Outgoing
    id: str
    rejection: Rejection | None = None
    message: int | None = None
    """Which message of a vendor's it comes from; None where events were sent."""


class Passed(NamedTuple):
    """A vendor's message that carries nothing for us, and the mapping's word for why: nothing of it is stored."""

    message: int
    why: str


class Judge:
    """Accepts or refuses events."""

    def __init__(self) -> None:
        self._decoders = {topic: Decoder(topic) for topic in (None, *STREAMS)}

    def judge(
        self, raw: bytes, latest: datetime, door: Door, grants: Sequence[Grant], topic: str | None = None
    ) -> Judged:
        """The record with the event's own bytes, keyed by its entity.

        :param latest: the greatest acceptable `time`; what is later is in the future.
        :param grants: what its producer may push: one of them has to allow the event.
        :param topic: the stream that it was announced for; None where none was.
        """
        event = self._decoders[topic].decode(raw, latest)
        if isinstance(event, Rejection):
            return refused(raw, event, door)
        for grant in grants:
            if grant.refusal(event) is None:
                break
        else:
            return refused(raw, _not_permitted(event, grants), door)
        model = type(event.data)
        key: str = getattr(event.data, model.key_field())
        return Judged(Outgoing(model.stream, key.encode(), raw), event.id)


def _not_permitted(event: Event, grants: Sequence[Grant]) -> Rejection:
    detail = grants[0].refusal(event) if grants else None
    otherwise = "/source: its producer has no valid API key: make one with yangguang keys create"
    return Rejection(Reason.NOT_PERMITTED, detail or otherwise, event.source, event.id, event.type)


def refused(raw: bytes, rejection: Rejection, door: Door) -> Judged:
    """What is not accepted, with its raw bytes."""
    return Judged(Outgoing(REJECTED_TOPIC, None, raw, door_headers(door, rejection)), rejection.id, rejection)
