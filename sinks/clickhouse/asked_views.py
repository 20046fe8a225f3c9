"""Views that are asked with parameters: a rate between two moments, and why a number is what it is.

`rate_between(indicator=..., start=..., end=...)` and `why(indicator=..., scope=..., scope_id=..., window=..., at=...)`.
Moments are texts; one without an offset is of Asia/Shanghai.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.camera import Heartbeat, Kitchen
from schemas.columns import TableColumn
from schemas.event import EventData
from schemas.indicator import Indicator
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.relations import RELATIONS, RelationName
from sinks.clickhouse.catalogue_views import LATEST
from sinks.clickhouse.rate_views import PLACE_COLUMNS, RATE, RATE_COLUMNS, WITH_MARKS, as_of_of
from sinks.clickhouse.rates import VALUES, WIDTHS, by_relation, contributions, of_kind, spread, stock_parts
from sinks.clickhouse.raw import DATABASE, quoted, raw_table, superseded_filter
from sinks.clickhouse.sql import create_view, in_list
from sinks.clickhouse.units import EVENTS_TYPE, KEY, event_tuple, settled

_ASKED: Final = "{indicator:String}"


def _moment(name: str) -> str:
    return f"parseDateTime64BestEffort({{{name}:String}}, 6, 'Asia/Shanghai')"


def _asked(indicators: Iterable[Indicator]) -> str:
    """Condition: one of these is asked for."""
    return f"{_ASKED} IN {in_list(one.code for one in indicators)}"


def _rate_between() -> str:
    start, end = _moment("start"), _moment("end")
    at = f"least(toStartOfMinute({end}), {as_of_of(_ASKED)})"
    sums = ", ".join(f"sum({one}) AS {one}" for one in VALUES)
    unsigned = ", ".join(f"toUInt64(sum({one})) AS {one}" for one in VALUES)
    body = f"""{WITH_MARKS},
    (SELECT any(width) FROM {LATEST} AND code = {_ASKED}) AS width
SELECT place.1 AS scope, place.2 AS scope_id, numerator, denominator, unknown, {RATE} AS rate
FROM (SELECT counts, arrayJoin(places) AS place FROM {LATEST} AND code = {_ASKED}) AS entry
LEFT JOIN (
    SELECT place.1 AS scope, place.2 AS scope_id, {sums}
    FROM {DATABASE}.flow_minutes FINAL ARRAY JOIN {spread("[platform]")} AS place
    WHERE indicator = {_ASKED} AND minute >= {start} AND minute < {end}
        AND (width = {WIDTHS["flow"]} OR minute + width <= least({end}, {as_of_of(_ASKED)}))
    GROUP BY scope, scope_id
    UNION ALL
    SELECT scope, scope_id, {unsigned}
    FROM ({stock_parts(f"span.from <= {at} AND span.until > {at}")})
    WHERE indicator = {_ASKED}
    GROUP BY scope, scope_id
) AS counted ON counted.scope = entry.place.1 AND counted.scope_id = entry.place.2"""
    return create_view(
        "rate_between",
        [*PLACE_COLUMNS[1:], *RATE_COLUMNS],
        body,
        "One indicator over [start, end), stock at end: one row a place",
    )


_WHY_COLUMNS: Final = (
    TableColumn("unit_id", "String", "The operator, order, banquet or other unit that counts"),
    TableColumn("town_code", "String", "Town in which it counts"),
    TableColumn("minute", "DateTime64(0, 'Asia/Shanghai')", "Minute by which it counts; stock: the moment asked for"),
    TableColumn("numerator", "UInt64", "1 where it is in the numerator; of a camera its healthy slots"),
    TableColumn(
        "denominator", "UInt64", "1 where it is in the denominator, 0 for a count; of a camera its expected slots"
    ),
    TableColumn("unknown", "UInt64", "1 where too little is known of it"),
    TableColumn("events", EVENTS_TYPE, "The events that decide what it is"),
)

_AT: Final = f"toDateTime(toStartOfMinute({_moment('at')}), 'UTC')"
_PLACE: Final = "({scope:String}, {scope_id:String})"


def _length() -> str:
    """Seconds of the window that is asked for; a word that is no window has none."""
    unit = "multiIf(endsWith({window:String}, 'd'), 86400, endsWith({window:String}, 'h'), 3600, 0)"
    return f"{unit} * toUInt32OrZero(substring({{window:String}}, 1, length({{window:String}}) - 1))"


def _why(catalogue: Sequence[Indicator]) -> str:
    parts = [_why_flow(relation, indicators) for relation, indicators in by_relation(catalogue, "flow").items()]
    parts += [_why_stock(relation, indicators) for relation, indicators in by_relation(catalogue, "stock").items()]
    if slots := of_kind(catalogue, "availability"):
        parts.append(_why_slots(slots))
    return create_view(
        "why",
        _WHY_COLUMNS,
        "SELECT unit_id, town_code, minute, numerator, denominator, unknown, "
        f"CAST(events, '{quoted(EVENTS_TYPE)}') AS events\nFROM (\n" + "\nUNION ALL\n".join(parts) + "\n)",
        "The units that count in a number, each with the events that decide what it is",
    )


def _selected(minute: str) -> str:
    return (
        f"SELECT unit_id, toString(town_code) AS town_code, toDateTime64({minute}, 0, 'Asia/Shanghai') AS minute,\n"
        f"    toUInt64(part.2) AS numerator, toUInt64(part.3) AS denominator, toUInt64(part.4) AS unknown, events"
    )


def _why_flow(relation: RelationName, indicators: Sequence[Indicator]) -> str:
    field = RELATIONS[relation].accounted_at
    chosen = f"{_asked(indicators)} AND {field} >= {_AT} - {_length()} AND {field} < {_AT}"
    return f"""{_selected("units.minute")}
