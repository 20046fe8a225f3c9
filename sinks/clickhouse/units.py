"""The units of flow relations as they stand now, settled: SQL that buckets are counted and numbers explained from.

A unit's row has `unit_id`, `minute` (by which it counts, UTC), `town_code`, `platform` (empty where it has none), the
fields of its relation, and `events`: the events that decide what it is.
"""

from typing import Final

from schemas.event import EventData
from schemas.registry import Operator
from schemas.relations import RELATIONS, RelationName
from schemas.seal import Order
from sinks.clickhouse.raw import raw_table, superseded_filter

KEY: Final = "(event_time, event_id, source)"
"""By which the current one of an entity's events is told: the greatest."""
EVIDENCE_KEY: Final = "(evidence_level, event_time, event_id, source)"
EVIDENCE_FIELDS: Final = ("packages", "sealed_packages", "seal_state", "evidence_level")
EVENTS_TYPE: Final = "Array(Tuple(type String, source String, id String, time DateTime64(6, 'Asia/Shanghai')))"

_EVENT: Final = ("event_time", "event_id", "source")


def event_tuple(model: type[EventData], record: str, first: int) -> str:
    """The event that stands in a tuple from position `first` on as (event_time, event_id, source)."""
    return (
        f"('{model.type}', toString({record}.{first + 2}), {record}.{first + 1}, "
        f"toTimeZone({record}.{first}, 'Asia/Shanghai'))"
    )


def settled(relation: RelationName, chosen: str, *, explained: bool = False) -> str:
    """Subquery: the current units of a flow relation.

    :param chosen: SQL condition on the field by which units count, which every row that is wanted meets.
    :param explained: with `events`."""
    return _orders(chosen, explained) if relation == "orders" else _records(relation, chosen, explained)


def _orders(chosen: str, explained: bool) -> str:
    fields = [one for one in RELATIONS["orders"].fields if one not in EVIDENCE_FIELDS and one != "delivered_at"]
    latest = ", ".join(f"latest.{position} AS {one}" for position, one in enumerate(fields, 1))
    best = ", ".join(f"best.{position} AS {one}" for position, one in enumerate(EVIDENCE_FIELDS, 1))
    deciding = f"[{event_tuple(Order, 'latest', len(fields) + 1)}, {event_tuple(Order, 'best', 5)}]"
    events = f", arrayDistinct({deciding}) AS events" if explained else ""
    return f"""SELECT order_id AS unit_id, toStartOfMinute(delivered_at) AS minute, delivered_at, {latest},
            {best}{events}
        FROM (
            SELECT order_id, delivered_at,
                argMax(({", ".join((*fields, *_EVENT))}), {KEY}) AS latest,
                argMax(({", ".join((*EVIDENCE_FIELDS, *_EVENT))}), {EVIDENCE_KEY}) AS best
            FROM {raw_table(Order)}
            WHERE {chosen}
                AND {superseded_filter(Order)}
            GROUP BY order_id, delivered_at
        )"""


def _records(relation: RelationName, chosen: str, explained: bool) -> str:
    """Whole current records: of every entity of which any event, also one that was corrected, meets the condition."""
    units = RELATIONS[relation]
    model, accounted = units.model, units.accounted_at
    fields = [name for name, owner in units.fields.items() if owner is model]
    values = ", ".join(f"record.{position} AS {one}" for position, one in enumerate(fields, 1))
    events = f", [{event_tuple(model, 'record', len(fields) + 1)}] AS events" if explained else ""
    current = f"""SELECT {model.entity} AS unit_id, {values}{events}
            FROM (
                SELECT {model.entity}, argMax(({", ".join((*fields, *_EVENT))}), {KEY}) AS record
                FROM {raw_table(model)}
                WHERE {model.entity} IN (SELECT {model.entity} FROM {raw_table(model)} WHERE {chosen})
                    AND {superseded_filter(model)}
                GROUP BY {model.entity}
            )"""
    minute = f"assumeNotNull(toStartOfMinute({accounted})) AS minute, '' AS platform"
    if relation == "banquets":
        both = "if(cooks.operator_id = '', records.events, arrayPushBack(records.events, cooks.event)) AS events"
        with_cook = f",\n                {both}" if explained else ""
        return f"""SELECT banquets.*, {minute},
            ifNull(cook.2 >= toDate32(held_at, 'Asia/Shanghai'), false) AS cook_trained,
            ifNull(cook.3 >= toDate32(held_at, 'Asia/Shanghai'), false) AS cook_healthy
        FROM (
            SELECT {"records.* EXCEPT events" if explained else "records.*"}, cooks.record AS cook{with_cook}
            FROM (
            {current}
            ) AS records
            LEFT JOIN ({current_cooks()}) AS cooks ON cooks.operator_id = assumeNotNull(records.cook_id)
        ) AS banquets
        WHERE {chosen}"""
    return f"""SELECT *, {minute}
        FROM (
            {current}
        )
        WHERE {chosen}"""


def current_cooks() -> str:
    """Subquery: the current record of every operator that a banquet names as its cook: certificates and event."""
    banquets = raw_table(RELATIONS["banquets"].model)
    return f"""SELECT operator_id, record, {event_tuple(Operator, "record", 4)} AS event
            FROM (
                SELECT operator_id,
                    argMax((status, training_valid_until, health_valid_until, {", ".join(_EVENT)}), {KEY}) AS record
                FROM {raw_table(Operator)}
                WHERE operator_id IN (SELECT cook_id FROM {banquets} WHERE isNotNull(cook_id))
                    AND {superseded_filter(Operator)}
                GROUP BY operator_id
            )"""
