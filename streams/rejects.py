"""What a rejected record looks like on its topic: the raw bytes as value, everything else in headers.

The topic is the only place that holds the bytes. The agent that reads it writes the table, so land and the gateway need
only one door, and a row always knows where its bytes are. A replay takes the same road: it puts a mark on the topic, a
record without bytes that says everything of the row once more, when it was replayed, and where its bytes still are.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from schemas.fields import microseconds
from schemas.reject import Reason, Rejection
from sinks.clickhouse.rejected import RejectedRow
from streams.transport import Record

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
"""What a stranger writes into the headers must not stop the road."""
_PARTITION_MAX: Final = 2**31 - 1

DOORS: Final = ("http", "mqtt")
"""What stands for the topic of an event that never was on one: the door at which the gateway refused it."""
DOOR_PARTITION: Final = -1

Headers = list[tuple[str, bytes]]


class Door(NamedTuple):
    """How an event came to the gateway: through which door, pushed by whom, read by which vendor's mapping."""

    name: Literal["http", "mqtt"] = "http"
    producer: str = ""
    vendor: str = ""


def headers(topic: str, partition: int, offset: int, rejection: Rejection, at: datetime) -> Headers:
    """Headers of a rejected record that came from this topic, partition and offset."""
    fields = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "reason": rejection.reason.value,
        "detail": rejection.detail,
        "source": rejection.source,
        "id": rejection.id,
        "type": rejection.type,
        "time": str(microseconds(at)),
    }
    return [(name, value.encode()) for name, value in fields.items()]


def headers_of(record: Record, rejection: Rejection) -> Headers:
    """Headers of a rejected record of Kafka."""
    return headers(record.topic, record.partition, record.offset, rejection, datetime.now(UTC))


def door_headers(door: Door, rejection: Rejection) -> Headers:
    """Headers of what the gateway refused: every attempt is a row of its own."""
    made = headers(door.name, DOOR_PARTITION, -1, rejection, datetime.now(UTC))
    return [*made, ("producer", door.producer.encode()), ("vendor", door.vendor.encode())]


def replay_headers(row: RejectedRow, at: datetime) -> Headers:
    """Headers of the mark that says when the event of a row was replayed."""
    said = {name: value for name, value in row._asdict().items() if value is not None}
    said["replayed_at"] = microseconds(at)
    return [(name, str(value).encode()) for name, value in said.items()]


def from_record(record: Record) -> RejectedRow:
    """The row of a record on the topic. Of the gateway's the offset is that of the raw bytes."""
    known = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    topic = known.get("topic", "")

    def number(name: str, otherwise: int, most: int = 10**18) -> int:
        text = known.get(name, "")
        return int(text) if _INTEGER.fullmatch(text) and abs(int(text)) <= most else otherwise

    replayed_at = number("replayed_at", 0) or None
    raw_partition = number("raw_partition", record.partition, _PARTITION_MAX) if replayed_at else record.partition
    raw_offset = number("raw_offset", record.offset) if replayed_at else record.offset
    return RejectedRow(
        topic=topic,
        partition=number("partition", DOOR_PARTITION, _PARTITION_MAX),
        offset=raw_offset if topic in DOORS else number("offset", raw_offset),
        reason=known.get("reason", Reason.BAD_VALUE.value),
        detail=known.get("detail", ""),
        source=known.get("source", ""),
        id=known.get("id", ""),
        type=known.get("type", ""),
        producer=known.get("producer", ""),
        vendor=known.get("vendor", ""),
        time=number("time", 0),
        raw_partition=raw_partition,
        raw_offset=raw_offset,
        replayed_at=replayed_at,
    )
