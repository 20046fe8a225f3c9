"""How far the pipeline is: partitions, watermarks, and with what settings the stored aggregates were computed."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sinks.clickhouse.client import Store, now
from sinks.clickhouse.raw import DATABASE


class PartitionProgress(NamedTuple):
    """How far one partition is: everything before `next_offset` is landed and aggregated."""

    next_offset: int
    max_time: datetime


async def read_progress(store: Store) -> dict[tuple[str, int], PartitionProgress]:
    """Progress of all partitions, by (stream, partition)."""
    rows = await store.rows(f"SELECT stream, partition, next_offset, max_time FROM {DATABASE}.progress FINAL")
    return {(stream, partition): PartitionProgress(offset, time) for stream, partition, offset, time in rows}


async def write_progress(store: Store, progress: dict[tuple[str, int], PartitionProgress]) -> None:
    """Remembers the progress of some partitions."""
    at = now()
    await store.insert_rows(
        f"{DATABASE}.progress",
        ["stream", "partition", "next_offset", "max_time", "updated_at"],
        [[*key, one.next_offset, one.max_time, at] for key, one in progress.items()],
    )


async def read_watermarks(store: Store) -> dict[str, datetime]:
    """The watermark of every stream that has one."""
    rows = await store.rows(f"SELECT stream, watermark FROM {DATABASE}.watermarks FINAL")
    return dict(rows)  # type: ignore[arg-type]  # rows of two columns


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


_FLOOR: Final = "raw_floor:"


async def read_floors(store: Store) -> dict[str, int]:
    """From which moment on (Unix seconds) all raw rows of an event type are there, where older ones were dropped."""
    return {
        name.removeprefix(_FLOOR): int(value)
        for name, value in (await read_settings(store)).items()
        if name.startswith(_FLOOR)
    }


async def write_floor(store: Store, event_type: str, floor: int) -> None:
    """Remembers a floor. It is written before rows are dropped: nothing may be computed from what is left of them."""
    await write_settings(store, {_FLOOR + event_type: str(floor)})


async def write_settings(store: Store, values: dict[str, str]) -> None:
    """Remembers with which values the stored aggregates are computed."""
    at = now()
    await store.insert_rows(
        f"{DATABASE}.settings", ["name", "value", "set_at"], [[name, value, at] for name, value in values.items()]
    )
