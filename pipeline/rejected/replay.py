"""Sending refused events again: through the same validation, by the same identity, so that it can be done twice.

What is accepted now goes to its own topic with its own bytes. When all replicas have it, a mark on the topic of the
refused says that it was replayed, and the agent that writes their table reads it there. A crash between the two leaves
an event that was sent and is not marked: it is sent once more, and counts once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer

from pipeline.rejected.raw import Found
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.decode import Decoder
from schemas.event import Event
from schemas.reject import Reason, Rejection
from sinks.clickhouse.rejected import RejectedRow
from streams.kafka_access import require_access
from streams.kafka_address import KafkaAddress
from streams.rejects import DOORS, replay_headers

EventsOf = Callable[[str, bytes], Sequence[bytes] | Rejection]
"""What a vendor's mapping makes of a message: by the vendor's name and the message's bytes."""
Permitted = Callable[[str, Event], bool]
"""Whether a producer may push an event now."""

_PORTION_ROWS: Final = 500
_PORTION_BYTES: Final = 4 * 2**20
_EXAMPLES: Final = 10
_ACKNOWLEDGE_SECONDS: Final = 60.0


class Accepted(NamedTuple):
    """An event that is accepted now: where it goes, with its own bytes."""

    topic: str
    key: bytes
    value: bytes


class Verdict(NamedTuple):
    """What becomes of one row: its events that are accepted now, and why it is refused still, if it is."""

    accepted: Sequence[Accepted]
    rejection: Rejection | None = None


class Judge:
    """Judges bytes as the road does now on which they came.

    :param events_of: reads vendors' messages; None where there are no mappings.
    :param permitted: None where nobody can tell: then nothing that a producer pushed is accepted.
    """

    def __init__(self, events_of: EventsOf | None = None, permitted: Permitted | None = None) -> None:
        self._events_of = events_of
        self._permitted = permitted
        self._decoders = {topic: Decoder(topic) for topic in (None, *STREAMS)}

    def judge(self, row: RejectedRow, raw: bytes, latest: datetime) -> Verdict:
        """Judges one row.

        :param latest: the greatest acceptable `time`; what is later is in the future."""
        if row.topic not in (*DOORS, *STREAMS):
            return Verdict((), Rejection(Reason.WRONG_TOPIC, f": nothing is read from topic {row.topic[:249]}"))
        texts = self._texts(row, raw)
        if isinstance(texts, Rejection):
            return Verdict((), texts)
        decoder = self._decoders[None if row.topic in DOORS else row.topic]
        accepted: list[Accepted] = []
        rejection: Rejection | None = None
        for text in texts:
            event = decoder.decode(text, latest)
            if isinstance(event, Event) and not self._may(row, event):
                detail = "/source: its producer may not push this event: see yangguang keys list"
                event = Rejection(Reason.NOT_PERMITTED, detail, event.source, event.id, event.type)
            if isinstance(event, Rejection):
                rejection = rejection or event
                continue
            model = type(event.data)
            accepted.append(Accepted(model.stream, getattr(event.data, model.key_field()).encode(), text))
        return Verdict(accepted, rejection)

    def _texts(self, row: RejectedRow, raw: bytes) -> Sequence[bytes] | Rejection:
        if not row.vendor:
            return (raw,)
        if self._events_of is None:
            return Rejection(Reason.NOT_MAPPED, f": there is no mapping of vendor {row.vendor[:100]}")
        return self._events_of(row.vendor, raw)

    def _may(self, row: RejectedRow, event: Event) -> bool:
        """Whoever had to be asked at the door is asked again, whatever the event was refused for."""
        if not row.producer and row.reason != Reason.NOT_PERMITTED:
            return True
        return bool(row.producer) and self._permitted is not None and self._permitted(row.producer, event)


@dataclass
class Tally:
    """What became of the rows that were looked at."""

    replayed: int = 0
    """Rows that are accepted whole; in a dry run those that would be."""
    events: int = 0
    """Events that were sent; in a dry run those that would be."""
    gone: int = 0
    """Rows whose bytes Kafka does not keep any more."""
    refused: Counter[str] = field(default_factory=Counter)
    """Rows that are refused still, by reason."""
    examples: list[tuple[RejectedRow, Rejection]] = field(default_factory=list)
    """The first of these."""

    @property
    def seen(self) -> int:
        """All rows that were looked at."""
        return self.replayed + self.gone + self.refused.total()


class Sender:
    """Writes what is accepted, then the marks, each acknowledged by all replicas."""

    def __init__(self, address: KafkaAddress) -> None:
        require_access(address)
        self._producer: Any = KafkaProducer(
            **address.for_kafka_python(), acks="all", enable_idempotence=True, compression_type="lz4", linger_ms=5
        )

    def send(self, accepted: Iterable[Accepted], replayed: Iterable[RejectedRow], at: datetime) -> None:
        """Returns when all of it is stored. Raises KafkaError; then nothing is marked that was not stored."""
        self._stored(self._producer.send(one.topic, key=one.key, value=one.value) for one in accepted)
        self._stored(
            self._producer.send(REJECTED_TOPIC, value=b"", headers=replay_headers(row, at), partition=row.raw_partition)
            for row in replayed
        )

    def _stored(self, sent: Iterable[Any]) -> None:
        futures = list(sent)
        self._producer.flush()
        for one in futures:
            one.get(_ACKNOWLEDGE_SECONDS)

    def close(self) -> None:
        """Closes the connection."""
        self._producer.close(timeout=5)


class Replayer:
    """Judges rows one after the other and sends in portions.

    :param sender: None in a dry run.
    :param tally: kept up to date.
    """

    def __init__(self, judge: Judge, sender: Sender | None, tally: Tally) -> None:
        self._judge = judge
        self._sender = sender
        self.tally = tally
        self._accepted: list[Accepted] = []
        self._replayed: list[RejectedRow] = []
        self._bytes = 0

    def take(self, found: Found, latest: datetime, at: datetime) -> None:
        """Judges one row. Raises KafkaError where a portion cannot be sent.

        :param at: what `replayed_at` will be."""
        if found.raw is None:
            self.tally.gone += 1
            return
        verdict = self._judge.judge(found.row, found.raw, latest)
        self._accepted += verdict.accepted
        self._bytes += sum(len(one.value) for one in verdict.accepted)
        self.tally.events += len(verdict.accepted)
        if verdict.rejection is None:
            self.tally.replayed += 1
            self._replayed.append(found.row)
        else:
            self.tally.refused[verdict.rejection.reason.value] += 1
            if len(self.tally.examples) < _EXAMPLES:
                self.tally.examples.append((found.row, verdict.rejection))
        if len(self._accepted) + len(self._replayed) >= _PORTION_ROWS or self._bytes >= _PORTION_BYTES:
            self.flush(at)

    def flush(self, at: datetime) -> None:
        """Sends what is waiting."""
        if self._sender is not None:
            self._sender.send(self._accepted, self._replayed, at)
        self._accepted, self._replayed, self._bytes = [], [], 0
