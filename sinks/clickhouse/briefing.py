"""What a message knows beyond its transition, asked of ClickHouse: trend, worst operators, duration, open towns."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.durations import window_length
from schemas.indicator import Indicator
from schemas.indicators import CATALOGUE
from schemas.registry import Operator
from schemas.relations import RELATIONS
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.rates import SLOT_SECONDS, VALUES, WIDTHS, contributions, stock_parts
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.units import KEY, settled

MOST_OPERATORS: Final = 5
_FLOW_POINTS: Final = 24
_DAYS: Final = 14
_HOURS_FROM: Final = timedelta(hours=24)
"""Longer windows are read by whole hours: a picture needs no minutes."""
_UNITS_UP_TO: Final = timedelta(hours=24)
"""Orders of longer windows are too many to be looked at one by one while a message waits."""
_PEOPLE: Final = f"""SELECT operator_id FROM {raw_table(Operator)} WHERE {superseded_filter(Operator)}
GROUP BY operator_id HAVING argMax(kind, {KEY}) = 'banquet_cook'"""
"""Operators that are people: a message names businesses only."""


class TrendPoint(NamedTuple):
    """The rate of the alert's place and window at a moment."""

    at: datetime
    rate: float


class WorstOperator(NamedTuple):
    """A business with what counts of it; in stock it is one unit."""

    operator_id: str
    name: str
    numerator: int
    denominator: int


class Briefing(NamedTuple):
    """What is known beside a transition; empty where nothing is."""

    trend: tuple[TrendPoint, ...] = ()
    operators: tuple[WorstOperator, ...] = ()
    fired_at: datetime | None = None
    """Of a resolved alert."""
    still_firing: tuple[tuple[str, str], ...] = ()
    """(scope, scope_id) of towns and platforms, where the city's alert has resolved."""
    deadline: date | None = None
    """Of a rate's target, where it has one."""


async def brief_on(
    store: Store, transition: Mapping[str, Any], catalogue: Mapping[str, Indicator] = CATALOGUE
) -> Briefing:
    """What ClickHouse knows of a transition. Raises what ClickHouse raises: a caller sends its message without.

    :param transition: as on the topic of alerts, times as ISO text or datetimes.
    :param catalogue: by code, with the configuration applied."""
    as_of = _moment(transition["as_of"])
    resolved = transition["to_state"] == "resolved"
    fired_at = await _fired_at(store, str(transition["alert_id"]), as_of) if resolved else None
    still = await _still_firing(store, transition, as_of) if resolved and transition["scope"] == "city" else ()
    indicator = catalogue.get(str(transition["indicator"]))
    if transition["kind"] != "rate" or indicator is None:
        return Briefing(fired_at=fired_at, still_firing=still)
    operators = () if resolved else await _operators(store, indicator, transition, as_of)
    return Briefing(await _trend(store, indicator, transition, as_of), operators, fired_at, still, indicator.deadline)


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return utc(moment)


async def _fired_at(store: Store, alert: str, as_of: datetime) -> datetime | None:
    rows = await store.rows(
        f"SELECT maxOrNull(as_of) FROM {DATABASE}.alert_log WHERE alert_id = {{alert:String}}\n"
        f"AND to_state = 'firing' AND from_state != 'firing' AND transition_id != ''\n"
        f"AND as_of <= toDateTime({{as_of:Int64}}, 'UTC')",
        {"alert": alert, "as_of": int(as_of.timestamp())},
    )
    return None if rows[0][0] is None else _moment(rows[0][0])


async def _still_firing(store: Store, transition: Mapping[str, Any], as_of: datetime) -> tuple[tuple[str, str], ...]:
    rows = await store.rows(
        f"SELECT toString(scope), toString(scope_id) FROM (\n"
        f"    SELECT scope, scope_id, argMax(to_state, (as_of, step)) AS state FROM {DATABASE}.alert_log\n"
        f"    WHERE alert_id != '' AND indicator = {{code:String}} AND scope != 'city' AND window = {{window:String}}\n"
        f"        AND subject = {{subject:String}} AND as_of <= toDateTime({{as_of:Int64}}, 'UTC')\n"
        f"    GROUP BY scope, scope_id\n) WHERE state = 'firing' ORDER BY scope DESC, scope_id",
        {
            "code": str(transition["indicator"]),
            "window": str(transition["window"]),
            "subject": str(transition.get("subject") or ""),
            "as_of": int(as_of.timestamp()),
        },
    )
    return tuple((str(scope), str(scope_id)) for scope, scope_id in rows)


