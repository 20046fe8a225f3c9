"""Timelines: what the lives of operators, villages and duties are made of, where they are written, what they count."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.camera import Kitchen
from schemas.event import EventData
from schemas.fields import microseconds
from schemas.indicator import Indicator
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.relations import RelationName
from sinks.clickhouse.activity import recent_orders
from sinks.clickhouse.client import Store
from sinks.clickhouse.rates import contributions
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.sql import in_list

Dated = tuple[datetime, Any]
"""What an event says, with its time."""
History = dict[str, list[Dated]]
"""By entity, in the order in which the events follow each other: (time, id, source)."""
Span = tuple[Any, ...]
"""(from, until) in Unix seconds, then the fields of the relation."""


class _Table(NamedTuple):
    """Where the timelines of a stock relation are kept: table, column of the entity, and the fields of a span."""

    name: str
    entity: str
    fields: Mapping[str, str]


_TEXT: Final = "String"
TIMELINES: Final[Mapping[RelationName, _Table]] = {
    "operators": _Table(
        "operator_timelines",
        "operator_id",
        {
            "kind": _TEXT, "town_code": _TEXT, "status": _TEXT, "platforms": "Array(String)", "grade": _TEXT,
            "certified": "Bool", "director": "Bool", "officers": "Int32", "accepted": "Array(String)",
            "trained": "Bool", "healthy": "Bool", "kitchen": _TEXT, "ordered": "Bool",
        },
    ),
    "villages": _Table("village_timelines", "village_id", {"town_code": _TEXT, "served": "Bool"}),
    "duties": _Table("duty_timelines", "measure_id", {"measure": _TEXT, "town_code": _TEXT, "status": _TEXT}),
}  # fmt: skip

_REGISTRY_FIELDS: Final = {
    **{
        name: name
        for name in (
            "kind", "town_code", "status", "platforms", "grade", "director", "officers", "accepted",
            "training_valid_until", "health_valid_until",
        )
    },
    "certified_until": "if(empty(certificates), NULL, arrayMax(certificates.valid_until))",
}  # fmt: skip


class OperatorInputs(NamedTuple):
    """All that operators' timelines are made of: registry records, kitchen states, and minutes [from, until) with a
    recent order."""

    registry: History
    kitchens: History
    ordered: Mapping[str, Sequence[tuple[datetime, datetime]]]


async def _history(store: Store, model: type[EventData], fields: Mapping[str, str], chosen: str) -> History:
    """What the events of a model say, by entity; a single field as its value, several by name."""
    found: History = {}
    for entity, time, *values in await store.rows(
        f"SELECT {model.entity}, event_time, {', '.join(fields.values())} FROM {raw_table(model)}\n"
        f"WHERE {chosen} AND {superseded_filter(model)} ORDER BY {model.entity}, event_time, event_id, source"
    ):
        said = values[0] if len(fields) == 1 else dict(zip(fields, values, strict=True))
        found.setdefault(str(entity), []).append((time, said))
    return found


async def operator_inputs(store: Store, operators: Collection[str]) -> OperatorInputs:
    """Reads all that the timelines of these operators are made of."""
    chosen = f"operator_id IN {in_list(operators)}"
    return OperatorInputs(
        await _history(store, Operator, _REGISTRY_FIELDS, chosen),
        await _history(store, Kitchen, {"state": "state"}, chosen),
        await recent_orders(store, operators),
    )


async def village_inputs(store: Store, villages: Collection[str]) -> tuple[History, History]:
    """The records of these villages, and those of all operators that they name as the canteen that serves them."""
    chosen = f"village_id IN {in_list(villages)}"
    served = f"SELECT assumeNotNull(served_by) FROM {raw_table(Village)} WHERE {chosen} AND isNotNull(served_by)"
    return (
        await _history(store, Village, {"town_code": "town_code", "served_by": "served_by"}, chosen),
        await _history(store, Operator, {"kind": "kind", "status": "status"}, f"operator_id IN ({served})"),
    )


async def villages_served_by(store: Store, operators: Collection[str]) -> frozenset[str]:
    """Villages of which any event names one of these operators."""
    rows = await store.rows(
        f"SELECT DISTINCT village_id FROM {raw_table(Village)} WHERE served_by IN {in_list(operators)}"
    )
    return frozenset(str(row[0]) for row in rows)


async def duty_inputs(store: Store, duties: Collection[str]) -> History:
    """The records of these duties."""
    fields = {name: name for name in ("measure", "town_code", "status")}
    return await _history(store, Measure, fields, f"measure_id IN {in_list(duties)}")


async def all_entities(store: Store, model: type[EventData]) -> list[str]:
    """All entities of which there ever was an event."""
    rows = await store.rows(f"SELECT DISTINCT {model.entity} AS entity FROM {raw_table(model)} ORDER BY entity")
    return [str(row[0]) for row in rows]


async def write_timelines(
    store: Store,
    relation: RelationName,
    indicators: Collection[Indicator],
    timelines: Mapping[str, Sequence[Span]],
    version: datetime,
) -> None:
    """Writes the timelines of entities of a stock relation, and in what they count; one without spans is written too,
    to end an older one.

    :param indicators: all stock indicators of the relation.
    :param version: taken before the inputs were read."""
    if not timelines:
        return
    table = TIMELINES[relation]
    fields = "".join(f", {name} {kind}" for name, kind in table.fields.items())
    entities = sorted(timelines)
    await store.insert(
        f"{DATABASE}.{table.name}",
        [table.entity, "spans", "version"],
        [_TEXT, f"Array(Tuple(from DateTime('UTC'), until DateTime('UTC'){fields}))", "DateTime64(6, 'UTC')"],
        [entities, [list(timelines[one]) for one in entities], [microseconds(version)] * len(entities)],
    )
    if indicators:
        await store.execute(_counted(relation, indicators, entities))


def spans_of(relation: RelationName, chosen: str) -> str:
    """Subquery: one row a span of every entity, with the fields that conditions speak of."""
    table = TIMELINES[relation]
    fields = ", ".join(f"span.{name} AS {name}" for name in table.fields)
    return (
        f"SELECT {table.entity} AS unit_id, span.from AS from, span.until AS until, {fields}\n"
        f"        FROM {DATABASE}.{table.name} FINAL ARRAY JOIN spans AS span WHERE {chosen}"
    )


def _counted(relation: RelationName, indicators: Collection[Indicator], entities: Collection[str]) -> str:
    """Applies the conditions to every span, cut where a definition changes, with the version of the timeline."""
    table = TIMELINES[relation]
    chosen = f"{table.entity} IN {in_list(entities)}"
    on_platforms = [one.code for one in indicators if "platform" in one.scopes]
    none = "CAST([], 'Array(String)')"
    platforms = f"if(part.1 IN {in_list(on_platforms)}, platforms, {none})" if on_platforms else none
    counted = f"""SELECT unit_id, arraySort(groupArray((begin, end, town_code, listed, counts))) AS spans FROM (
        SELECT unit_id, begin, end, town_code, listed, groupArray(count) AS counts FROM (
            SELECT unit_id, greatest(from, toDateTime(part.5)) AS begin, least(until, toDateTime(part.6)) AS end,
                town_code, {platforms} AS listed, (part.1, part.2, part.3, part.4) AS count
            FROM ({spans_of(relation, chosen)})
            ARRAY JOIN {contributions(indicators)} AS part
            WHERE begin < end AND part.2 + part.3 > 0
        )
        GROUP BY unit_id, begin, end, town_code, listed
    )
    GROUP BY unit_id"""
    return f"""INSERT INTO {DATABASE}.stock_spans (relation, unit_id, spans, version)
SELECT '{relation}', units.unit_id, counted.spans, units.version
FROM (SELECT {table.entity} AS unit_id, version FROM {DATABASE}.{table.name} FINAL WHERE {chosen}) AS units
LEFT JOIN (
    {counted}
) AS counted USING (unit_id)"""