FROM ({settled(relation, chosen, explained=True)}) AS units
ARRAY JOIN {contributions(indicators)} AS part
WHERE part.1 = {_ASKED} AND part.2 + part.3 > 0 AND has({spread("[toString(platform)]")}, {_PLACE})
    AND toUnixTimestamp(units.minute) >= part.5 AND toUnixTimestamp(units.minute) < part.6"""


_DECIDING: Final[dict[RelationName, tuple[type[EventData], ...]]] = {
    "operators": (Operator, Kitchen),
    "villages": (Village,),
    "duties": (Measure,),
}
"""Whose current records decide what a unit of a stock relation is."""


def _why_stock(relation: RelationName, indicators: Sequence[Indicator]) -> str:
    """What holds is read off the spans; the deciding events are looked up among the raw rows before the moment."""
    records = "\n    UNION ALL\n    ".join(
        f"SELECT {model.entity} AS unit_id, {event_tuple(model, 'record', 1)} AS event FROM (\n"
        f"        SELECT {model.entity}, argMax((event_time, event_id, source), {KEY}) AS record\n"
        f"        FROM {raw_table(model)}\n"
        f"        WHERE {_asked(indicators)} AND event_time < {_AT} AND {superseded_filter(model)}\n"
        f"        GROUP BY {model.entity}\n"
        f"    )"
        for model in _DECIDING[relation]
    )
    if relation == "villages":
        records += f"\n    UNION ALL\n    {_canteens(indicators)}"
    wanted = f"{_asked(indicators)} AND span.from <= {_AT} AND span.until > {_AT}"
    return f"""SELECT unit_id, town_code, toDateTime64({_AT}, 0, 'Asia/Shanghai') AS minute,
    toUInt64(numerator) AS numerator, toUInt64(denominator) AS denominator, toUInt64(unknown) AS unknown, events
