"""Judging every minute of a span: skipping what cannot change, dates, deadlines, evaluation in pieces."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.indicator import NOT_JUDGED, Dated, Indicator, Number
from schemas.indicators import CATALOGUE
from sinks.clickhouse.alerts import SeriesPoint
from streams.alert import Evaluation, Place, rule_at
from streams.alert_machine import AlertState, State, Value, alert_id, step, transition_id

MINUTE: Final = timedelta(minutes=1)
MIDNIGHT: Final = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
"""Midnight in Shanghai: 2027 begins."""
START: Final = MIDNIGHT - 40 * MINUTE
CITY: Final = Place("city", "330681", "1h")
TOWN: Final = Place("town", "330681001", "1h")
NOTHING: Final = Value(0, 0, 0)

SEAL: Final = CATALOGUE["seal_coverage"]
BUILD: Final = CATALOGUE["kitchen_build"]
AT_MOST_NONE: Final = BUILD.model_copy(
    update={
        "counts": True,
        "scopes": ("city",),
        "alert_windows": ("1h",),
        "comparator": "<=",
        "target": (Dated.model_validate({"from": date(2023, 1, 1), "value": 0.0}),),
    }
)
AT_LEAST_ONE: Final = AT_MOST_NONE.model_copy(
    update={"comparator": ">=", "target": (Dated.model_validate({"from": date(2023, 1, 1), "value": 1.0}),)}
)

Courses = dict[Place, list[Value]]
"""The value of every minute, by place."""


def points(courses: Courses, first: datetime) -> list[SeriesPoint]:
    """The courses as changes: a place that has nothing at the first minute is absent until it has."""
    found = []
    for place, values in courses.items():
        before = NOTHING
        for number, value in enumerate(values):
            if value != before:
                found.append(SeriesPoint(*place, first + number * MINUTE, *value))
            before = value
    return sorted(found, key=lambda point: point.minute)


def run(
    indicator: Indicator, courses: Courses, states: dict[str, AlertState], first: datetime = START
) -> list[dict[str, Any]]:
    """The rows of one evaluation of all minutes of the courses."""
    last = first + (max(len(values) for values in courses.values()) - 1) * MINUTE
    evaluation = Evaluation(indicator, states)
    evaluation.run(points(courses, first), first, last)
    return evaluation.rows


def transitions(rows: Sequence[dict[str, Any]]) -> list[tuple[int, str, str, str]]:
    """(minute from the start, scope, new state, id) of the transitions among the rows."""
    return sorted(
        ((row["as_of"] - START) // MINUTE, row["scope"], row["to_state"], row["transition_id"])
        for row in rows
        if row["transition_id"]
    )


def naively(indicator: Indicator, courses: Courses) -> tuple[list[tuple[int, str, str, str]], dict[str, AlertState]]:
    """The same, one minute after the other for every place."""
    found, states = [], {}
    for place, values in courses.items():
        identity = alert_id(indicator.code, *place)
        current = AlertState()
        for number, value in enumerate(values):
            minute = START + number * MINUTE
            current, changes = step(current, rule_at(indicator, minute), value, minute)
            found += [
                (number, place.scope, change.to_state, transition_id(identity, minute, change)) for change in changes
            ]
        states[identity] = current
    return sorted(found), states


_VALUES = st.sampled_from(
    [Value(0, 0, 0), Value(20, 20, 0), Value(0, 20, 0), Value(50, 100, 9), Value(91, 100, 0), Value(95, 100, 0)]
)
COURSES = st.lists(st.tuples(_VALUES, st.integers(1, 25)), min_size=1, max_size=8).map(
    lambda runs: [value for value, length in runs for _ in range(length)][:120]
)
DATED = tuple(
    Dated[Number].model_validate({"from": day, "value": value})
    for day, value in ((date(2023, 1, 1), 0.90), (date(2027, 1, 1), 0.97))
)
INDICATORS = st.builds(
    lambda base, minutes, target, deadline: base.model_copy(
        update={"for_": timedelta(minutes=minutes), "target": target, "deadline": deadline}
    ),
    st.sampled_from([SEAL, BUILD]),
    st.sampled_from([0, 1, 5, 10]),
    st.sampled_from([SEAL.target, DATED]),
    st.sampled_from([None, date(2026, 12, 31)]),
)


@settings(max_examples=200)
@given(INDICATORS, COURSES, COURSES)
def test_an_evaluation_is_the_same_as_judging_every_minute(
    indicator: Indicator, city: list[Value], town: list[Value]
) -> None:
    length = min(len(city), len(town))
    courses = {CITY: city[:length], TOWN: town[:length]}
    states: dict[str, AlertState] = {}
    expected, expected_states = naively(indicator, courses)
    assert transitions(run(indicator, courses, states)) == expected
    for identity, state in expected_states.items():
        assert states.get(identity, AlertState()) == state


def _recorded(rows: Sequence[dict[str, Any]], states: dict[str, AlertState]) -> dict[str, AlertState]:
    """The states as they are read back from the log: the last row of each alert."""
    for row in sorted(rows, key=lambda row: (row["as_of"], row["step"])):
        if row["alert_id"]:
            states[row["alert_id"]] = AlertState(row["to_state"], row["since"], row["held"])
    return states


@settings(max_examples=200)
@given(INDICATORS, COURSES, COURSES, st.integers(1, 100))
def test_an_evaluation_in_two_pieces_is_the_same_as_in_one(
    indicator: Indicator, city: list[Value], town: list[Value], cut: int
) -> None:
    length = min(len(city), len(town))
    cut = min(cut, length - 1)
    courses = {CITY: city[:length], TOWN: town[:length]}
    whole = run(indicator, courses, {})
    if not cut:
        return
    first = run(indicator, {place: values[:cut] for place, values in courses.items()}, {})
    states = _recorded(first, {})
    second = run(indicator, {place: values[cut:] for place, values in courses.items()}, states, START + cut * MINUTE)
    assert transitions([*first, *second]) == transitions(whole)


def test_evaluating_again_repeats_the_ids_of_transitions() -> None:
    courses = {CITY: [Value(50, 100, 0)] * 20}
    assert transitions(run(SEAL, courses, {})) == transitions(run(SEAL, courses, {}))


def test_a_count_that_falls_to_none_between_two_evaluations_resolves() -> None:
    first = run(AT_MOST_NONE, {CITY: [Value(1, 0, 0)] * 15}, {})
    states = _recorded(first, {})
    second = run(AT_MOST_NONE, {CITY: [NOTHING] * 15}, states, START + 15 * MINUTE)
    found = [(minute, state) for minute, _, state, _ in transitions([*first, *second])]
    assert found == [(0, "pending"), (10, "firing"), (25, "resolved")]


def test_a_count_of_none_is_judged_where_there_was_never_anything_to_count() -> None:
    found = [(minute, state) for minute, _, state, _ in transitions(run(AT_LEAST_ONE, {CITY: [NOTHING] * 15}, {}))]
    assert found == [(0, "pending"), (10, "firing")]


def test_a_target_with_a_deadline_is_not_even_pending_until_that_day_is_over_in_shanghai() -> None:
    waiting = BUILD.model_copy(update={"deadline": date(2026, 12, 31)})
    rows = run(waiting, {CITY: [Value(50, 100, 0)] * 60}, {})
    assert [(minute, state) for minute, _, state, _ in transitions(rows)] == [(40, "pending"), (50, "firing")]
    assert rule_at(waiting, MIDNIGHT - MINUTE).target is None
    assert rule_at(waiting, MIDNIGHT).target == 0.90


def test_an_alert_of_last_year_is_over_when_the_target_has_a_new_deadline() -> None:
    states: dict[str, AlertState] = {}
    run(BUILD, {CITY: [Value(50, 100, 0)] * 20}, states)
    ways: list[tuple[State, State]] = [("firing", "resolved"), ("pending", "ok")]
    for before, after in ways:
        current = {name: state._replace(state=before) for name, state in states.items() if state.state == "firing"}
        next_year = BUILD.model_copy(update={"deadline": date(2027, 12, 31)})
        rows = run(next_year, {CITY: [Value(50, 100, 0)] * 20}, current, START + 20 * MINUTE)
        found = [(minute, state) for minute, _, state, _ in transitions(rows)]
        assert found == [(20, after)], "once, and nothing after it"
        assert {row["reason"] for row in rows if row["transition_id"]} == {NOT_JUDGED}


def test_a_dated_target_counts_from_midnight_in_shanghai() -> None:
    indicator = BUILD.model_copy(update={"target": DATED})
    rows = run(indicator, {CITY: [Value(95, 100, 0)] * 60}, {})
    assert [(minute, state) for minute, _, state, _ in transitions(rows)] == [(40, "pending"), (50, "firing")]


def test_the_time_to_hold_is_whole_minutes_as_alerts_are_judged_once_a_minute() -> None:
    with pytest.raises(ValidationError, match="whole minutes"):
        type(BUILD).model_validate({**BUILD.model_dump(), "for_": timedelta(seconds=90)})


def test_a_row_says_what_was_counted_at_its_minute() -> None:
    rows = run(SEAL, {CITY: [Value(95, 100, 1)] * 5 + [Value(50, 100, 7)] * 15}, {})
    pending, firing = (row for row in rows if row["transition_id"])
    assert (pending["as_of"], firing["as_of"]) == (START + 5 * MINUTE, START + 15 * MINUTE)
    assert (firing["numerator"], firing["denominator"], firing["unknown"], firing["rate"]) == (50, 100, 7, 0.5)
    assert (firing["target"], firing["kind"], firing["indicator"]) == (0.90, "rate", "seal_coverage")
    assert (firing["from_state"], firing["to_state"], firing["since"]) == ("pending", "firing", firing["as_of"])
    assert (firing["scope"], firing["scope_id"], firing["window"]) == CITY


def test_the_citys_row_names_the_worst_places_of_its_window_first() -> None:
    rates = {"330681001": 60, "330681002": 10, "330681003": 90, "330681004": 30, "330681005": 40, "330681102": 20}
    courses: Courses = {Place("town", town, "1h"): [Value(rate, 100, 0)] * 3 for town, rate in rates.items()}
    courses |= {CITY: [Value(50, 100, 0)] * 3, Place("town", "330681103", "1h"): [NOTHING] * 3}
    courses |= {Place("town", "330681002", "24h"): [Value(1, 100, 0)] * 3}
    (pending,) = (row for row in run(SEAL, courses, {}) if row["transition_id"] and row["scope"] == "city")
    names = [place[1] for place in pending["worst"]]
    assert names == ["330681002", "330681102", "330681004", "330681005", "330681001"]
    assert pending["worst"][0] == ("town", "330681002", "浣东街道", 10, 100, 0.1)
