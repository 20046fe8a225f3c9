"""The table of rejected events, without their bytes."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.fields import microseconds
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.raw import DATABASE


class RejectedRow(NamedTuple):
    """One rejected event. `time` is in microseconds since 1970 UTC."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    source: str
    id: str
    type: str
    producer: str
    vendor: str
    time: int
    raw_partition: int
    raw_offset: int


_TYPES: Final = (
    "String", "Int32", "Int64", "String", "String", "String", "String", "String", "String", "String",
    "DateTime64(6, 'UTC')", "Int32", "Int64",
)  # fmt: skip


async def record_rejected(store: Store, rows: Sequence[RejectedRow]) -> None:
    """Writes rows; one that is there already is replaced, so an offset stays one row."""
    columns = [list(values) for values in zip(*rows, strict=True)]
    await store.insert(
        f"{DATABASE}.raw_rejected",
        [*RejectedRow._fields, "recorded_at"],
        [*_TYPES, "DateTime64(6, 'UTC')"],
        [*columns, [microseconds(now())] * len(rows)],
    )
