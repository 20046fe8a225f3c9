"""What the alert and notify stages read from and write to ClickHouse."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.durations import window_length
from schemas.indicator import Indicator
from sinks.clickhouse.client import Store, now, utc
from sinks.clickhouse.rates import VALUES, WIDTHS, of_kind, spread, stock_parts
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.sql import in_list

LOG_COLUMNS: Final = (
    "alert_id", "transition_id", "kind", "indicator", "scope", "scope_id", "window", "from_state", "to_state", "since",
    "held", "as_of", "recorded_at", "numerator", "denominator", "unknown", "rate", "target", "worst", "reason", "step",
    "subject", "inhibited_by", "facts",
)  # fmt: skip
LOG_TYPES: Final = (
    "String", "String", "String", "String", "String", "String", "String", "String", "String",
    "DateTime64(6, 'UTC')", "UInt32", "DateTime64(6, 'UTC')", "DateTime64(6, 'UTC')", "UInt64", "UInt64", "UInt64",
    "Nullable(Float64)", "Nullable(Float64)",
    "Array(Tuple(scope String, scope_id String, name String, numerator UInt64, denominator UInt64, rate Float64))",
    "String", "UInt8", "String", "String", "String",
)  # fmt: skip

WENT_ON: Final = 9
"""`step` of a row that only says that a state went on."""


def log_row(**given: Any) -> dict[str, Any]:
    """A row of `alert_log` with what is given; the rest says that a state went on, and that nothing was counted."""
    return {
        "transition_id": "", "from_state": "", "held": 0, "recorded_at": None, "numerator": 0, "denominator": 0,
        "unknown": 0, "rate": None, "target": None, "worst": [], "reason": "", "step": WENT_ON, "subject": "",
        "inhibited_by": "", "facts": "", **given,
    }  # fmt: skip


class Mark(NamedTuple):
    """How far an indicator is: its as_of, and whether it cannot be judged, as its watermark is late or its numbers are
    not those of its definition."""

    as_of: datetime
    frozen: bool


class SeriesPoint(NamedTuple):
    """From this minute of as_of on, the place has these numbers."""

    scope: str
    scope_id: str
    window: str
    minute: datetime
    numerator: int
    denominator: int
    unknown: int


async def marks(store: Store) -> dict[str, Mark]:
    """The marks of the indicators that have an as_of."""
    rows = await store.rows(
        f"SELECT indicator, toDateTime64(as_of, 0, 'UTC'), stale OR error\n"
        f"FROM {DATABASE}.indicator_marks WHERE as_of IS NOT NULL"
    )
    return {code: Mark(utc(as_of), bool(frozen)) for code, as_of, frozen in rows}


async def earliest_event(store: Store, streams: Sequence[str]) -> datetime | None:
    """From when on all of these streams have events; None while one has none."""
    rows = await store.rows(
        f"SELECT max(first), count() FROM (SELECT stream, min(time) AS first FROM {DATABASE}.raw_events\n"
        f"WHERE stream IN {{streams:Array(String)}} GROUP BY stream)",
        {"streams": list(streams)},
    )
    return utc(rows[0][0]) if rows and rows[0][1] == len(streams) else None


async def series(
    store: Store, indicators: Sequence[Indicator], first: datetime, last: datetime
) -> dict[str, list[SeriesPoint]]:
    """By indicator, the numbers of every place and alert window at every minute of as_of from `first` to `last`, as
    changes: a place that is absent at `first` has nothing yet. One statement, whatever their number: most of what a
    small one costs is its planning."""
    start, end = int(first.timestamp()), int(last.timestamp())
    parts = _bucket_changes(indicators, start, end)
    if stock := of_kind(indicators, "stock"):
        parts.append(_stock_changes(stock, start, end))
    changes = "\n        UNION ALL\n        ".join(parts)
    order = "OVER (PARTITION BY indicator, scope, scope_id, window ORDER BY minute)"
    sums = ", ".join(f"toUInt64(sum(d_{one}) {order})" for one in VALUES)
    rows = await store.rows(
        f"""SELECT indicator, scope, scope_id, window, toDateTime64(minute, 0, 'UTC'), {sums} FROM (
    SELECT indicator, scope, scope_id, window, toDateTime(greatest(at, {start}), 'UTC') AS minute,
        {", ".join(f"sum({one}) AS d_{one}" for one in VALUES)}
    FROM (
        {changes}
    )
    WHERE at <= {end}
    GROUP BY indicator, scope, scope_id, window, minute
    HAVING {" OR ".join(f"d_{one} != 0" for one in VALUES)}
)
ORDER BY minute"""
    )
    found: dict[str, list[SeriesPoint]] = {one.code: [] for one in indicators}
    for code, scope, scope_id, window, minute, *values in rows:
        found[code].append(SeriesPoint(scope, scope_id, window, utc(minute), *values))
    return found


_CHANGES: Final = ", ".join(f"toInt64(edge.3 * toInt64({one})) AS {one}" for one in VALUES)
"""What an edge (window, time, 1 or -1) adds to the numbers."""


def _bucket_changes(indicators: Sequence[Indicator], start: int, end: int) -> list[str]:
    """A bucket enters a window when as_of has passed it and the settle time, and leaves it when the window begins later
    than the bucket."""
    groups: dict[tuple[int, int, tuple[str, ...]], list[str]] = {}
    for one in of_kind(indicators, "flow", "availability"):
        same = int(one.settle.total_seconds()), WIDTHS[one.kind], tuple(one.alert_windows)
        groups.setdefault(same, []).append(one.code)
    parts = []
    for (settle, width, windows), codes in groups.items():
        lengths = {window: int(window_length(window).total_seconds()) for window in windows}
        edges = ", ".join(
            f"('{window}', minute + {settle + width}, 1), ('{window}', minute + {settle + 60 + length}, -1)"
            for window, length in lengths.items()
        )
        parts.append(
            f"""SELECT indicator, place.1 AS scope, place.2 AS scope_id, edge.1 AS window,
            toUnixTimestamp(edge.2) AS at, {_CHANGES}
        FROM {DATABASE}.flow_minutes FINAL
        ARRAY JOIN [{edges}] AS edge
        ARRAY JOIN {spread("[platform]")} AS place
        WHERE indicator IN {in_list(codes)} AND minute >= toDateTime({start - settle - max(lengths.values())})
            AND minute < toDateTime({end - settle})"""
        )
    return parts


def _stock_changes(indicators: Sequence[Indicator], start: int, end: int) -> str:
    wanted = f"span.until > toDateTime({start}) AND span.from <= toDateTime({end})"
    return f"""SELECT indicator, scope, scope_id, edge.1 AS window, toUnixTimestamp(edge.2) AS at, {_CHANGES}
        FROM ({stock_parts(wanted)})
        ARRAY JOIN [('now', begin, 1), ('now', end, -1)] AS edge
        WHERE indicator IN {in_list([one.code for one in indicators])}"""


async def last_states(store: Store) -> list[dict[str, Any]]:
    """The latest row of every alert."""
    rows = await store.rows(
        f"SELECT alert_id, to_state, since, held FROM {DATABASE}.alert_log WHERE alert_id != ''\n"
        f"ORDER BY as_of DESC, step DESC LIMIT 1 BY alert_id"
    )
    return [{"alert_id": row[0], "state": row[1], "since": utc(row[2]), "held": row[3]} for row in rows]


async def condition_changes(store: Store, code: str) -> list[dict[str, Any]]:
    """Where and when a condition began to fire and resolved, in the order of the minutes."""
    names = "subject", "scope", "scope_id", "to_state", "as_of"
    rows = await store.rows(
        f"SELECT {', '.join(names)} FROM {DATABASE}.alert_log FINAL\n"
        f"WHERE indicator = {{code:String}} AND transition_id != '' AND to_state IN ('firing', 'resolved')\n"
        f"ORDER BY as_of, step",
        {"code": code},
    )
    return [dict(zip(names, (*row[:-1], utc(row[-1])), strict=True)) for row in rows]


class KnownAlert(NamedTuple):
    """The latest row of an alert, with its place and window."""

    scope: str
    scope_id: str
    window: str
    state: str
    since: datetime
    held: int
    subject: str = ""


async def open_alerts(store: Store, indicator: str) -> list[KnownAlert]:
    """The alerts of one indicator or condition that are pending or firing, wherever it is judged now."""
    rows = await store.rows(
        f"SELECT scope, scope_id, window, to_state, since, held, subject FROM (\n"
        f"    SELECT * FROM {DATABASE}.alert_log WHERE alert_id != '' AND indicator = {{code:String}}\n"
        f"    ORDER BY as_of DESC, step DESC LIMIT 1 BY alert_id\n) WHERE to_state IN ('pending', 'firing')",
        {"code": indicator},
    )
    return [
        KnownAlert(scope, scope_id, window, state, utc(since), held, subject)
        for scope, scope_id, window, state, since, held, subject in rows
    ]


async def evaluated_until(store: Store) -> dict[str, datetime]:
    """The last minute of as_of that was evaluated, by indicator."""
    rows = await store.rows(
        f"SELECT indicator, max(as_of) FROM {DATABASE}.alert_log WHERE alert_id = '' GROUP BY indicator"
    )
    return {code: utc(minute) for code, minute in rows}


async def last_transitions(store: Store) -> list[dict[str, Any]]:
    """The transitions that were recorded last of all: after a crash it is not known whether they were published."""
    rows = await store.rows(
        f"SELECT {', '.join(f'`{one}`' for one in LOG_COLUMNS)} FROM {DATABASE}.alert_log FINAL\n"
        f"WHERE transition_id != '' AND recorded_at = (SELECT max(recorded_at) FROM {DATABASE}.alert_log)\n"
        f"ORDER BY alert_log.as_of, step"
    )
    return [transition_of(row) for row in rows]


def transition_of(row: Sequence[Any]) -> dict[str, Any]:
    """A row of `alert_log`, read in LOG_COLUMNS, as it is on the topic."""
    found = dict(zip(LOG_COLUMNS, row, strict=True))
    # ClickHouse gives named tuples as objects, and the topic has them as lists
    return {**found, "worst": [list(place.values()) for place in found["worst"]]}


async def record(store: Store, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Writes the rows of one evaluation as one block, with the time of recording: states and transitions are there
    together or not at all. Returns the transitions."""
    recorded_at = now()
    for row in rows:
        row["recorded_at"] = recorded_at
    if rows:
        await store.insert(
            f"{DATABASE}.alert_log", LOG_COLUMNS, LOG_TYPES, [[row[name] for row in rows] for name in LOG_COLUMNS]
        )
    return [row for row in rows if row["transition_id"]]


