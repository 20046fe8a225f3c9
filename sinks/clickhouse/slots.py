"""Availability: which slots of 5 minutes a camera was healthy in, and in which it was expected to be.

Heartbeats are most of the volume, so they are condensed twice: to 12 bits a camera and hour (`camera_hours`), and to
buckets of slots a town (`flow_minutes`, at the slot's first minute). Where a camera belongs and when it is expected
depends on other records; that stands in `camera_bindings`, and the buckets follow it without the raw heartbeats.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.camera import Heartbeat
from schemas.fields import microseconds
from schemas.indicator import Indicator
from schemas.registry import Operator
from sinks.clickhouse.buckets import codes_of, datetimes, sum_hours, version
from sinks.clickhouse.client import Store
from sinks.clickhouse.identity import Touched, in_minutes, landed_since
from sinks.clickhouse.rates import SLOT_SECONDS
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.sql import in_list
from sinks.clickhouse.units import KEY

HOUR: Final = 3600
_SLOTS: Final = HOUR // SLOT_SECONDS
_ALL_SLOTS: Final = 2**_SLOTS - 1
_BEGUN_BEFORE: Final = timedelta(minutes=5)
"""Bindings are known by when their computation began, and are written no longer after that."""
_HOURS_AT_ONCE: Final = 96
"""Times 10 000 cameras this is a million rows to join."""

_HEARTBEATS: Final = raw_table(Heartbeat)
_HEARTBEAT: Final = "(event_time, event_id, toString(source), operator_id, toString(town_code))"
_BINDINGS: Final = f"{DATABASE}.camera_bindings"


class Head(NamedTuple):
    """What all heartbeats of a camera say together: the least time, and the operator and town of the current one."""

    first_time: datetime
    operator_id: str
    town_code: str


class Opening(NamedTuple):
    """What the current record of an operator says of its cameras: business hours (from, to) as HH:MM, and the
    indicators whose condition of the denominator it meets."""

    open_hours: Sequence[tuple[str, str]]
    counted: frozenset[str]


class Binding(NamedTuple):
    """Where a camera belongs and when it is expected: `open` has for each hour of the day (Shanghai) a bit a slot."""

    operator_id: str
    town_code: str
    first_time: datetime
    open: tuple[int, ...]


async def heartbeat_hours(store: Store, begin: int, end: int) -> list[int]:
    """The hours in [begin, end), Unix seconds, that have raw heartbeats."""
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(toStartOfHour(event_time)) AS hour FROM {_HEARTBEATS}\n"
        f"WHERE event_time >= toDateTime64({begin}, 6, 'UTC') AND event_time < toDateTime64({end}, 6, 'UTC')\n"
        f"ORDER BY hour"
    )
    return [int(row[0]) for row in rows]


async def touched_cameras(store: Store, touched: Touched) -> dict[int, frozenset[str]]:
    """Cameras with new heartbeats, or with one that lost its identity, by the hour of these (Unix seconds)."""
    rows = await store.rows(
        f"SELECT toUnixTimestamp(toStartOfHour(event_time)) AS hour, groupUniqArray(camera_id) FROM {_HEARTBEATS}\n"
        f"WHERE {in_minutes('event_time', touched.places)}\n"
        f"    AND ({landed_since(touched)} OR NOT ({superseded_filter(Heartbeat)}))\nGROUP BY hour"
    )
    return {int(hour): frozenset(map(str, cameras)) for hour, cameras in rows}


async def recompute_camera_hours(
    store: Store, indicators: Collection[Indicator], hours: Collection[int], cameras: Collection[str] | None
) -> None:
    """Condenses the heartbeats of these hours (Unix seconds) and cameras (None: all)."""
    if not indicators or not hours or (cameras is not None and not cameras):
        return
    listed = sorted(hours)
    chosen = "" if cameras is None else f" AND camera_id IN {in_list(cameras)}"
    for one in indicators:
        healthy = " OR ".join(
            f"(({phase.numerator}) AND event_time >= toDateTime64({phase.begin}, 6, 'UTC') "
            f"AND event_time < toDateTime64({phase.end}, 6, 'UTC'))"
            for phase in one.phases()
        )
        slot = f"intDiv(toUnixTimestamp(event_time) % {HOUR}, {SLOT_SECONDS})"
        await store.execute(
            f"""INSERT INTO {DATABASE}.camera_hours
