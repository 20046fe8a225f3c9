"""Buckets of flow indicators: minutes counted from the raw rows, hours summed from the minutes.

A bucket is a pure function of the raw rows of its minute, written as a newer version of the same key; keys that have
nothing any more are written as empty. So a repeat, a crash or a duplicate cannot spoil it.
"""

from collections.abc import Collection, Iterable

from schemas.event import EventData
from schemas.fields import microseconds
from schemas.indicator import Indicator
from schemas.relations import RELATIONS, RelationName
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.identity import in_minutes
from sinks.clickhouse.rates import counted
from sinks.clickhouse.raw import DATABASE, raw_table
from sinks.clickhouse.sql import in_list
from sinks.clickhouse.units import settled


def version() -> str:
    """The version of what is computed now. Taken before the raw rows are read: of two computations the one that
    started later has seen at least as much."""
    return f"fromUnixTimestamp64Micro({microseconds(now())}, 'UTC')"


def datetimes(moments: Iterable[int]) -> str:
    """Unix seconds as they stand behind IN."""
    return "(" + ", ".join(f"toDateTime({one})" for one in sorted(moments)) + ")"


def codes_of(indicators: Iterable[Indicator]) -> str:
    """Codes as they stand behind IN."""
    return in_list(one.code for one in indicators)


async def recompute_minutes(
    store: Store, relation: RelationName, indicators: Collection[Indicator], minutes: Collection[int]
) -> None:
    """Writes the buckets of these minutes (Unix seconds) for indicators of one flow relation."""
    if not indicators or not minutes:
        return
    accounted = RELATIONS[relation].accounted_at
    assert accounted is not None
    await store.execute(
        f"""INSERT INTO {DATABASE}.flow_minutes
SELECT indicator, minute, town_code, platform, sum(n), sum(d), sum(u), {version()} FROM (
    SELECT indicator, minute, town_code, platform, n, d, u, 0 AS known
    FROM (
        SELECT minute, town_code, platform, {counted(indicators, "toUnixTimestamp(minute)")}
        FROM ({settled(relation, in_minutes(accounted, minutes))})
        GROUP BY minute, town_code, platform
    )
    ARRAY JOIN [{", ".join(f"'{one.code}'" for one in indicators)}] AS indicator,
        numerators AS n, denominators AS d, unknowns AS u
    UNION ALL
    SELECT indicator, minute, town_code, platform, 0, 0, 0, 1 FROM {DATABASE}.flow_minutes
    WHERE indicator IN {codes_of(indicators)} AND minute IN {datetimes(minutes)}
)
GROUP BY indicator, minute, town_code, platform HAVING sum(n) + sum(d) + max(known) > 0"""
    )


async def sum_hours(store: Store, indicators: Collection[Indicator], hours: Collection[int]) -> None:
    """Writes the buckets of these hours (Unix seconds) from those of their minutes."""
    if not indicators or not hours:
        return
    listed = sorted(hours)
    await store.execute(
        f"""INSERT INTO {DATABASE}.flow_hours
SELECT indicator, toStartOfHour(minute) AS hour, town_code, platform,
    sum(numerator), sum(denominator), sum(unknown), {version()}
FROM {DATABASE}.flow_minutes FINAL
WHERE indicator IN {codes_of(indicators)} AND minute >= toDateTime({listed[0]})
    AND minute < toDateTime({listed[-1] + 3600}) AND hour IN {datetimes(listed)}
GROUP BY indicator, hour, town_code, platform"""
    )


async def hours_with_minutes(store: Store, indicators: Collection[Indicator], begin: int, end: int) -> list[int]:
    """The hours in [begin, end), Unix seconds, that have a bucket of a minute of any of these indicators."""
    if not indicators:
        return []
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(toStartOfHour(minute)) AS hour FROM {DATABASE}.flow_minutes\n"
        f"WHERE indicator IN {codes_of(indicators)} AND minute >= toDateTime({begin}) AND minute < toDateTime({end})\n"
        f"ORDER BY hour"
    )
    return [int(row[0]) for row in rows]


async def stored_minutes(store: Store, indicators: Collection[Indicator]) -> frozenset[int]:
    """The minutes (Unix seconds) that have a bucket of any of these indicators."""
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(minute) FROM {DATABASE}.flow_minutes\n"
        f"WHERE indicator IN {codes_of(indicators)}"
    )
    return frozenset(int(row[0]) for row in rows)


async def minutes_of(store: Store, relation: RelationName, entities: Collection[str] | None) -> frozenset[int]:
    """The minutes (Unix seconds) in which these entities (None: all) count or once counted, by any of their events."""
    units = RELATIONS[relation]
    chosen = "true" if entities is None else f"{units.model.entity} IN {in_list(entities)}"
    return await _minutes(store, units.model, str(units.accounted_at), chosen)


async def minutes_of_cooks(store: Store, operators: Collection[str]) -> frozenset[int]:
    """The minutes (Unix seconds) of the meals for which any event names one of these operators as the cook."""
    model = RELATIONS["banquets"].model
    named = f"SELECT banquet_id FROM {raw_table(model)} WHERE cook_id IN {in_list(operators)}"
    return await _minutes(store, model, "held_at", f"banquet_id IN ({named})")


async def _minutes(store: Store, model: type[EventData], field: str, chosen: str) -> frozenset[int]:
    rows = await store.rows(
        f"SELECT DISTINCT toUnixTimestamp(toStartOfMinute(assumeNotNull({field}))) FROM {raw_table(model)}\n"
        f"WHERE {chosen} AND isNotNull({field})"
    )
    return frozenset(int(row[0]) for row in rows)
