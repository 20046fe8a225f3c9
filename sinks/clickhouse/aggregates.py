"""What the aggregate stage asks of ClickHouse: settle identities, recompute buckets and spans, remember progress.

Everything that is recomputed is a pure function of the raw rows of its minute or entity, written as a newer version of
the same key; keys that have nothing any more are written as empty. So a repeat, a crash or a duplicate cannot spoil it.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.camera import Kitchen
from schemas.event import EventData
from schemas.fields import microseconds
from schemas.registry import Operator
from schemas.seal import Order
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.rates import SPAN_FIELDS, contributions, flow_indicators
from sinks.clickhouse.raw import DATABASE, canonical, place, quoted, raw_table, superseded_filter
from sinks.clickhouse.sql import first_minute, in_list

_SETTLED_ORDER_FIELDS: Final = ("operator_id", "platform", "town_code", "fulfilment")
_SETTLED_SEAL_FIELDS: Final = ("packages", "sealed_packages", "seal_state", "evidence_level")
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


_RIVALS_AT_ONCE: Final = 200
"""Identities in one statement: a source and an id have up to 384 characters."""


class Touched(NamedTuple):
    """What one block of one event type changed: `places` are minutes (Unix seconds) or entities."""

    places: frozenset[Any]
    since: datetime
    """Least `landed_at` of the rows that are new."""


class OperatorInputs(NamedTuple):
    """All that a timeline is made of, by operator: registry records and kitchen states in the order in which they
    follow each other, each with its event time, and minutes [from, until) with a recent order."""

    registry: dict[str, list[tuple[datetime, dict[str, Any]]]]
    kitchens: dict[str, list[tuple[datetime, str]]]
    ordered: dict[str, list[tuple[datetime, datetime]]]


def _minutes(model: type[EventData], places: Iterable[int]) -> str:
    """SQL condition for rows of these minutes; the bounds let ClickHouse pass over whole partitions."""
    listed = sorted(places)
    return (
        f"{place(model)} IN ({', '.join(f'toDateTime({one})' for one in listed)})\n"
        f"    AND {model.minute} >= toDateTime64({listed[0]}, 6, 'UTC')"
        + (f" AND {model.minute} < toDateTime64({listed[-1] + 60}, 6, 'UTC')" if listed[-1] < _LAST_MINUTE else "")
    )


_LAST_MINUTE: Final = 2**32 - 60
"""toStartOfMinute ends with 2106: whatever is later stands in the last minute."""


def _places(model: type[EventData], touched: Touched) -> str:
    """SQL condition for the raw rows of the touched places."""
    if not model.minute:
        return f"{model.entity} IN {in_list(touched.places)}"
    return _minutes(model, touched.places)


async def settle_identities(store: Store, model: type[EventData], touched: Touched) -> frozenset[Any]:
    """Finds the identities that the new rows claim with other contents, lists the losers in `superseded`, and returns
    the places that are to be recomputed besides the touched ones."""
    claimed = await store.rows(
        f"SELECT source, id, groupUniqArray(place) FROM {DATABASE}.raw_events\n"
        f"WHERE type = '{model.type}' AND (source, id) IN (\n    SELECT source, event_id FROM {raw_table(model)}\n"
        f"    WHERE {_places(model, touched)} AND {_landed_since(touched)}\n)\n"
        f"GROUP BY source, id HAVING uniqExact(time, digest) > 1"
    )
    everywhere: set[Any] = set()
    for first in range(0, len(claimed), _RIVALS_AT_ONCE):
        portion = claimed[first : first + _RIVALS_AT_ONCE]
        places = {int(one) if model.minute else str(one) for _, _, found in portion for one in found}
        everywhere |= places
        identities = ", ".join(f"('{quoted(source)}', '{quoted(identity)}')" for source, identity, _ in portion)
        await store.execute(
            f"INSERT INTO {DATABASE}.superseded (type, source, id, time, digest)\n"
            f"SELECT '{model.type}', source, event_id, rivals.1, rivals.2 FROM (\n"
            f"    SELECT source, event_id, groupUniqArray((event_time, digest)) AS all,\n"
            f"        argMax((event_time, digest), (event_time, {canonical(model)})) AS winner\n"
            f"    FROM {raw_table(model)}\n"
            f"    WHERE {_places(model, touched._replace(places=frozenset(places)))}\n"
            f"        AND (source, event_id) IN ({identities})\n"
            f"    GROUP BY source, event_id\n) ARRAY JOIN all AS rivals WHERE rivals != winner"
        )
    return frozenset(everywhere)


def _landed_since(touched: Touched) -> str:
    return f"landed_at >= fromUnixTimestamp64Micro({microseconds(touched.since)}, 'UTC')"


async def recompute_flow(store: Store, minutes: Collection[int]) -> None:
    """Writes the buckets of these minutes for every flow indicator."""
    listed = sorted(minutes)
    await store.execute(
        f"""INSERT INTO {DATABASE}.flow_minutes
