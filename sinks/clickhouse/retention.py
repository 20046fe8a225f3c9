"""Dropping raw rows that are older than they have to be kept. What was computed from them stays."""

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.event import EventData
from sinks.clickhouse.client import Store
from sinks.clickhouse.progress import read_state, write_floor
from sinks.clickhouse.raw import DATABASE, raw_table

_FIRST_MONTH: Final = datetime(2020, 2, 1, tzinfo=UTC)
"""The first partition holds whatever is older than this."""


def floor_at(clock: datetime, kept: timedelta) -> datetime:
    """The first moment of the month (UTC) of what has to be kept: raw rows go a whole month at a time."""
    return (clock - kept).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def drop_older(store: Store, model: type[EventData], clock: datetime, kept: timedelta) -> list[str]:
    """Drops the months of a model's raw rows that have ended `kept` before the clock, and returns them as YYYYMM.

    The floor is written first: what comes later for a dropped month is stored and shown, and changes no rate."""
    floor = floor_at(clock, kept)
    if floor < _FIRST_MONTH:
        return []
    if (await read_state(store)).floors.get(model.type, 0) < int(floor.timestamp()):
        await write_floor(store, model.type, int(floor.timestamp()))
    dropped = []
    index = f"{DATABASE}.raw_events"
    for table, of_stream in ((raw_table(model), ""), (index, model.type)):
        for partition in await _older_partitions(store, table, of_stream, floor):
            await store.execute(f"ALTER TABLE {table} DROP PARTITION ID '{partition}'")
            dropped.append(partition)
    return dropped


async def _older_partitions(store: Store, table: str, event_type: str, floor: datetime) -> list[str]:
    """Ids of the partitions of months that end by the floor; of the index by identity those of one event type."""
    name = table.removeprefix(f"{DATABASE}.")
    month = "partition" if not event_type else "extract(partition, '\\d{6}\\D*$')"
    mine = "" if not event_type else f" AND position(partition, '{event_type}') > 0"
    rows = await store.rows(
        f"SELECT DISTINCT partition_id FROM system.parts\n"
        f"WHERE active AND database = '{DATABASE}' AND table = '{name}'{mine}\n"
        f"    AND toUInt32OrZero(extract({month}, '\\d{{6}}')) < {floor:%Y%m} ORDER BY partition_id"
    )
    return [str(row[0]) for row in rows]
