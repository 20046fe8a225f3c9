"""When a takeaway operator had a recent order: spans by hour of delivery, from which its timeline takes `ordered`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from schemas.seal import Order
from sinks.clickhouse.buckets import datetimes, version
from sinks.clickhouse.client import Store
from sinks.clickhouse.identity import Touched, in_minutes, landed_since
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.sql import first_minute, in_list

_LAST_HOUR: Final = 2**32 - 2 * 3600
"""toStartOfHour ends with 2106: whatever is later stands in the last hour."""


class Ordered(NamedTuple):
    """New orders of one operator: the first and the last minute (Unix seconds) from which one counts, and whether any
    is a correction, which may take activity away."""

    first: int
    last: int
    corrected: bool


async def ordered_operators(store: Store, touched: Touched, *, rivals: bool) -> dict[str, Ordered]:
    """The operators of orders with new rows, those that an order was moved away from included.

    :param rivals: whether an order has lost its identity, which may take activity away."""
    lost = f"NOT ({superseded_filter(Order)})" if rivals else "false"
    where = in_minutes("delivered_at", touched.places)
    counts = f"toUnixTimestamp({first_minute('greatest(event_time, delivered_at)')})"
    rows = await store.rows(
        f"""SELECT groupUniqArray(operator_id), min({counts}), max({counts}),
    uniqExact(source, event_id, event_time, digest) > 1 OR max({lost})
FROM {raw_table(Order)}
WHERE {where} AND order_id IN (
    SELECT order_id FROM {raw_table(Order)} WHERE {where} AND ({landed_since(touched)} OR {lost})
)
GROUP BY order_id"""
    )
    found: dict[str, Ordered] = {}
    for operators, first, last, corrected in rows:
        for operator in operators:
            known = found.get(operator, Ordered(first, last, False))
            found[operator] = Ordered(
                min(first, known.first), max(last, known.last), bool(corrected) or known.corrected
            )
    return found


async def lapsing_operators(store: Store, begin: int, end: int) -> frozenset[str]:
    """Operators whose timelines say that recent orders end between these moments (Unix seconds): there may be later
    orders that the timelines did not have to know of yet."""
    rows = await store.rows(
        f"SELECT operator_id FROM {DATABASE}.operator_timelines FINAL\n"
        f"WHERE arrayExists(span -> span.ordered AND span.until > toDateTime({begin}) "
        f"AND span.until <= toDateTime({end}), spans)"
    )
    return frozenset(str(row[0]) for row in rows)


async def recompute_activity(
    store: Store, hours: Collection[int], operators: Collection[str] | None, active_days: int
) -> None:
    """Writes, for these operators (None: all) and hours of delivery (Unix seconds), when an order counts as recent.

    An order's event counts from the first minute after both the event and the delivery until the next event of the
    order is known or `active_days` times 24 h after the delivery have passed."""
    if not hours or (operators is not None and not operators):
        return
    listed = sorted(hours)
    chosen = "" if operators is None else f" AND operator_id IN {in_list(operators)}"
    lapse = first_minute(f"delivered_at + toIntervalDay({active_days})")
    orders = (
        f"toStartOfHour(delivered_at) IN {datetimes(listed)}\n"
        f"                    AND delivered_at >= toDateTime64({listed[0]}, 6, 'UTC')"
        + ("" if listed[-1] >= _LAST_HOUR else f" AND delivered_at < toDateTime64({listed[-1] + 3600}, 6, 'UTC')")
    )
    await store.execute(
        f"""INSERT INTO {DATABASE}.order_hours
SELECT operator_id, hour, groupUniqArrayIf((from, until), known = 0), {version()} FROM (
    SELECT operator_id, toStartOfHour(delivered_at) AS hour,
        {first_minute("greatest(event_time, delivered_at)")} AS from,
        least({lapse}, if(next = 0, {lapse}, toDateTime(intDiv(next, 60000000) * 60 + 60))) AS until, 0 AS known
    FROM (
        SELECT order_id, operator_id, delivered_at, fulfilment, event_time,
            leadInFrame(toUnixTimestamp64Micro(event_time), 1, 0) OVER (
                PARTITION BY order_id, delivered_at ORDER BY event_time, event_id, source
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS next
        FROM {raw_table(Order)}
        WHERE {orders}
            AND {superseded_filter(Order)}
    )
    WHERE fulfilment IN ('delivered', 'pickup') AND from < until{chosen}
    UNION ALL
    SELECT operator_id, hour, toDateTime(0), toDateTime(0), 1 FROM {DATABASE}.order_hours
    WHERE hour IN {datetimes(listed)}{chosen}
)
GROUP BY operator_id, hour"""
    )


async def recent_orders(store: Store, operators: Collection[str]) -> dict[str, list[tuple[datetime, datetime]]]:
    """Minutes [from, until) at which these operators had a recent order, joined where they touch, in order."""
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    rows = await store.rows(
        f"""SELECT operator_id, toDateTime64(min(from), 0, 'UTC') AS start, toDateTime64(max(until), 0, 'UTC') FROM (
    SELECT operator_id, from, until, sum(opens) OVER (PARTITION BY operator_id ORDER BY from, until) AS island FROM (
        SELECT operator_id, from, until, from > max(until) OVER (
            PARTITION BY operator_id ORDER BY from, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS opens
        FROM (
            SELECT operator_id, span.from AS from, span.until AS until
            FROM {DATABASE}.order_hours FINAL ARRAY JOIN spans AS span
            WHERE operator_id IN {in_list(operators)}
        )
    )
)
GROUP BY operator_id, island ORDER BY operator_id, start"""
    )
    for operator, start, end in rows:
        sequence: list[tuple[datetime, datetime]] = found.setdefault(str(operator), [])
        sequence.append((start, end))
    return found


async def order_hours(store: Store, begin: int = 0) -> Sequence[int]:
    """All hours from a moment on in which an order was delivered, Unix seconds, ascending."""
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(toStartOfHour(delivered_at)) AS hour FROM {raw_table(Order)}\n"
        f"WHERE delivered_at >= toDateTime64({begin}, 6, 'UTC') ORDER BY hour"
    )
    return [int(row[0]) for row in rows]
