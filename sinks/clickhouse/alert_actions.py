"""What people did about alerts, as it is written down and read again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from schemas.action import Action, Silence
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.raw import DATABASE

COLUMNS: Final = ("action_id", "alert_id", "action", "by", "why", "matches", "until", "at", "via")
_ACTIONS: Final = f"{DATABASE}.raw_alert_actions"


def _holding(taken_back: str) -> str:
    """:param taken_back: which unsilences count, SQL."""
    return (
        f"SELECT action_id, matches AS named, assumeNotNull(`until`) AS ends, `by` AS who, why, at AS made\n"
        f"FROM {_ACTIONS} FINAL WHERE action = 'silence' AND `until` IS NOT NULL AND action_id NOT IN (\n"
        f"    SELECT matches['action_id'] FROM {_ACTIONS} FINAL WHERE action = 'unsilence' AND {taken_back})"
    )


HOLDING: Final = _holding("true")
"""Silences that were not taken back, also those whose end has passed: action_id, named, ends, who, why, made."""
_AT: Final = "{at:DateTime64(6, 'UTC')}"

ACKNOWLEDGEMENTS: Final = (
    f"SELECT alert_id, arraySort(one -> one.2, groupArray((\n"
    f"    parseDateTime64BestEffortOrNull(matches['since'], 6, 'UTC'), at, toString(`by`)))) AS made\n"
    f"FROM {_ACTIONS} FINAL WHERE action = 'acknowledge' GROUP BY alert_id"
)
"""Of each alert the beginnings of the firings that were acknowledged, when that was, and by whom, the newest last."""


def of_firing(made: str, since: str) -> str:
    """Who acknowledged last, of `made`, the firing that began at `since`; empty where nobody did. SQL."""
    return f"arrayLast(one -> ifNull(one.1 = {since}, false), {made}).3"


def row(action: Action) -> list[Any]:
    """The action in the order of COLUMNS."""
    return [dict(action.matches) if one == "matches" else getattr(action, one) for one in COLUMNS]


async def record_actions(store: Store, actions: Sequence[Action]) -> None:
    """Writes actions down; one that is there already is the same row again."""
    if actions:
        await store.insert_rows(_ACTIONS, list(COLUMNS), [row(one) for one in actions])


async def active_silences(store: Store, at: datetime) -> list[Silence]:
    """The silences that hold, or held, at a moment, the one that ends first foremost."""
    rows = await store.rows(
        f"SELECT action_id, named, ends, who, why, made FROM ({_holding(f'at <= {_AT}')})\n"
        f"WHERE made <= {_AT} AND ends > {_AT} ORDER BY ends, action_id",
        {"at": at},
    )
    return [Silence(one, dict(named), utc(ends), who, why, utc(made)) for one, named, ends, who, why, made in rows]


_SINCE: Final = "{since:DateTime64(6, 'UTC')}"


async def acknowledged_by(store: Store, alert_id: str, since: datetime) -> str | None:
    """Who acknowledged the firing of the alert that began at `since`; None where nobody did."""
    rows = await store.rows(
        f"SELECT {of_firing('made', _SINCE)} FROM ({ACKNOWLEDGEMENTS})\nWHERE alert_id = {{id:String}}",
        {"id": alert_id, "since": since},
    )
    return str(rows[0][0]) or None if rows else None