FROM ({stock_parts(wanted, ", unit_id, town_code")}) AS units
INNER JOIN (
    SELECT unit_id, groupArray(event) AS events FROM (
    {records}
    ) GROUP BY unit_id
) AS deciding USING (unit_id)
WHERE indicator = {_ASKED} AND (scope, scope_id) = {_PLACE}"""


def _canteens(indicators: Sequence[Indicator]) -> str:
    """For each village the record of the operator that it names as its canteen."""
    before = f"{_asked(indicators)} AND event_time < {_AT}"
    return f"""SELECT village_id AS unit_id, {event_tuple(Operator, "record", 1)} AS event FROM (
        SELECT village_id, argMax((served_by, 0), {KEY}).1 AS canteen FROM {raw_table(Village)}
        WHERE {before} AND {superseded_filter(Village)} GROUP BY village_id
    ) AS villages
    INNER JOIN (
        SELECT operator_id, argMax((event_time, event_id, source), {KEY}) AS record FROM {raw_table(Operator)}
        WHERE {before} AND {superseded_filter(Operator)} GROUP BY operator_id
    ) AS operators ON operators.operator_id = assumeNotNull(villages.canteen)"""


def _why_slots(indicators: Sequence[Indicator]) -> str:
    """Slots of each camera that lie wholly in the window: bits of its hours, cut at both ends."""
    begin, end = f"(toUnixTimestamp({_AT}) - {_length()})", f"toUnixTimestamp({_AT})"
    since = "intDiv(toUnixTimestamp(first_time), 300) * 300"
    hour = "toUnixTimestamp(hour)"
    wanted = (
        f"arraySum(arrayMap(bit -> if({hour} + 300 * bit >= {begin} AND {hour} + 300 * bit + 300 <= {end} "
        f"AND {hour} + 300 * bit > {since}, bitShiftLeft(toUInt32(1), bit), 0), range(12)))"
    )
    hours = f"range(toUInt32(intDiv({begin}, 3600) * 3600), toUInt32({end}), 3600)"
    camera = raw_table(Heartbeat)
    event = "(event_time, event_id, toString(source))"
    return f"""SELECT unit_id, town_code, toDateTime64({_AT}, 0, 'Asia/Shanghai') AS minute,
    sum(bitCount(bitAnd(expected, healthy))) AS numerator, sum(bitCount(expected)) AS denominator,
    toUInt64(0) AS unknown,
    [{event_tuple(Heartbeat, "any(current)", 1)}] AS events
FROM (
    SELECT camera_id AS unit_id, toString(town_code) AS town_code, toDateTime(second) AS hour,
        toUInt16(bitAnd(open[toHour(hour, 'Asia/Shanghai') + 1], {wanted})) AS expected
    FROM (SELECT * FROM {DATABASE}.camera_bindings FINAL WHERE {_asked(indicators)} AND indicator = {_ASKED})
    ARRAY JOIN {hours} AS second
    WHERE expected != 0 AND has({spread("['']")}, {_PLACE})
) AS slots
LEFT JOIN (
    SELECT camera_id AS unit_id, hour, healthy FROM {DATABASE}.camera_hours FINAL
    WHERE indicator = {_ASKED} AND hour >= toDateTime({begin} - 3600) AND hour < {_AT}
) AS hours USING (unit_id, hour)
LEFT JOIN (
    SELECT camera_id AS unit_id, argMax(latest, latest) AS current FROM (
        SELECT camera_id, (last.event_time, last.event_id, last.source) AS latest FROM {DATABASE}.camera_hours FINAL
        WHERE indicator = {_ASKED} AND {_asked(indicators)}
        UNION ALL
        SELECT camera_id, argMax({event}, {KEY}) FROM {camera}
        WHERE {_asked(indicators)} AND {superseded_filter(Heartbeat)}
            AND event_time >= (SELECT toStartOfHour(max(watermark) - 3600) FROM {DATABASE}.watermarks FINAL
                WHERE stream = '{Heartbeat.stream}')
        GROUP BY camera_id
    )
    GROUP BY unit_id
) AS heads USING (unit_id)
GROUP BY unit_id, town_code"""


def views(catalogue: Sequence[Indicator]) -> dict[str, str]:
    """Name and CREATE statement of the views of this module."""
    return {"rate_between": _rate_between(), "why": _why(catalogue)}
