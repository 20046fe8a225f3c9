"""What a rejected record looks like on its topic: the raw bytes as value, everything else in headers.

The topic is the only place that holds the bytes. The agent that reads it writes the table, so land and the gateway need
only one door, and a row always knows where its bytes are.
"""

import re
from datetime import UTC, datetime
from typing import Final

from schemas.fields import microseconds
from schemas.reject import Reason, Rejection
from sinks.clickhouse.rejected import RejectedRow
from streams.transport import Record

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
"""What a stranger writes into the headers must not stop the road."""

HTTP_TOPIC: Final = "http"
HTTP_PARTITION: Final = -1

Headers = list[tuple[str, bytes]]


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


def http_headers(rejection: Rejection) -> Headers:
    """Headers of what the gateway refused: every attempt is a row of its own."""
    return headers(HTTP_TOPIC, HTTP_PARTITION, -1, rejection, datetime.now(UTC))


def from_record(record: Record) -> RejectedRow:
    """The row of a record on the topic. Of the gateway's the offset is that of the raw bytes."""
    known = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    topic = known.get("topic", "")

    def number(name: str, otherwise: int) -> int:
        text = known.get(name, "")
        return int(text) if _INTEGER.fullmatch(text) else otherwise

    return RejectedRow(
        topic=topic,
        partition=number("partition", HTTP_PARTITION),
        offset=record.offset if topic == HTTP_TOPIC else number("offset", record.offset),
        reason=known.get("reason", Reason.BAD_VALUE.value),
        detail=known.get("detail", ""),
        source=known.get("source", ""),
        id=known.get("id", ""),
        type=known.get("type", ""),
        time=number("time", 0),
        raw_partition=record.partition,
        raw_offset=record.offset,
    )
