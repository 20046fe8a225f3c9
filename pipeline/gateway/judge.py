"""From the text of an event to the record that Kafka is given: on the event's topic, or on that of the rejected."""

from datetime import datetime
from typing import NamedTuple

from pipeline.gateway.records import Outgoing
from schemas.catalogue import REJECTED_TOPIC
from schemas.decode import Decoder
from schemas.reject import Rejection
from streams.rejects import Door, door_headers


class Judged(NamedTuple):
    """One event of a request: the record it becomes, its id as far as readable, and why it is refused, if it is."""

    outgoing: Outgoing
    id: str
    rejection: Rejection | None = None


class Judge:
    """Accepts or refuses events of any stream."""

    def __init__(self) -> None:
        self._decoder = Decoder(None)

    def judge(self, raw: bytes, latest: datetime) -> Judged:
        """The record with the event's own bytes, keyed by its entity.

        :param latest: the greatest acceptable `time`; what is later is in the future.
        """
        event = self._decoder.decode(raw, latest)
        if isinstance(event, Rejection):
            return refused(raw, event)
        model = type(event.data)
        key: str = getattr(event.data, model.entity)
        return Judged(Outgoing(model.stream, key.encode(), raw), event.id)


def refused(raw: bytes, rejection: Rejection) -> Judged:
    """What is not accepted, with its raw bytes."""
    return Judged(Outgoing(REJECTED_TOPIC, None, raw, door_headers(Door(), rejection)), rejection.id, rejection)
