"""The table of rejected events, without their bytes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.fields import microseconds
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.raw import DATABASE

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""What Kafka takes for a topic's name. What a stranger wrote into a header does not get into a statement."""
_SPANS_AT_ONCE: Final = 100

Identity = tuple[str, int, int, int]
"""What makes two rows one: the columns that the table is sorted by."""


class RejectedRow(NamedTuple):
    """One rejected event. `time` and `replayed_at` are in microseconds since 1970 UTC."""

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
    replayed_at: int | None = None

    @property
    def identity(self) -> Identity:
        """Of all rows with the same one only the newest counts."""
        return _identity(self.topic, self.partition, self.offset, self.raw_partition)


def _identity(topic: str, partition: int, offset: int, raw_partition: int) -> Identity:
    return topic, partition, offset, raw_partition if topic == "http" else 0


_TYPES: Final = (
    "String", "Int32", "Int64", "String", "String", "String", "String", "String", "String", "String",
    "DateTime64(6, 'UTC')", "Int32", "Int64", "Nullable(DateTime64(6, 'UTC'))",
)  # fmt: skip


def settled(rows: Iterable[RejectedRow], replays: Mapping[Identity, int]) -> list[RejectedRow]:
    """One row an identity, the last one. What was replayed stays so, though its rejection is read once more later.

    :param replays: when those were replayed that are known to have been."""
    found: dict[Identity, RejectedRow] = {}
    for row in rows:
        before = found.get(row.identity)
        known = [row.replayed_at, replays.get(row.identity), before.replayed_at if before else None]
        found[row.identity] = row._replace(replayed_at=max((one for one in known if one is not None), default=None))
    return list(found.values())


async def record_rejected(store: Store, rows: Sequence[RejectedRow]) -> None:
    """Writes rows; one that is there already is replaced, so an offset stays one row."""
    written = settled(rows, await _replays(store, rows))
    columns = [list(values) for values in zip(*written, strict=True)]
    await store.insert(
        f"{DATABASE}.raw_rejected",
        [*RejectedRow._fields, "recorded_at"],
        [*_TYPES, "DateTime64(6, 'UTC')"],
        [*columns, [microseconds(now())] * len(written)],
    )


async def _replays(store: Store, rows: Sequence[RejectedRow]) -> dict[Identity, int]:
    """When those of these rows that were replayed before were."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        if _TOPIC.fullmatch(row.topic):
            offsets.setdefault((row.topic, row.partition), []).append(row.offset)
    spans = [
        f"(topic = '{topic}' AND partition = {partition} AND offset BETWEEN {min(known)} AND {max(known)})"
        for (topic, partition), known in offsets.items()
    ]
    found: dict[Identity, int] = {}
    for first in range(0, len(spans), _SPANS_AT_ONCE):
        for *place, at in await store.rows(
            f"SELECT topic, partition, offset, raw_partition, max(toUnixTimestamp64Micro(replayed_at))\n"
            f"FROM {DATABASE}.raw_rejected WHERE replayed_at IS NOT NULL\n"
            f"    AND ({' OR '.join(spans[first : first + _SPANS_AT_ONCE])})\n"
            f"GROUP BY topic, partition, offset, raw_partition"
        ):
            found[_identity(*place)] = int(at)
    return found