SELECT '{one.code}', hour, camera_id, groupBitOr(bits), minIf(first, first > toDateTime64(0, 6, 'UTC')),
    argMax(latest, tupleElement(latest, 1)), {version()} FROM (
    SELECT toStartOfHour(event_time) AS hour, camera_id,
        groupBitOr(if({healthy}, bitShiftLeft(toUInt16(1), {slot}), 0)) AS bits,
        min(event_time) AS first, argMax({_HEARTBEAT}, {KEY}) AS latest
    FROM {_HEARTBEATS}
    PREWHERE event_time >= toDateTime64({listed[0]}, 6, 'UTC')
        AND event_time < toDateTime64({listed[-1] + HOUR}, 6, 'UTC')
        AND toStartOfHour(event_time) IN {datetimes(listed)}{chosen}
    WHERE {superseded_filter(Heartbeat)}
    GROUP BY hour, camera_id
    UNION ALL
    SELECT hour, camera_id, 0, toDateTime64(0, 6, 'UTC'), (toDateTime64(0, 6, 'UTC'), '', '', '', '')
    FROM {DATABASE}.camera_hours
    WHERE indicator = '{one.code}' AND hour IN {datetimes(listed)}{chosen}
)
GROUP BY hour, camera_id"""
        )


async def new_heads(store: Store, touched: Touched) -> dict[str, tuple[datetime, list[tuple[str, str]]]]:
    """What new heartbeats say, by camera: the least time, and every (operator, town)."""
    rows = await store.rows(
        f"SELECT camera_id, min(event_time), groupUniqArray((operator_id, toString(town_code))) FROM {_HEARTBEATS}\n"
        f"WHERE {in_minutes('event_time', touched.places)} AND {landed_since(touched)} GROUP BY camera_id"
    )
    return {str(camera): (first, [(one[0], one[1]) for one in said]) for camera, first, said in rows}


async def bound_heads(store: Store) -> dict[str, Head]:
    """What the bindings say of every camera, but of those whose past is not computed yet."""
    rows = await store.rows(
        f"SELECT camera_id, any(first_time), any(operator_id), any(toString(town_code)) FROM {_BINDINGS} FINAL\n"
        f"GROUP BY camera_id HAVING min(settled)"
    )
    return {str(camera): Head(*values) for camera, *values in rows}


async def heads(store: Store, cameras: Collection[str], condensed_until: int) -> dict[str, Head]:
    """What all heartbeats of these cameras say: condensed hours, and from an hour on (Unix seconds) raw ones."""
    chosen = f"camera_id IN {in_list(cameras)}"
    rows = await store.rows(
        f"""SELECT camera_id, min(first), argMax(latest, (latest.1, latest.2, latest.3)) AS current FROM (
    SELECT camera_id, first_time AS first, last AS latest FROM {DATABASE}.camera_hours FINAL
    WHERE {chosen} AND hour < toDateTime({condensed_until}) AND first_time > toDateTime64(0, 6, 'UTC')
    UNION ALL
    SELECT camera_id, min(event_time), argMax({_HEARTBEAT}, {KEY}) FROM {_HEARTBEATS}
    WHERE {chosen} AND event_time >= toDateTime64({condensed_until}, 6, 'UTC') AND {superseded_filter(Heartbeat)}
    GROUP BY camera_id
)
GROUP BY camera_id"""
    )
    return {str(camera): Head(first, current[3], current[4]) for camera, first, current in _untupled(rows)}


def _untupled(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, Any, tuple[Any, ...]]]:
    """Rows whose third column is a tuple: the client gives a named one as a mapping."""
    for camera, first, current in rows:
        yield camera, first, tuple(current.values()) if isinstance(current, Mapping) else tuple(current)


async def openings(store: Store, indicators: Collection[Indicator], operators: Collection[str]) -> dict[str, Opening]:
    """What the current records of these operators say of their cameras. Current records have no past, so of several
    phases of a definition the last one counts."""
    counted = ", ".join(f"if({one.phases()[-1].where}, '{one.code}', '')" for one in indicators)
    fields = ("kind", "status", "open_hours")
    current = ", ".join(f"record.{position} AS {name}" for position, name in enumerate(fields, 1))
    rows = await store.rows(
        f"""SELECT operator_id, arrayMap(span -> (span.1, span.2), open_hours) AS spans,
    arrayFilter(code -> code != '', [{counted}])