class Attempts(NamedTuple):
    """What is recorded of one transition and channel: attempts made, and whether one settled the matter."""

    made: int
    settled: bool


async def attempts(store: Store, transition: str) -> dict[str, Attempts]:
    """What is recorded of this transition, by channel."""
    rows = await store.rows(
        f"SELECT channel, max(attempt), max(outcome IN ('delivered', 'handed_over', 'refused'))\n"
        f"FROM {DATABASE}.raw_alert_deliveries WHERE transition_id = {{id:String}} GROUP BY channel",
        {"id": transition},
    )
    return {str(channel): Attempts(int(count), bool(settled)) for channel, count, settled in rows}


_DELIVERY: Final = "transition_id", "channel", "attempt", "outcome", "detail", "at"


async def record_delivery(store: Store, transition: str, channel: str, attempt: int, outcome: str, detail: str) -> None:
    """Records one attempt to deliver."""
    row = transition, channel, attempt, outcome, detail, now()
    await store.insert_rows(f"{DATABASE}.raw_alert_deliveries", _DELIVERY, [row])


class Attempted(NamedTuple):
    """An attempt to deliver a message that is recorded later, as ClickHouse may be away."""

    message: str
    channel: str
    outcome: str
    detail: str
    at: datetime


async def record_attempts(store: Store, attempted: Sequence[Attempted]) -> None:
    """Records attempts in their order, numbered from what is recorded of their messages already."""
    made: Counter[tuple[str, str]] = Counter()
    for message in {one.message for one in attempted}:
        made.update({(message, channel): one.made for channel, one in (await attempts(store, message)).items()})
    rows = []
    for message, channel, outcome, detail, at in attempted:
        made[message, channel] += 1
        rows.append((message, channel, made[message, channel], outcome, detail, at))
    await store.insert_rows(f"{DATABASE}.raw_alert_deliveries", _DELIVERY, rows)
