"""The bytes of refused events, read from the one topic that holds them."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from schemas.catalogue import REJECTED_TOPIC
from sinks.clickhouse.rejected import RejectedRow
from streams.kafka_access import require_access
from streams.kafka_address import KafkaAddress
from streams.rejects import DOORS, from_record

_POLL_MS: Final = 500
_PATIENCE_SECONDS: Final = 30.0
_SKIPPED_AT_MOST: Final = 2_000
"""So many records that nobody asked for are read over; for more the reader goes to the next one that is wanted."""


class Found(NamedTuple):
    """A row and its bytes; None where Kafka does not keep them any more."""

    row: RejectedRow
    raw: bytes | None


class RawBytes:
    """Reads bytes by where a row says that they are. To be used by `with`."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._consumer: Any = None
        self._waiting: dict[int, list[Any]] = {}
        """Records of each partition that were read and not yet looked at, the last one first."""
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def __enter__(self) -> Self:
        """Connects. Raises KafkaError."""
        require_access(self._address)
        self._consumer = KafkaConsumer(
            **self._address.for_kafka_python(), enable_auto_commit=False, max_poll_records=500
        )
        known = self._consumer.partitions_for_topic(REJECTED_TOPIC) or ()
        partitions = [TopicPartition(REJECTED_TOPIC, one) for one in sorted(known)]
        self._consumer.assign(partitions)
        self._begins = {one.partition: begin for one, begin in self._consumer.beginning_offsets(partitions).items()}
        self._ends = {one.partition: end for one, end in self._consumer.end_offsets(partitions).items()}
        self._consumer.pause(*partitions)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection."""
        del kind, error, trace
        self._consumer.close()

    def read(self, rows: Iterable[RejectedRow]) -> Iterator[Found]:
        """The bytes of each row. Fast where the rows come in the order of `raw_partition` and `raw_offset`.

        Raises KafkaError where Kafka does not answer any more."""
        for row in rows:
            record = self._record(row.raw_partition, row.raw_offset)
            yield Found(row, None if record is None or not _is_of(record, row) else record.value or b"")

    def _record(self, partition: int, offset: int) -> Any:
        if not self._is_there(partition, offset):
            return None
        waiting = self._waiting.setdefault(partition, [])
        position = waiting[-1].offset if waiting else None
        if position is None or not position <= offset <= position + _SKIPPED_AT_MOST:
            self._consumer.seek(TopicPartition(REJECTED_TOPIC, partition), offset)
            waiting.clear()
        while True:
            while waiting and waiting[-1].offset < offset:
                waiting.pop()
            if waiting:
                return waiting[-1] if waiting[-1].offset == offset else None
            if not self._read_on(partition, waiting):
                return None

    def _is_there(self, partition: int, offset: int) -> bool:
        if partition not in self._begins or offset < self._begins[partition]:
            return False
        if offset >= self._ends[partition]:  # perhaps it came since
            place = TopicPartition(REJECTED_TOPIC, partition)
            self._ends[partition] = self._consumer.end_offsets([place])[place]
        return bool(offset < self._ends[partition])

    def _read_on(self, partition: int, waiting: list[Any]) -> bool:
        """Adds the next records of a partition; False at its end."""
        place = TopicPartition(REJECTED_TOPIC, partition)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        self._consumer.resume(place)
        try:
            while self._consumer.position(place) < self._ends[partition]:
                if records := self._consumer.poll(_POLL_MS).get(place):
                    waiting[:] = records[::-1]
                    return True
                if time.monotonic() > deadline:
                    raise KafkaTimeoutError(f"{REJECTED_TOPIC} is not handed out")
            return False
        finally:
            self._consumer.pause(place)


def _is_of(record: Any, row: RejectedRow) -> bool:
    """Whether the record is the row's: in a topic that was made anew another one may have its place."""
    found = from_record(record)
    if found.replayed_at is not None or found.identity != row.identity:
        return False
    return row.topic not in DOORS or found.time == row.time