FROM (
    SELECT operator_id, {current} FROM (
        SELECT operator_id, argMax(({", ".join(fields)}), {KEY}) AS record FROM {raw_table(Operator)}
        WHERE operator_id IN {in_list(operators)} AND {superseded_filter(Operator)}
        GROUP BY operator_id
    )
)"""
    )
    return {str(operator): Opening(list(map(tuple, spans)), frozenset(codes)) for operator, spans, codes in rows}


async def cameras_of(store: Store, operators: Collection[str]) -> frozenset[str]:
    """Cameras that are bound to these operators."""
    rows = await store.rows(
        f"SELECT DISTINCT camera_id FROM {_BINDINGS} FINAL WHERE operator_id IN {in_list(operators)}"
    )
    return frozenset(str(row[0]) for row in rows)


async def all_cameras(store: Store) -> list[str]:
    """All cameras of which there ever was a heartbeat or a condensed hour."""
    rows = await store.rows(
        f"SELECT camera_id FROM {_HEARTBEATS} UNION DISTINCT SELECT camera_id FROM {DATABASE}.camera_hours"
    )
    return sorted(str(row[0]) for row in rows)


async def first_hour(store: Store) -> int | None:
    """The hour (Unix seconds) of the first heartbeat of any camera; None before there is one."""
    rows = await store.rows(f"SELECT min(toUnixTimestamp(first_time)) FROM {_BINDINGS} FINAL WHERE town_code != ''")
    return int(rows[0][0]) // HOUR * HOUR if rows and rows[0][0] else None


class Bound(NamedTuple):
    """A binding as it is stored; `settled` when the buckets of the past were computed with it."""

    binding: Binding
    settled: bool


async def read_bindings(store: Store, cameras: Collection[str]) -> dict[tuple[str, str], Bound]:
    """The stored bindings of these cameras, by (indicator, camera)."""
    rows = await store.rows(
        f"SELECT indicator, camera_id, operator_id, town_code, first_time, open, settled FROM {_BINDINGS} FINAL\n"
        f"WHERE camera_id IN {in_list(cameras)}"
    )
    return {
        (str(indicator), str(camera)): Bound(Binding(operator, town, first, tuple(bits)), bool(settled))
        for indicator, camera, operator, town, first, bits, settled in rows
    }


async def write_bindings(
    store: Store, bindings: Mapping[tuple[str, str], Binding], begun: datetime, *, settled: bool
) -> None:
    """Writes bindings, by (indicator, camera); one whose computation began later stays.

    :param begun: when the computation began, before anything was read for it."""
    if not bindings:
        return
    at = microseconds(begun) + settled  # what is settled follows what was not
    keys = sorted(bindings)
    rows = [bindings[key] for key in keys]
    moment = "DateTime64(6, 'UTC')"
    await store.insert(
        _BINDINGS,
        ["indicator", "camera_id", "operator_id", "town_code", "first_time", "open", "settled", "version"],
        [
            "LowCardinality(String)",
            "String",
            "String",
            "LowCardinality(String)",
            moment,
            "Array(UInt16)",
            "Bool",
            moment,
        ],
        [
            [indicator for indicator, _ in keys],
            [camera for _, camera in keys],
            [one.operator_id for one in rows],
            [one.town_code for one in rows],
            [microseconds(one.first_time) for one in rows],
            [list(one.open) for one in rows],
            [settled] * len(rows),
            [at] * len(rows),
        ],
    )


async def towns_bound_since(store: Store, since: datetime) -> frozenset[str]:
    """Towns of the bindings that were written since a moment, and of some that were written shortly before."""
    since -= _BEGUN_BEFORE
    rows = await store.rows(
        f"SELECT DISTINCT town_code FROM {_BINDINGS} "
        f"WHERE version >= fromUnixTimestamp64Micro({microseconds(since)}, 'UTC') AND town_code != ''"
    )
    return frozenset(str(row[0]) for row in rows)


async def recompute_slots(
    store: Store, indicators: Collection[Indicator], hours: Collection[int], towns: Collection[str] | None
) -> None:
    """Writes the buckets of the slots of these hours (Unix seconds) for these towns (None: all), and their sums."""
    if not indicators or (towns is not None and not towns):
        return
    chosen = f"indicator IN {codes_of(indicators)}" + ("" if towns is None else f" AND town_code IN {in_list(towns)}")
    listed = sorted(hours)
    for first in range(0, len(listed), _HOURS_AT_ONCE):
        portion = listed[first : first + _HOURS_AT_ONCE]
        await store.execute(_slots_of(chosen, portion))
        await sum_hours(store, indicators, portion)


def _slots_of(chosen: str, hours: Sequence[int]) -> str:
    listed = datetimes(hours)
    begin, end = hours[0], hours[-1] + HOUR
    since = f"intDiv(toUnixTimestamp(first_time), {SLOT_SECONDS}) * {SLOT_SECONDS}"
    passed = f"toUInt8(least({_SLOTS}, greatest(0, intDiv({since} - toUnixTimestamp(hour), {SLOT_SECONDS}) + 1)))"
    started = f"bitShiftLeft(toUInt32({_ALL_SLOTS}), {passed})"
    bits = f"range({_SLOTS})"
    return f"""INSERT INTO {DATABASE}.flow_minutes
