"""What Kafka holds, compared with what the gateway has said."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.decode import Decoder
from schemas.reject import Rejection
from tests.hostile.rules import Accepted

_LATER: Final = timedelta(hours=1)
"""Longer than an attempt takes: no event is in the future then that was not when it came."""


class Ledger:
    """Reads the topics from their present ends on."""

    def __init__(self, servers: str) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
        self._partitions = self._of(*STREAMS)
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_end()
        for one in self._partitions:
            self._consumer.position(one)
        self._decoders = {topic: Decoder(topic) for topic in STREAMS}
        self._refused = self._refused_there()

    def close(self) -> None:
        """Leaves Kafka."""
        self._consumer.close()

    def check(self, accepted: Iterable[Accepted], rejected: int) -> int:
        """Holds what was written since the last time to what was answered; returns how many events are new.

        An event whose answer did not get through may be there without having been told of."""
        told = {one[:3]: one.id for one in accepted}
        found = 0
        for record in self._new():
            found += 1
            event = self._decoders[record.topic].decode(record.value, datetime.now(UTC) + _LATER)
            assert not isinstance(event, Rejection), f"{record.topic} has {record.value!r}: {event}"
            said = told.pop((record.topic, record.partition, record.offset), event.id)
            assert said == event.id, f"{said} was said to be where {record.value!r} is"
        assert not told, f"{len(told)} accepted events are not where they were said to be: {list(told.items())[:5]}"
        refused, self._refused = self._refused, self._refused_there()
        new = self._refused - refused
        assert new >= rejected, f"{rejected} items were refused and {new} are recorded"
        return found

    def _new(self) -> Iterable[Any]:
        ends = self._consumer.end_offsets(self._partitions)
        while any(self._consumer.position(one) < end for one, end in ends.items()):
            for records in self._consumer.poll(1000, max_records=5000).values():
                yield from records

    def _refused_there(self) -> int:
        return sum(self._consumer.end_offsets(self._of(REJECTED_TOPIC)).values())

    def _of(self, *topics: str) -> list[TopicPartition]:
        return [TopicPartition(one, number) for one in topics for number in self._consumer.partitions_for_topic(one)]