SELECT indicator, minute, town_code, platform, sum(n), sum(d), sum(u), {_version()} FROM (
    SELECT part.1 AS indicator, minute, town_code, platform, part.2 AS n, part.3 AS d, part.4 AS u, 0 AS known
    FROM ({_settled(minutes)})
    ARRAY JOIN {contributions(flow_indicators())} AS part
    UNION ALL
    SELECT indicator, minute, town_code, platform, 0, 0, 0, 1 FROM {DATABASE}.flow_minutes
    WHERE minute IN ({", ".join(f"toDateTime({one})" for one in listed)})
)
GROUP BY indicator, minute, town_code, platform HAVING sum(n) + sum(d) + max(known) > 0"""
    )


def _settled(minutes: Collection[int]) -> str:
    latest = ", ".join(f"latest.{position} AS {one}" for position, one in enumerate(_SETTLED_ORDER_FIELDS, 1))
    best = ", ".join(f"best.{position} AS {one}" for position, one in enumerate(_SETTLED_SEAL_FIELDS, 1))
    return f"""
        SELECT minute, {latest}, {best} FROM (
            SELECT toStartOfMinute(delivered_at) AS minute, order_id,
                argMax(({", ".join(_SETTLED_ORDER_FIELDS)}), (event_time, event_id, source)) AS latest,
                argMax(({", ".join(_SETTLED_SEAL_FIELDS)}), (evidence_level, event_time, event_id, source)) AS best
            FROM {raw_table(Order)}
            WHERE {_minutes(Order, minutes)}
                AND {superseded_filter(Order)}
            GROUP BY minute, order_id
        )
    """


def _version() -> str:
    """The version of what is computed now. Taken before the raw rows are read: of two computations the one that
    started later has seen at least as much."""
    return f"fromUnixTimestamp64Micro({microseconds(now())}, 'UTC')"


async def touched_operators(store: Store, touched: Touched) -> frozenset[str]:
    """Operators of the orders that have new rows, those that an order was moved away from included."""
    where = _minutes(Order, touched.places)
    rows = await store.rows(
        f"SELECT DISTINCT operator_id FROM {raw_table(Order)} WHERE {where} AND order_id IN (\n"
        f"    SELECT order_id FROM {raw_table(Order)} WHERE {where}\n"
        f"        AND {_landed_since(touched)}\n)"
    )
    return frozenset(str(row[0]) for row in rows)


async def recompute_activity(
    store: Store, minutes: Collection[int], operators: Collection[str] | None, active_days: int
) -> None:
    """Writes, for these operators (None: all) and minutes of delivery, the minutes at which an order counts as recent.

    An order's event counts from the first minute after both the event and the delivery until the next event of the
    order is known or `active_days` times 24 h after the delivery have passed."""
    if operators is not None and not operators:
        return
    listed = sorted(minutes)
    chosen = "" if operators is None else f" AND operator_id IN {in_list(operators)}"
    lapse = first_minute(f"delivered_at + toIntervalDay({active_days})")
    await store.execute(
        f"""INSERT INTO {DATABASE}.order_activity
