"""What a firing, a flap and a find are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backtest.firings import Firing, beside, firings, flaps, per_week
from pipeline.backtest.replay import computed_otherwise, days
from pipeline.backtest.scoring import score
from pipeline.simulator.incidents import parse_incident
from schemas.indicators import CATALOGUE

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
WEEK_END = NOON + timedelta(days=7)
HOUR = timedelta(hours=1)
TOWN = "330681001"


def firing(begin: datetime, lasts: timedelta | None = HOUR, scope: str = "town", scope_id: str = TOWN) -> Firing:
    end = None if lasts is None else begin + lasts
    return Firing(f"seal_coverage.{scope}.{scope_id}.1h", "seal_coverage", scope, scope_id, "1h", begin, end)


def transition(at: datetime, before: str, after: str) -> dict[str, Any]:
    place = {"indicator": "seal_coverage", "scope": "town", "scope_id": TOWN, "window": "1h", "subject": ""}
    states = {"from_state": before, "to_state": after, "as_of": at, "step": 0, "inhibited_by": "", "kind": "rate"}
    return {"alert_id": f"seal_coverage.town.{TOWN}.1h", **place, **states}


def drop(scope: str = f"town={TOWN}") -> Any:
    return parse_incident(f"seal-drop:{scope},from=2026-11-03T12:00+08:00,to=2026-11-03T14:00+08:00")


BEGIN = datetime(2026, 11, 3, 4, 0, tzinfo=UTC)


def test_a_firing_lasts_until_it_resolves() -> None:
    rows = [transition(NOON, "pending", "firing"), transition(NOON + HOUR, "firing", "resolved")]
    assert firings(rows) == [firing(NOON)]
    assert firings(rows[:1]) == [firing(NOON, None)]
    assert firings(rows[1:]) == []


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        ([firing(NOON)], 0),
        ([firing(NOON, timedelta(minutes=30))], 1),
        ([firing(NOON), firing(NOON + 25 * HOUR)], 1),
        ([firing(NOON), firing(NOON + 25 * HOUR + timedelta(minutes=1))], 0),
        ([firing(NOON), firing(NOON + 2 * HOUR, scope_id="330681002")], 0),
    ],
)
def test_a_flap_is_brief_or_comes_again_within_a_day(several: list[Firing], expected: int) -> None:
    assert flaps(several) == expected


def test_firings_stand_beside_those_that_were_recorded_at_the_same_minute() -> None:
    would, did = [firing(NOON), firing(NOON + 3 * HOUR)], [firing(NOON), firing(NOON + 4 * HOUR)]
    found = beside(would, did, NOON)
    assert [(one.shown, one.would, one.did) for one in found] == [
        (would[0], True, did[0]),
        (would[1], True, None),
        (did[1], False, did[1]),
    ]


def test_what_fired_already_when_the_period_began_stands_beside_the_first_of_the_replay() -> None:
    before = firing(NOON - 9 * HOUR, 10 * HOUR)
    again, other = firing(NOON), firing(NOON, scope_id="330681002")
    assert [(one.would, one.did) for one in beside([again, other], [before], NOON)] == [(True, before), (True, None)]
    later = firing(NOON + 2 * HOUR)
    assert [(one.would, one.did) for one in beside([later], [before], NOON)] == [(False, before), (True, None)]


def test_a_count_of_two_weeks_is_halved() -> None:
    assert per_week(4, NOON, NOON + timedelta(days=14)) == 2


def test_an_incident_is_found_by_the_first_alert_that_begins_in_it() -> None:
    result = score([firing(BEGIN + HOUR), firing(BEGIN + 2 * HOUR)], [drop()], NOON, WEEK_END)
    assert [one.delay for one in result.found] == [HOUR]
    assert result.false_alarms == []


def test_an_alert_that_was_firing_before_finds_nothing() -> None:
    result = score([firing(BEGIN - HOUR, 2 * HOUR)], [drop()], NOON, WEEK_END)
    assert [(one.first, one.already) for one in result.found] == [(None, True)]


@pytest.mark.parametrize(("after", "false"), [(timedelta(minutes=85), 0), (timedelta(minutes=86), 1)])
def test_an_alert_is_explained_for_one_window_after_the_end(after: timedelta, false: int) -> None:
    result = score([firing(BEGIN + 2 * HOUR + after)], [drop()], NOON, WEEK_END)
    assert len(result.false_alarms) == false


def test_another_town_explains_nothing_and_the_city_is_explained() -> None:
    other, city = firing(BEGIN + HOUR, scope_id="330681002"), firing(BEGIN + HOUR, HOUR, "city", "330681")
    assert score([other, city], [drop()], NOON, WEEK_END).false_alarms == [other]


def test_what_is_true_is_no_false_alarm_and_is_told_apart() -> None:
    other, third = firing(BEGIN, scope_id="330681002"), firing(BEGIN, scope_id="330681003")
    result = score([other, third], [drop()], NOON, WEEK_END, truly={other})
    assert (result.own_breaches, result.false_alarms) == ([other], [third])


def test_a_longer_patience_may_fire_later_after_the_end() -> None:
    late = firing(BEGIN + 2 * HOUR + timedelta(minutes=90))
    assert score([late], [drop()], NOON, WEEK_END).false_alarms == [late]
    patient = CATALOGUE["seal_coverage"].model_copy(update={"for_": timedelta(minutes=20)})
    assert score([late], [drop()], NOON, WEEK_END, by={patient.code: patient}).false_alarms == []


def test_a_daily_incident_happens_each_day() -> None:
    daily = parse_incident(f"seal-drop:town={TOWN},from=18:00,to=20:00")
    assert len(score([], [daily], NOON, WEEK_END).found) == 7


@given(st.integers(1, 20_000))
def test_the_portions_of_a_period_are_all_its_minutes_once(minutes: int) -> None:
    portions = days(NOON, NOON + timedelta(minutes=minutes))
    assert sum((last - first) // timedelta(minutes=1) + 1 for first, last in portions) == minutes
    assert all(first <= last < first + timedelta(days=1) for first, last in portions)


def test_another_definition_is_seen_and_another_patience_is_not() -> None:
    seal = CATALOGUE["seal_coverage"]
    assert computed_otherwise([seal], [seal.model_copy(update={"for_": HOUR})]) == []
    assert computed_otherwise([seal], [seal.model_copy(update={"where": "true"})]) == ["seal_coverage"]
