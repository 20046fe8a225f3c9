"""What people on duty have been told, and what they have not answered: read by the notifier's rounds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sinks.clickhouse.alerts import LOG_COLUMNS, transition_of
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.raw import DATABASE

_COLUMNS: Final = ", ".join(f"log.`{one}` AS `{one}`" for one in LOG_COLUMNS)
_FIRING: Final = f"""(SELECT * FROM {DATABASE}.alert_log FINAL WHERE transition_id != '' AND alert_id IN (
    SELECT alert_id FROM {DATABASE}.alerts WHERE state = 'firing'
) ORDER BY alert_log.as_of DESC, step DESC LIMIT 1 BY alert_id)"""
"""Of every alert that fires the transition to firing."""
STILL: Final = "still-"
"""Begins the identity under which people are told at last of a transition that was held back."""
_TOLD: Final = f"""(SELECT replaceRegexpOne(raw_alert_deliveries.transition_id, '^{STILL}', '') AS transition_id,
        min(raw_alert_deliveries.at) AS told_at, count() AS made,
        groupUniqArrayIf(channel, outcome IN ('delivered', 'handed_over')) AS channels
    FROM {DATABASE}.raw_alert_deliveries GROUP BY transition_id)"""
"""By transition, when it was first tried to tell somebody, and which channels have taken it."""
_ENDED: Final = f"""(SELECT alert_id, max(recorded_at) AS ended_at FROM {DATABASE}.alert_log
    WHERE transition_id != '' AND scope = 'city' AND to_state = 'resolved' GROUP BY alert_id)"""
"""When the city's alerts were over last; that one is pending again changes nothing."""


class Unanswered(NamedTuple):
    """A transition to firing that nobody has acknowledged."""

    transition: dict[str, Any]
    told_at: datetime
    """When it was first tried to tell somebody; where it was not, when it was recorded, or when the city's alert that
    held it back was over."""
    tried: bool
    delivered: bool
    """Whether any channel has taken it."""


async def unacknowledged(store: Store) -> list[Unanswered]:
    """What fires and is neither acknowledged nor silenced, nor told by a city that fires too. A channel that does not
    take a message is no reason to call nobody else."""
    since = "if(told.made > 0, told.told_at, greatest(log.recorded_at, city.ended_at))"
    rows = await store.rows(
        f"SELECT {_COLUMNS}, {since}, told.made > 0, notEmpty(told.channels)\n"
        f"FROM {_FIRING} AS log LEFT JOIN {_TOLD} AS told ON told.transition_id = log.transition_id\n"
        f"LEFT JOIN {_ENDED} AS city ON city.alert_id = log.inhibited_by\n"
        f"WHERE log.to_state = 'firing' AND log.alert_id IN (SELECT alert_id FROM {DATABASE}.alerts\n"
        f"    WHERE acknowledged_by IS NULL AND (silenced_until IS NULL OR silenced_until < now64(6)))\n"
        f"    AND (log.scope NOT IN ('town', 'platform') OR (log.indicator, log.window, log.subject) NOT IN (\n"
        f"        SELECT indicator, window, subject FROM {DATABASE}.alerts WHERE scope = 'city' AND state = 'firing'))"
    )
    return [Unanswered(transition_of(row[:-3]), utc(row[-3]), bool(row[-2]), bool(row[-1])) for row in rows]


class Announced(NamedTuple):
    """The firing that a transition ends, and the channels that it was tried to tell of it."""

    identities: tuple[str, str]
    """Under which it may have been told: its own, and that of what was held back."""
    channels: tuple[str, ...]


async def announced(store: Store, alert_id: str, before: datetime) -> Announced | None:
    """Who was told of the alert's last firing before a moment; None where none is recorded."""
    rows = await store.rows(
        f"SELECT transition_id FROM {DATABASE}.alert_log WHERE alert_id = {{id:String}} AND transition_id != ''\n"
        f"    AND to_state = 'firing' AND as_of <= {{before:DateTime64(6, 'UTC')}}\n"
        f"ORDER BY as_of DESC, step DESC LIMIT 1",
        {"id": alert_id, "before": before},
    )
    if not rows:
        return None
    identities = str(rows[0][0]), f"{STILL}{rows[0][0]}"
    told = await store.rows(
        f"SELECT DISTINCT channel FROM {DATABASE}.raw_alert_deliveries WHERE transition_id IN {{ids:Array(String)}}",
        {"ids": list(identities)},
    )
    return Announced(identities, tuple(str(row[0]) for row in told))


async def told_and_firing(store: Store, channels: Sequence[str]) -> list[dict[str, Any]]:
    """The transitions to firing of what still fires, as far as one of these channels was told."""
    rows = await store.rows(
        f"SELECT {_COLUMNS} FROM {_FIRING} AS log INNER JOIN {_TOLD} AS told USING (transition_id)\n"
        f"WHERE log.to_state = 'firing' AND hasAny(told.channels, {{channels:Array(String)}})",
        {"channels": list(channels)},
    )
    return [transition_of(row) for row in rows]


LATELY: Final = timedelta(minutes=5)
"""An alert stage that has judged nothing for longer stands still."""


def judging_since(moment: str) -> str:
    """SQL for two numbers: of minutes that the alert stage has ever closed, 0 or 1, and of those since a moment. It
    closes each minute of the machine, whatever the streams bring.

    :param moment: SQL."""
    log = f"{DATABASE}.alert_log"
    return (
        f"SELECT (SELECT count() FROM (SELECT 1 FROM {log} WHERE alert_id = '' LIMIT 1)),\n"
        f"    (SELECT count() FROM {log} WHERE as_of > {moment} AND alert_id = '' AND indicator = 'stale')"
    )


async def judged_lately(store: Store, since: datetime) -> bool:
    """Whether the alert stage has judged anything since a moment."""
    rows = await store.rows(judging_since("{since:DateTime64(6, 'UTC')}"), {"since": since})
    return bool(rows[0][1])


Rows = list[dict[str, Any]]


async def of_the_day(store: Store, since: datetime) -> tuple[Rows, Rows, Rows]:
    """Rates as they are, alerts that fire, and the transitions since a moment."""
    rate = (
        "indicator",
        "scope",
        "scope_id",
        "window",
        "numerator",
        "denominator",
        "unknown",
        "rate",
        "target",
        "status",
    )
    alert = ("alert_id", "kind", "indicator", "scope", "scope_id", "window", "subject", "state", "since", "numerator",
             "denominator", "unknown", "rate", "target")  # fmt: skip
    change = ("kind", "indicator", "scope", "scope_id", "window", "subject", "from_state", "to_state", "as_of")
    return (
        await _named(store, rate, "rates_now", "status = 'below' OR scope = 'city'"),
        await _named(store, alert, "alerts", "state = 'firing'"),
        await _named(store, change, "alert_transitions", "recorded_at > {since:DateTime64(6, 'UTC')}", since),
    )


async def _named(store: Store, columns: Sequence[str], view: str, where: str, since: datetime | None = None) -> Rows:
    names = ", ".join(f"`{one}`" for one in columns)
    parameters = {} if since is None else {"since": since}
    rows = await store.rows(f"SELECT {names} FROM {DATABASE}.{view} WHERE {where}", parameters)
    return [dict(zip(columns, row, strict=True)) for row in rows]