SELECT operator_id, minute, arrayDistinct(arrayFlatten(groupArray(spans))), {_version()} FROM (
    SELECT operator_id, minute, groupUniqArray((from, until)) AS spans FROM (
        SELECT operator_id, toStartOfMinute(delivered_at) AS minute, fulfilment,
            {first_minute("greatest(event_time, delivered_at)")} AS from,
            least({lapse}, if(next = 0, {lapse}, toDateTime(intDiv(next, 60000000) * 60 + 60))) AS until
        FROM (
            SELECT order_id, operator_id, delivered_at, fulfilment, event_time,
                leadInFrame(toUnixTimestamp64Micro(event_time), 1, 0) OVER (
                    PARTITION BY order_id, delivered_at ORDER BY event_time, event_id, source
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                ) AS next
            FROM {raw_table(Order)}
            WHERE {_minutes(Order, minutes)}
                AND {superseded_filter(Order)}
        )
        WHERE fulfilment IN ('delivered', 'pickup')
    )
    WHERE from < until{chosen}
    GROUP BY operator_id, minute
    UNION ALL
    SELECT operator_id, minute, [] FROM {DATABASE}.order_activity
    WHERE minute IN ({", ".join(f"toDateTime({one})" for one in listed)}){chosen}
)
GROUP BY operator_id, minute"""
    )


async def order_minutes(store: Store) -> list[int]:
    """All minutes in which an order was delivered, Unix seconds, ascending."""
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(toStartOfMinute(delivered_at)) AS minute\n"
        f"FROM {raw_table(Order)} ORDER BY minute"
    )
    return [int(row[0]) for row in rows]


async def all_operators(store: Store) -> list[str]:
    """All operators that the registry has ever named."""
    rows = await store.rows(f"SELECT DISTINCT operator_id FROM {raw_table(Operator)} ORDER BY operator_id")
    return [str(row[0]) for row in rows]


async def read_setting(store: Store, name: str) -> str | None:
    """The value with which the stored aggregates were computed; None before any was."""
    rows = await store.rows(f"SELECT value FROM {DATABASE}.settings FINAL WHERE name = {{name:String}}", {"name": name})
    return str(rows[0][0]) if rows else None


async def write_setting(store: Store, name: str, value: str) -> None:
    """Remembers with which value the stored aggregates are computed."""
    await store.insert_rows(f"{DATABASE}.settings", ["name", "value", "set_at"], [[name, value, now()]])


async def operator_inputs(store: Store, operators: Collection[str]) -> OperatorInputs:
    """Reads all that the timelines of these operators are made of."""
    chosen = f"operator_id IN {in_list(operators)}"
    fields = ", ".join(_REGISTRY_FIELDS.values())
    order = "ORDER BY operator_id, event_time, event_id, source"
    inputs = OperatorInputs({}, {}, {})
    for operator, time, *values in await store.rows(
        f"SELECT operator_id, event_time, {fields} FROM {raw_table(Operator)}\n"
        f"WHERE {chosen} AND {superseded_filter(Operator)} {order}"
    ):
        inputs.registry.setdefault(operator, []).append((time, dict(zip(_REGISTRY_FIELDS, values, strict=True))))
    for operator, time, state in await store.rows(
        f"SELECT operator_id, event_time, state FROM {raw_table(Kitchen)}\n"
        f"WHERE {chosen} AND {superseded_filter(Kitchen)} {order}"
    ):
        inputs.kitchens.setdefault(operator, []).append((time, state))
    for operator, start, end in await store.rows(_islands(chosen)):
        inputs.ordered.setdefault(operator, []).append((start, end))
    return inputs


def _islands(chosen: str) -> str:
    """The chosen operators' recent orders, with spans that touch or overlap joined."""
    return f"""SELECT operator_id, toDateTime64(min(from), 0, 'UTC') AS start, toDateTime64(max(until), 0, 'UTC')
FROM (
    SELECT operator_id, from, until, sum(opens) OVER (PARTITION BY operator_id ORDER BY from, until) AS island FROM (
        SELECT operator_id, from, until, from > max(until) OVER (
            PARTITION BY operator_id ORDER BY from, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS opens
        FROM (
            SELECT operator_id, span.from AS from, span.until AS until
            FROM {DATABASE}.order_activity FINAL ARRAY JOIN spans AS span
            WHERE {chosen}
        )
    )
)
GROUP BY operator_id, island ORDER BY operator_id, start"""


async def write_timelines(
    store: Store, timelines: Sequence[tuple[str, Sequence[tuple[Any, ...]]]], version: datetime
) -> None:
    """Writes (operator, spans) rows; a span is (from, until) in Unix seconds and then `SPAN_FIELDS`.

    :param version: taken before the inputs were read."""
    if not timelines:
        return
    await store.insert(
        f"{DATABASE}.operator_timelines",
        ["operator_id", "spans", "version"],
        ["String", _SPANS_TYPE, "DateTime64(6, 'UTC')"],
        [[row[0] for row in timelines], [list(row[1]) for row in timelines], [microseconds(version)] * len(timelines)],
    )


_SPAN_TYPES: Final = {
    "platforms": "Array(String)", "accepted": "Array(String)", "certified": "Bool", "director": "Bool",
    "officers": "Int32", "trained": "Bool", "healthy": "Bool", "ordered": "Bool",
}  # fmt: skip
_SPANS_TYPE: Final = (
    "Array(Tuple(from DateTime('UTC'), until DateTime('UTC'), "
    + ", ".join(f"{name} {_SPAN_TYPES.get(name, 'String')}" for name in SPAN_FIELDS)
    + "))"
)


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