SELECT indicator, minute, town_code, '', sum(n), sum(d), 0, {version()} FROM (
    SELECT indicator, toDateTime(toUnixTimestamp(hour) + {SLOT_SECONDS} * slot) AS minute, town_code, n, d, 0 AS known
    FROM (
        SELECT indicator, hour, town_code,
            sumForEach(arrayMap(bit -> toUInt64(bitTest(bitAnd(expected, hours.healthy), bit)), {bits})) AS ns,
            sumForEach(arrayMap(bit -> toUInt64(bitTest(expected, bit)), {bits})) AS ds
        FROM (
            SELECT indicator, camera_id, toString(town_code) AS town_code, hour,
                toUInt16(bitAnd(bitAnd(open[toHour(hour, 'Asia/Shanghai') + 1], {started}), {_ALL_SLOTS})) AS expected
            FROM (SELECT * FROM {_BINDINGS} FINAL WHERE {chosen})
            ARRAY JOIN array{listed} AS hour
            WHERE expected != 0
        ) AS cameras
        LEFT JOIN (
            SELECT indicator, hour, camera_id, healthy FROM {DATABASE}.camera_hours FINAL
            WHERE hour IN {listed}
        ) AS hours USING (indicator, hour, camera_id)
        GROUP BY indicator, hour, town_code
    )
    ARRAY JOIN ns AS n, ds AS d, {bits} AS slot
    WHERE d > 0
    UNION ALL
    SELECT indicator, minute, toString(town_code), 0, 0, 1 FROM {DATABASE}.flow_minutes
    WHERE {chosen} AND minute >= toDateTime({begin}) AND minute < toDateTime({end})
        AND toStartOfHour(minute) IN {listed}
)
GROUP BY indicator, minute, town_code"""
