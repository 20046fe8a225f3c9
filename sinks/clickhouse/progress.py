"""How far the pipeline is: partitions, watermarks, and with what settings the stored aggregates were computed."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.fields import microseconds
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.raw import DATABASE

_FLOOR: Final = "raw_floor:"
"""Before an event type in the table of settings."""


class PartitionProgress(NamedTuple):
    """How far one partition is: everything before `next_offset` is landed and aggregated."""

    next_offset: int
    max_time: datetime


class State(NamedTuple):
    """All of this at once: progress by (stream, partition), watermarks by stream, and floors by event type: from which
    moment on (Unix seconds) all raw rows are there, where older ones were dropped."""

    progress: dict[tuple[str, int], PartitionProgress]
    watermarks: dict[str, datetime]
    floors: dict[str, int]


async def read_state(store: Store) -> State:
    """How far everything is."""
    none = "toDateTime64(0, 6, 'UTC')"
    state = State({}, {}, {})
    for kind, name, number, offset, time in await store.rows(
        f"SELECT 'progress', toString(stream), partition, next_offset, max_time FROM {DATABASE}.progress FINAL\n"
        f"UNION ALL SELECT 'watermark', toString(stream), 0, 0, watermark FROM {DATABASE}.watermarks FINAL\n"
        f"UNION ALL SELECT 'floor', substring(name, {len(_FLOOR) + 1}), 0, toInt64OrZero(value), {none}\n"
        f"FROM {DATABASE}.settings FINAL WHERE startsWith(name, '{_FLOOR}')"
    ):
        if kind == "progress":
            state.progress[str(name), int(number)] = PartitionProgress(int(offset), time)
        elif kind == "watermark":
            state.watermarks[str(name)] = time
        else:
            state.floors[str(name)] = int(offset)
    return state


async def write_progress(store: Store, progress: dict[tuple[str, int], PartitionProgress]) -> None:
    """Remembers the progress of some partitions."""
    if progress:
        rows = ", ".join(
            f"('{stream}', {partition}, {one.next_offset}, {microseconds(one.max_time)})"
            for (stream, partition), one in progress.items()
        )
        # a SELECT, as a few values are a whole block of their own otherwise, which costs twice as much
        await store.execute(
            f"INSERT INTO {DATABASE}.progress (stream, partition, next_offset, max_time, updated_at)\n"
            f"SELECT row.1, row.2, row.3, fromUnixTimestamp64Micro(toInt64(row.4), 'UTC'), "
            f"fromUnixTimestamp64Micro({microseconds(now())}, 'UTC')\nFROM (SELECT arrayJoin([{rows}]) AS row)"
        )


async def write_watermarks(
    store: Store, watermarks: dict[str, datetime], clock: datetime, mode: str, lateness: timedelta
) -> None:
    """Remembers watermarks, and the clock by which they were taken."""
    at = now()
    await store.insert_rows(
        f"{DATABASE}.watermarks",
        ["stream", "watermark", "clock", "mode", "lateness", "updated_at"],
        [[stream, mark, clock, mode, int(lateness.total_seconds()), at] for stream, mark in watermarks.items()],
    )


async def read_settings(store: Store) -> dict[str, str]:
    """The values with which the stored aggregates were computed, by name."""
    rows = await store.rows(f"SELECT name, value FROM {DATABASE}.settings FINAL")
    return {str(name): str(value) for name, value in rows}


async def write_floor(store: Store, event_type: str, floor: int) -> None:
    """Remembers a floor. It is written before rows are dropped: nothing may be computed from what is left of them."""
    await write_settings(store, {_FLOOR + event_type: str(floor)})


async def write_settings(store: Store, values: dict[str, str]) -> None:
    """Remembers with which values the stored aggregates are computed."""
    at = now()
    await store.insert_rows(
        f"{DATABASE}.settings", ["name", "value", "set_at"], [[name, value, at] for name, value in values.items()]
    )
