"""A replay knows at each minute what the alert stage knew at it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from pipeline.backtest.events import KnownThen
from schemas.event_alerts import EVENT_ENTRIES, EventEntry
from sinks.clickhouse.event_records import Known, Version
from streams.event_phases import judged, phases
from tests.streams.event_place import MINUTE, T0
from tests.streams.test_event_phases import SPAN, cooks, histories

CLOCK: Final = datetime(2026, 12, 1, tzinfo=UTC)
"""The machine's clock, which need not be that of the events."""
ENTRIES: Final = [one for one in EVENT_ENTRIES if one.code.startswith("banquet_")]
Arrived = list[tuple[Version, datetime]]


def landing() -> st.SearchStrategy[datetime]:
    return st.integers(0, 8).map(lambda hours: CLOCK + timedelta(hours=hours, minutes=30))


@st.composite
def evaluations(draw: st.DrawFn) -> list[tuple[datetime, datetime]]:
    """Up to which minutes the stage judged, and by the clock when: the first one at 0, 1, 2 ... o'clock."""
    minutes = [*sorted(draw(st.sets(st.integers(0, SPAN - 1), max_size=5))), SPAN]
    return [(T0 + minute * MINUTE, CLOCK + timedelta(hours=hour)) for hour, minute in enumerate(minutes)]


def told(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(row["transition_id"], row["facts"]) for row in rows]


def by_the_stage(
    entry: EventEntry, own: Arrived, others: dict[str, Arrived], judgings: list[tuple[datetime, datetime]]
) -> list[dict[str, Any]]:
    """The transitions of a stage that judges each time by what has landed."""
    known: Known | None = None
    rows: list[dict[str, Any]] = []
    first = T0
    for last, clock in judgings:
        life = phases(
            entry,
            [one for one, landed in own if landed <= clock],
            {name: [one for one, landed in several if landed <= clock] for name, several in others.items()},
        )
        known, more = judged(entry.code, "great", life, known, first, last)
        rows += more
        first = last + MINUTE
    return rows


@given(histories(), cooks(), evaluations(), st.data())
def test_a_replay_in_one_piece_tells_what_the_stage_told_evaluation_by_evaluation(
    own: list[Version], others: dict[str, list[Version]], judgings: list[tuple[datetime, datetime]], data: st.DataObject
) -> None:
    arrived = [(one, data.draw(landing())) for one in own]
    cooks_arrived = {name: [(one, data.draw(landing())) for one in several] for name, several in others.items()}
    then = KnownThen(judgings)
    for entry in ENTRIES:
        life = phases(entry, then.seen(arrived), {name: then.seen(several) for name, several in cooks_arrived.items()})
        _, rows = judged(entry.code, "great", life, None, T0, judgings[-1][0])
        assert told(rows) == told(by_the_stage(entry, arrived, cooks_arrived, judgings))


def test_where_nothing_was_judged_an_event_counts_from_its_time() -> None:
    assert KnownThen([]).since(T0, CLOCK) == T0 + MINUTE
    assert KnownThen([(T0 + 5 * MINUTE, CLOCK)]).since(T0, CLOCK) == T0 + MINUTE
    assert KnownThen([(T0 + 5 * MINUTE, CLOCK)]).since(T0, CLOCK + MINUTE) == T0 + 6 * MINUTE
