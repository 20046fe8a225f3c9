"""Which event has an identity: what the new rows claim with other contents is settled here, once for all readers."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.event import EventData
from schemas.fields import microseconds
from sinks.clickhouse.client import Store
from sinks.clickhouse.raw import DATABASE, canonical, quoted, raw_table
from sinks.clickhouse.sql import in_list

_RIVALS_AT_ONCE: Final = 200
"""Identities in one statement: a source and an id have up to 384 characters."""

_LAST_MINUTE: Final = 2**32 - 60
"""toStartOfMinute ends with 2106: whatever is later stands in the last minute."""


class Touched(NamedTuple):
    """What one block of one event type changed: `places` are minutes (Unix seconds) or entities."""

    places: frozenset[Any]
    since: datetime
    """Least `landed_at` of the rows that are new."""


def in_minutes(field: str, minutes: Iterable[int]) -> str:
    """SQL condition for a DateTime64 in any of these minutes; the bounds let ClickHouse pass over whole partitions."""
    listed = sorted(minutes)
    return (
        f"toStartOfMinute({field}) IN ({', '.join(f'toDateTime({one})' for one in listed)})\n"
        f"    AND {field} >= toDateTime64({listed[0]}, 6, 'UTC')"
        + (f" AND {field} < toDateTime64({listed[-1] + 60}, 6, 'UTC')" if listed[-1] < _LAST_MINUTE else "")
    )


def in_places(model: type[EventData], places: Collection[Any]) -> str:
    """SQL condition for the raw rows of these places."""
    return in_minutes(model.minute, places) if model.minute else f"{model.entity} IN {in_list(places)}"


def landed_since(touched: Touched) -> str:
    """SQL condition for the new rows."""
    return f"landed_at >= fromUnixTimestamp64Micro({microseconds(touched.since)}, 'UTC')"


async def settle_identities(store: Store, model: type[EventData], touched: Touched) -> frozenset[Any]:
    """Finds the identities that the new rows claim with other contents, lists the losers in `superseded`, and returns
    the places that are to be recomputed besides the touched ones."""
    return await _settle(
        store,
        model,
        f"(source, id) IN (\n    SELECT source, event_id FROM {raw_table(model)}\n"
        f"    WHERE {in_places(model, touched.places)} AND {landed_since(touched)}\n)",
    )


async def settle_all_identities(store: Store, model: type[EventData]) -> None:
    """The same for every event of the type."""
    await _settle(store, model, "true")


async def _settle(store: Store, model: type[EventData], chosen: str) -> frozenset[Any]:
    claimed = await store.rows(
        f"SELECT source, id, groupUniqArray(place) FROM {DATABASE}.raw_events\n"
        f"WHERE type = '{model.type}' AND {chosen}\nGROUP BY source, id HAVING uniqExact(time, digest) > 1"
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
            f"    WHERE {in_places(model, places)}\n"
            f"        AND (source, event_id) IN ({identities})\n"
            f"    GROUP BY source, event_id\n) ARRAY JOIN all AS rivals WHERE rivals != winner"
        )
    return frozenset(everywhere)


async def superseded_entities(store: Store, model: type[EventData], places: Collection[Any]) -> frozenset[str]:
    """Entities of these places of which an event has lost its identity."""
    if not places:
        return frozenset()
    rows = await store.rows(
        f"SELECT DISTINCT {model.entity} FROM {raw_table(model)} WHERE {in_places(model, places)}\n"
        f"    AND (source, event_id, event_time, digest) IN\n"
        f"    (SELECT source, id, time, digest FROM {DATABASE}.superseded WHERE type = '{model.type}')"
    )
    return frozenset(str(row[0]) for row in rows)
