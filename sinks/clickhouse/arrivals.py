"""What came of each source in some minutes, accepted and refused: by when it arrived, not by when it happened.

Both are counted from the raw rows. An index of skipped blocks over the time of arrival (migration 0005) keeps that
cheap: ten minutes among 18 million heartbeats and orders are 20 ms, whatever lies before them.
"""

from collections import Counter
from datetime import datetime
from typing import Final, NamedTuple

from schemas.catalogue import MODELS
from schemas.fields import microseconds
from sinks.clickhouse.client import Store
from sinks.clickhouse.raw import DATABASE, raw_table

NOBODY: Final = "unknown"
"""In place of the source of what could not be read and was pushed without a key."""
MOST_SOURCES: Final = 1_000
"""So many are looked at, those with the most refused events for one reason."""


class Arrivals(NamedTuple):
    """Events of one source."""

    refused: int
    accepted: int
    reason: str
    """Why most of the refused ones were."""


def _during(column: str, start: datetime, end: datetime) -> str:
    moments = [f"fromUnixTimestamp64Micro({microseconds(one)}, 'UTC')" for one in (start, end)]
    return f"{column} >= {moments[0]} AND {column} < {moments[1]}"


async def arrivals(store: Store, start: datetime, end: datetime) -> dict[str, Arrivals]:
    """What came in [start, end), of the sources of which something was refused.

    What has no readable source stands under its producer, or under `unknown`. Nobody can say what they had accepted, so
    it is measured by all that was accepted in that time. Each refused record counts once, however often it was read; an
    event that came twice is accepted once."""
    refused: dict[str, Counter[str]] = {}
    named: set[str] = set()
    for source, producer, reason, count in await store.rows(
        f"SELECT source, if(source = '', producer, '') AS pushed_by, reason,\n"
        f"    uniqExact(topic, partition, offset, raw_partition) AS count\n"
        f"FROM {DATABASE}.raw_rejected WHERE {_during('time', start, end)}\n"
        f"GROUP BY source, pushed_by, reason ORDER BY count DESC LIMIT {MOST_SOURCES}"
    ):
        refused.setdefault(str(source or producer or NOBODY), Counter())[str(reason)] += int(count)
        named.update([source] if source else [])
    accepted = await _accepted(store, start, end) if refused else {}
    everything = sum(accepted.values())
    return {
        source: Arrivals(
            reasons.total(),
            accepted.get(source, 0) if source in named else everything,
            reasons.most_common(1)[0][0],
        )
        for source, reasons in refused.items()
    }


async def _accepted(store: Store, start: datetime, end: datetime) -> dict[str, int]:
    parts = "\n    UNION ALL ".join(
        f"SELECT {number} AS kind, source, event_id FROM {raw_table(model)} WHERE {_during('landed_at', start, end)}"
        for number, model in enumerate(MODELS)
    )
    rows = await store.rows(f"SELECT source, uniqExact(kind, event_id) FROM (\n    {parts}\n) GROUP BY source")
    return {str(source): int(count) for source, count in rows}