def _place(transition: Mapping[str, Any]) -> str:
    """Condition on a row with a town and a platform."""
    return {"town": "town_code = {scope_id:String}", "platform": "platform = {scope_id:String}"}.get(
        str(transition["scope"]), "true"
    )


def _asked(indicator: Indicator, transition: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": indicator.code, "scope": str(transition["scope"]), "scope_id": str(transition["scope_id"])}


async def _trend(
    store: Store, indicator: Indicator, transition: Mapping[str, Any], as_of: datetime
) -> tuple[TrendPoint, ...]:
    """The rate at moments until as_of, without those at which there was nothing to count."""
    at = int(as_of.timestamp())
    if indicator.kind == "stock":
        points = [at - 86400 * back for back in range(_DAYS, -1, -1)]
        statement = _stock_trend(points)
    else:
        length = window_length(str(transition["window"]))
        step, count = (3600, _FLOW_POINTS) if length <= _HOURS_FROM else (86400, _DAYS)
        points = [at - step * back for back in range(count - 1, -1, -1)]
        statement = _flow_trend(indicator, length, points, _place(transition))
    rows = await store.rows(statement, _asked(indicator, transition))
    if indicator.counts:
        return tuple(TrendPoint(datetime.fromtimestamp(point, UTC), float(n)) for point, n, _ in rows)
    return tuple(TrendPoint(datetime.fromtimestamp(point, UTC), n / d) for point, n, d in rows if d)


def _stock_trend(points: list[int]) -> str:
    wanted = f"span.until > toDateTime({points[0]}) AND span.from <= toDateTime({points[-1]})"
    held = "arrayFilter(p -> toUnixTimestamp(begin) <= p AND toUnixTimestamp(end) > p, moments)"
    return f"""WITH {_array(points)} AS moments
SELECT point, sum(numerator), sum(denominator) FROM ({stock_parts(wanted)})
ARRAY JOIN {held} AS point
WHERE indicator = {{code:String}} AND scope = {{scope:String}} AND scope_id = {{scope_id:String}}
GROUP BY point ORDER BY point"""


def _flow_trend(indicator: Indicator, length: timedelta, points: list[int], place: str) -> str:
    """Sums of the buckets that lie in the window [end - length, end) of each moment, whose end is moment - settle."""
    settle, span = int(indicator.settle.total_seconds()), int(length.total_seconds())
    table, begin, width = (
        ("flow_minutes", "minute", WIDTHS[indicator.kind]) if length <= _HOURS_FROM else ("flow_hours", "hour", 3600)
    )
    second = f"toUnixTimestamp({begin})"
    inside = f"arrayFilter(p -> {second} >= p - {settle + span} AND {second} + {width} <= p - {settle}, moments)"
    return f"""WITH {_array(points)} AS moments
SELECT point, sum(numerator), sum(denominator) FROM {DATABASE}.{table} FINAL
ARRAY JOIN {inside} AS point
WHERE indicator = {{code:String}} AND {place}
    AND {begin} >= toDateTime({points[0] - settle - span}) AND {begin} < toDateTime({points[-1] - settle})
GROUP BY point ORDER BY point"""


def _array(points: list[int]) -> str:
    return f"[{', '.join(f'toInt64({point})' for point in points)}]"


async def _operators(
    store: Store, indicator: Indicator, transition: Mapping[str, Any], as_of: datetime
) -> tuple[WorstOperator, ...]:
    at = int(as_of.timestamp())
    if indicator.relation == "operators":
        bad = _bad_stock(indicator, at)
    elif indicator.relation in ("orders", "findings", "duties_due"):
        length = window_length(str(transition["window"]))
        if indicator.relation == "orders" and length > _UNITS_UP_TO:
            return ()
        bad = _bad_units(indicator, at, int(length.total_seconds()), _place(transition))
    elif indicator.kind == "availability":
        bad = _bad_cameras(
            indicator, at, int(window_length(str(transition["window"])).total_seconds()), _place(transition)
        )
    else:
        return ()
    if not bad:
        return ()
    # names are asked of the few that were found
    rows = await store.rows(bad, _asked(indicator, transition))
    names: dict[str, str] = {}
    if rows:
        named = await store.rows(
            f"SELECT operator_id, argMax(name, {KEY}) FROM {raw_table(Operator)}\n"
            f"WHERE operator_id IN {{ids:Array(String)}} AND {superseded_filter(Operator)} GROUP BY operator_id",
            {"ids": [row[0] for row in rows]},
        )
        names = {str(one): str(name) for one, name in named}
    return tuple(WorstOperator(one, names.get(one) or one, int(n), int(d)) for one, n, d in rows)


def _bad_stock(indicator: Indicator, at: int) -> str:
    """Those that make the number bad, the ones that became so last first: they are what has just happened. Who is
    missing from a count that has to be reached is not known."""
    if indicator.counts and indicator.comparator == ">=":
        return ""
    bad = "numerator > 0" if indicator.comparator == "<=" else "numerator = 0 AND denominator > 0"
    wanted = f"span.from <= toDateTime({at}) AND span.until > toDateTime({at})"
    return f"""SELECT unit_id, numerator, denominator FROM ({stock_parts(wanted, ", unit_id")})
WHERE indicator = {{code:String}} AND scope = {{scope:String}} AND scope_id = {{scope_id:String}} AND {bad}
    AND unit_id NOT IN ({_PEOPLE})
ORDER BY begin DESC, unit_id LIMIT {MOST_OPERATORS}"""


def _bad_units(indicator: Indicator, at: int, length: int, place: str) -> str:
    end = at - int(indicator.settle.total_seconds())
    field = RELATIONS[indicator.relation].accounted_at
    chosen = f"{field} >= toDateTime({end - length}) AND {field} < toDateTime({end})"
    sums = ", ".join(f"sum(part.{position}) AS {one}" for position, one in enumerate(VALUES, 2))
    return f"""SELECT operator_id, numerator, denominator FROM (
    SELECT operator_id, {sums}
    FROM ({settled(indicator.relation, chosen)}) AS units
    ARRAY JOIN {contributions([indicator])} AS part
    WHERE toUnixTimestamp(units.minute) >= part.5 AND toUnixTimestamp(units.minute) < part.6 AND {place}
    GROUP BY operator_id
)
WHERE denominator > numerator AND operator_id != '' AND operator_id NOT IN ({_PEOPLE})
ORDER BY denominator - numerator DESC, operator_id LIMIT {MOST_OPERATORS}"""


def _bad_cameras(indicator: Indicator, at: int, length: int, place: str) -> str:
    """Businesses by the slots that their cameras lacked in the window: the bits of `why`, without its events."""
    end = at - int(indicator.settle.total_seconds())
    begin = end - length
    first = "intDiv(toUnixTimestamp(first_time), 300) * 300"
    slot = f"second + {SLOT_SECONDS} * bit"
    inside = f"{slot} >= {begin} AND {slot} + {SLOT_SECONDS} <= {end} AND {slot} > {first}"
    wanted = f"arraySum(arrayMap(bit -> if({inside}, bitShiftLeft(toUInt32(1), bit), 0), range(12)))"
    return f"""SELECT operator_id, sum(bitCount(bitAnd(expected, healthy))) AS good, sum(bitCount(expected)) AS due
FROM (
    SELECT camera_id, operator_id, toDateTime(second) AS hour,
        toUInt16(bitAnd(open[toHour(hour, 'Asia/Shanghai') + 1], {wanted})) AS expected
    FROM (
        SELECT * FROM {DATABASE}.camera_bindings FINAL WHERE indicator = {{code:String}} AND {place}
    )
    ARRAY JOIN range(toUInt32({begin // 3600 * 3600}), toUInt32({end}), 3600) AS second
    WHERE expected != 0
) AS slots
LEFT JOIN (
    SELECT camera_id, hour, healthy FROM {DATABASE}.camera_hours FINAL
    WHERE indicator = {{code:String}} AND hour >= toDateTime({begin - 3600}) AND hour < toDateTime({end})
) AS hours USING (camera_id, hour)
GROUP BY operator_id HAVING due > good AND operator_id NOT IN ({_PEOPLE})
ORDER BY due - good DESC, operator_id LIMIT {MOST_OPERATORS}"""
