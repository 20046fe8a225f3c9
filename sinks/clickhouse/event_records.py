"""What event alerts read: records of the entities that can matter, cameras of schools, and the alerts' last states."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.event import EventData
from schemas.event_alerts import EventEntry
from schemas.fields import microseconds
from schemas.registry import Operator, Village
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.sql import in_list
from sinks.clickhouse.units import KEY

COOK_FIELDS: Final = ("training_valid_until", "health_valid_until")


class Version(NamedTuple):
    """One event of an entity: the record as it is from the first minute after `time`."""

    time: datetime
    record: dict[str, Any]


class SchoolCamera(NamedTuple):
    """A camera with its binding: `open` has for each hour of the day (Shanghai) a bit a slot."""

    camera_id: str
    operator_id: str
    town_code: str
    first_time: datetime
    open: tuple[int, ...]
    school: bool
    """Its operator is an active school canteen by its current record."""


class Known(NamedTuple):
    """The latest row of an event alert."""

    town_code: str
    state: str
    since: datetime


def _moment(moment: datetime) -> str:
    return f"fromUnixTimestamp64Micro({microseconds(moment)}, 'UTC')"


async def candidates(
    store: Store, entry: EventEntry, first: datetime, last: datetime, landed_since: datetime | None
) -> frozenset[str]:
    """Entities that may be in breach at a minute from `first` to `last`.

    :param landed_since: None to look at all; else of an entry that only changes matter to, those with new events."""
    where = entry.candidates(_moment(first), _moment(last))
    if entry.by_change and landed_since is not None:
        # what landed before the last look with a time after its minute counts from now on
        since = f"event_time >= {_moment(first)} - INTERVAL 1 MINUTE OR landed_at >= {_moment(landed_since)}"
        where = f"({where}) AND ({since})"
    rows = await store.rows(
        f"SELECT DISTINCT {entry.model.entity} FROM {raw_table(entry.model)}\n"
        f"WHERE ({where}) AND event_time < {_moment(last)}"
    )
    return frozenset(str(row[0]) for row in rows)


async def versions(
    store: Store, model: type[EventData], fields: Collection[str], entities: Collection[str], before: datetime
) -> dict[str, list[Version]]:
    """The events of these entities with a time before a minute, in order of (time, id, source), losers left out."""
    if not entities:
        return {}
    columns = ", ".join(f"`{one}`" for one in fields)
    rows = await store.rows(
        f"SELECT {model.entity}, event_time, {columns} FROM {raw_table(model)} FINAL\n"
        f"WHERE {model.entity} IN {in_list(entities)} AND event_time < {_moment(before)}\n"
        f"    AND {superseded_filter(model)}\n"
        f"ORDER BY event_time, event_id, source"
    )
    found: dict[str, list[Version]] = {}
    for entity, moment, *values in rows:
        record = {name: _value(name, value) for name, value in zip(fields, values, strict=True)}
        found.setdefault(str(entity), []).append(Version(utc(moment), record))
    return found


def _value(name: str, value: Any) -> Any:
    if name == "certificates":
        pairs = [tuple(one.values()) if isinstance(one, dict) else tuple(one) for one in value]
        return [(str(scheme), until) for scheme, until in pairs]
    return utc(value) if isinstance(value, datetime) else value


async def names(store: Store, model: type[Operator | Village], entities: Collection[str]) -> dict[str, str]:
    """Names of operators or villages by their current records; a cook's own is stored masked."""
    if not entities:
        return {}
    rows = await store.rows(
        f"SELECT {model.entity}, argMax(name, {KEY}) FROM {raw_table(model)}\n"
        f"WHERE {model.entity} IN {in_list(entities)} AND {superseded_filter(model)} GROUP BY {model.entity}"
    )
    return {str(entity): str(name) for entity, name in rows}


async def school_cameras(store: Store, indicator: str, also: Collection[str]) -> list[SchoolCamera]:
    """Cameras of active school canteens, and these others, with their bindings."""
    asked = f" OR camera_id IN {in_list(also)}" if also else ""
    rows = await store.rows(
        f"""WITH (SELECT groupArray(operator_id) FROM (
    SELECT operator_id, argMax((kind, status), {KEY}) AS current FROM {raw_table(Operator)}
    WHERE operator_id IN (SELECT operator_id FROM {raw_table(Operator)} WHERE kind = 'school_canteen')
        AND {superseded_filter(Operator)}
    GROUP BY operator_id HAVING current.1 = 'school_canteen' AND current.2 = 'active'
)) AS schools
SELECT camera_id, operator_id, toString(town_code), first_time, open, has(schools, operator_id) AS school
FROM {DATABASE}.camera_bindings FINAL
WHERE indicator = {{code:String}} AND town_code != '' AND (has(schools, operator_id){asked})""",
        {"code": indicator},
    )
    return [
        SchoolCamera(str(camera), str(operator), str(town), utc(first), tuple(bits), bool(school))
        for camera, operator, town, first, bits, school in rows
    ]


async def healthy_hours(
    store: Store, indicator: str, cameras: Collection[str], begin: int, end: int
) -> dict[tuple[str, int], int]:
    """Bits of the healthy slots by camera and hour (Unix seconds), for the hours in [begin, end)."""
    rows = await store.rows(
        f"SELECT camera_id, toUnixTimestamp(hour), healthy FROM {DATABASE}.camera_hours FINAL\n"
        f"WHERE indicator = {{code:String}} AND hour >= toDateTime({begin}) AND hour < toDateTime({end})\n"
        f"    AND camera_id IN {in_list(cameras)} AND healthy != 0",
        {"code": indicator},
    )
    return {(str(camera), int(hour)): int(bits) for camera, hour, bits in rows}


async def known_events(store: Store, code: str) -> dict[str, Known]:
    """The latest row of every alert of one event code, by subject; the resolved ones too."""
    rows = await store.rows(
        f"SELECT subject, scope_id, to_state, since FROM {DATABASE}.alert_log\n"
        f"WHERE alert_id != '' AND kind = 'event' AND indicator = {{code:String}}\n"
        f"ORDER BY as_of DESC, step DESC LIMIT 1 BY subject",
        {"code": code},
    )
    return {str(subject): Known(str(town), str(state), utc(since)) for subject, town, state, since in rows}


async def recorded_last(store: Store, code: str) -> datetime | None:
    """When the last evaluation of an event code was recorded, by the machine's clock."""
    rows = await store.rows(
        f"SELECT max(recorded_at), count() FROM {DATABASE}.alert_log\n"
        f"WHERE alert_id = '' AND indicator = {{code:String}}",
        {"code": code},
    )
    return utc(rows[0][0]) if rows and rows[0][1] else None
