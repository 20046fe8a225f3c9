"""Judges the rates of a period again, day by day, by a configuration: reads stored numbers and writes nothing."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.backtest.firings import Firing, firings
from schemas.indicator import Indicator
from sinks.clickhouse import alerts
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.computed import computed_as
from sinks.clickhouse.raw import DATABASE
from streams.alert import MINUTE, Evaluation
from streams.alert_machine import AlertState
from streams.silences import Silences

_DAY: Final = timedelta(days=1)


def judged(catalogue: Sequence[Indicator]) -> list[Indicator]:
    """The indicators that have an alert."""
    return [one for one in catalogue if one.target and one.comparator]


def computed_otherwise(own: Sequence[Indicator], other: Sequence[Indicator]) -> list[str]:
    """Codes of indicators whose stored numbers the other configuration would compute in another way."""
    stored = {one.code: computed_as(one) for one in own}
    return [one.code for one in other if stored.get(one.code) != computed_as(one)]


def days(begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """First and last minute of each portion of at most a day of the minutes in [begin, end)."""
    found = []
    first = begin.astimezone(UTC).replace(second=0, microsecond=0)
    while first < end:
        following = min(first + _DAY, end)
        found.append((first, following - MINUTE))
        first = following
    return found


async def replay(
    store: Store, catalogue: Sequence[Indicator], begin: datetime, end: datetime, on_day: Callable[[], None]
) -> list[Firing]:
    """The firings of a period by a catalogue; every alert begins it in state ok.

    :param on_day: called when an indicator's day is judged."""
    (several,) = await replay_each(store, [catalogue], begin, end, on_day)
    return several


async def replay_each(
    store: Store,
    catalogues: Sequence[Sequence[Indicator]],
    begin: datetime,
    end: datetime,
    on_day: Callable[[], None] = lambda: None,
) -> list[list[Firing]]:
    """The firings by each of several catalogues of the same indicators, which differ only in how they judge: the
    numbers of a day are read once. Where and when a stream was silent is taken from the log.

    Raises ValueError where they differ in what is read."""
    asked = [[_as_read(one) for one in judged(catalogue)] for catalogue in catalogues]
    if any(one != asked[0] for one in asked):
        raise ValueError("the catalogues do not read the same numbers: replay each of them alone")
    silences = Silences()
    silences.restart(await alerts.condition_changes(store, "no_data"), {})
    rows: list[list[dict[str, Any]]] = [[] for _ in catalogues]
    for versions in zip(*map(judged, catalogues), strict=True):
        states: list[dict[str, AlertState]] = [{} for _ in versions]
        for first, last in days(begin, end):
            points = (await alerts.series(store, [versions[0]], first, last))[versions[0].code]
            for number, version in enumerate(versions):
                evaluation = Evaluation(version, states[number], silences.of(version))
                evaluation.run(points, first, last)
                rows[number] += [row for row in evaluation.rows if row["transition_id"]]
            on_day()
    return [firings(one) for one in rows]


def _as_read(indicator: Indicator) -> tuple[Any, ...]:
    """What the stored numbers that an alert judges depend on."""
    return indicator.code, computed_as(indicator), indicator.settle, indicator.alert_windows


_NAMES: Final = (
    "alert_id", "kind", "indicator", "scope", "scope_id", "window", "subject", "from_state", "to_state", "step",
    "inhibited_by", "as_of",
)  # fmt: skip
_TRANSITIONS: Final = f"""SELECT DISTINCT {", ".join(_NAMES)} FROM {DATABASE}.alert_log
WHERE kind IN ('rate', 'event') AND transition_id != '' AND as_of"""
_RECORDED: Final = f"""{_TRANSITIONS} >= toDateTime64({{begin:Int64}}, 6, 'UTC')
    AND as_of < toDateTime64({{end:Int64}}, 6, 'UTC')
UNION ALL
SELECT {", ".join(_NAMES)} FROM (
    {_TRANSITIONS} < toDateTime64({{begin:Int64}}, 6, 'UTC') AND to_state IN ('firing', 'resolved')
    ORDER BY as_of DESC, step DESC LIMIT 1 BY alert_id
)
WHERE to_state = 'firing'"""


async def recorded(store: Store, begin: datetime, end: datetime) -> list[Firing]:
    """The firings of rate and event alerts that were recorded: those that began in the period, and first those that
    had begun before it and had not resolved by its begin."""
    span = {"begin": int(begin.timestamp()), "end": int(end.timestamp())}
    rows = [dict(zip(_NAMES, row, strict=True)) for row in await store.rows(_RECORDED, span)]
    return firings({**row, "as_of": utc(row["as_of"])} for row in rows)
