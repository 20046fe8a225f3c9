"""When a stream spoke, place by place: what silence is judged by."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.banquet import Banquet
from schemas.camera import Heartbeat
from schemas.seal import Order
from schemas.towns import CITY_CODE
from sinks.clickhouse.catalogue_views import STALE
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.raw import DATABASE, raw_table

_CITY: Final = f"('city', '{CITY_CODE}')"
_TOWN: Final = "('town', toString(town_code))"
_SPOKEN: Final[Mapping[str, tuple[str, str, str]]] = {
    "yangguang.camera": (raw_table(Heartbeat), "event_time", f"[{_CITY}, {_TOWN}]"),
    "yangguang.seal": (raw_table(Order), "event_time", f"[{_CITY}, {_TOWN}, ('platform', toString(platform))]"),
    "yangguang.banquet": (raw_table(Banquet), "event_time", f"[{_CITY}, {_TOWN}]"),
    "yangguang.registry": (f"{DATABASE}.raw_events", "time", f"[{_CITY}]"),
}
"""By stream: table, column of the event's time, and the places that an event speaks for."""

_KEPT_BY: Final = {"yangguang.camera": "event_time", "yangguang.seal": "delivered_at"}
"""The column by whose month and minute the rows lie."""
MEMORY: Final = timedelta(days=7)

Spoken = dict[tuple[str, str], list[int]]
"""By scope and scope_id the minutes (Unix seconds) in which there was an event, ascending."""


class StreamMark(NamedTuple):
    """How far a stream is: its watermark cut to the minute, and whether it is late."""

    as_of: datetime
    stale: bool


async def spoken(store: Store, stream: str, start: datetime, end: datetime) -> Spoken:
    """The minutes of [start, end) with an event, and for each place the last one before `start`.

    Of heartbeats and orders, of which there may be billions, not beyond `MEMORY` before it: a place that has been
    silent for longer fires already, or was never known."""
    table, time, places = _SPOKEN[stream]
    begin, until = int(start.timestamp()), int(end.timestamp())
    of_stream = f"stream = '{stream}' AND " if table.endswith("raw_events") else ""
    if stream in ("yangguang.camera", "yangguang.seal"):
        oldest = begin - int(MEMORY.total_seconds())
        of_stream = f"{_KEPT_BY[stream]} >= toDateTime64({oldest}, 6, 'UTC') AND "
    minute = f"toUnixTimestamp(toStartOfMinute({time}))"
    rows = await store.rows(
        f"SELECT place.1, place.2, arraySort(arrayDistinct(arrayPushBack(\n"
        f"    groupUniqArrayIf({minute}, {time} >= toDateTime64({begin}, 6, 'UTC')),\n"
        f"    maxIf({minute}, {time} < toDateTime64({begin}, 6, 'UTC')))))\n"
        f"FROM {table} ARRAY JOIN {places} AS place\n"
        f"WHERE {of_stream}{time} < toDateTime64({until}, 6, 'UTC') GROUP BY place"
    )
    return {(scope, scope_id): [one for one in minutes if one] for scope, scope_id, minutes in rows}


async def spoken_lately(store: Store, stream: str, start: datetime, end: datetime) -> Spoken:
    """The same without what was before `start`, which costs little."""
    table, time, places = _SPOKEN[stream]
    begin, until = int(start.timestamp()), int(end.timestamp())
    of_stream = f"stream = '{stream}' AND " if table.endswith("raw_events") else ""
    # orders lie by the minute of their delivery, which no event of theirs is far behind of
    near = f"delivered_at >= toDateTime64({begin - 86_400}, 6, 'UTC') AND " if table == raw_table(Order) else ""
    if table == raw_table(Heartbeat):
        near = f"toStartOfMinute(event_time) >= toDateTime({begin}) AND "
    rows = await store.rows(
        f"SELECT place.1, place.2, arraySort(groupUniqArray(toUnixTimestamp(toStartOfMinute({time}))))\n"
        f"FROM {table} ARRAY JOIN {places} AS place\n"
        f"WHERE {of_stream}{near}{time} >= toDateTime64({begin}, 6, 'UTC') "
        f"AND {time} < toDateTime64({until}, 6, 'UTC') GROUP BY place"
    )
    return {(scope, scope_id): list(minutes) for scope, scope_id, minutes in rows}


async def stream_marks(store: Store) -> dict[str, StreamMark]:
    """How far each stream is."""
    rows = await store.rows(
        f"WITH (SELECT max(clock) FROM {DATABASE}.watermarks FINAL) AS clock_now\n"
        f"SELECT stream, watermark, {STALE} FROM {DATABASE}.watermarks FINAL"
    )
    return {
        str(stream): StreamMark(utc(mark).replace(second=0, microsecond=0), bool(stale)) for stream, mark, stale in rows
    }


async def wrong_definitions(store: Store) -> dict[str, bool]:
    """By indicator, whether its stored numbers were computed by another definition than the one that is shown."""
    rows = await store.rows(f"SELECT indicator, error FROM {DATABASE}.indicator_marks")
    return {str(code): bool(error) for code, error in rows}
