"""When an alert fires and resolves: each sentence of the alert rules, with the exact minute of every transition."""

from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alert_machine import (
    AlertState,
    Change,
    Rule,
    Value,
    alert_id,
    breaches,
    recovers,
    step,
    transition_id,
    wilson_bounds,
)

NOON: Final = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
FLOW: Final = Rule(0.90, 0.92, ">=", 30, 10, sampled=True, counts=False)
STOCK: Final = Rule(0.90, 0.92, ">=", 1, 10, sampled=False, counts=False)
COUNT: Final = Rule(14.0, 14.0, ">=", 30, 10, sampled=False, counts=True)
AT_MOST: Final = Rule(0.0, 0.0, "<=", 30, 10, sampled=False, counts=True)

BAD: Final = Value(50, 100, 0)
GOOD: Final = Value(95, 100, 0)
BETWEEN: Final = Value(91, 100, 0)
"""At the target, but not at the recovery level."""
NONE: Final = None


def transitions(rule: Rule, *values: Value | None) -> list[tuple[int, str]]:
    """(minute, new state) of every transition, given the value of every minute."""
    current = AlertState()
    found: list[tuple[int, str]] = []
    for number, value in enumerate(values):
        current, changes = step(current, rule, value, NOON + timedelta(minutes=number))
        found += [(number, change.to_state) for change in changes]
    return found


def test_an_alert_is_pending_at_once_and_fires_when_that_has_held_for_the_time() -> None:
    for rule in (FLOW, STOCK):
        assert transitions(rule, *[GOOD] * 3, *[BAD] * 10) == [(3, "pending")]
        assert transitions(rule, *[GOOD] * 3, *[BAD] * 11) == [(3, "pending"), (13, "firing")]


def test_a_pending_alert_that_recovers_goes_back_to_ok_and_begins_anew() -> None:
    values = [*[BAD] * 10, BETWEEN, *[BAD] * 11]
    assert transitions(STOCK, *values) == [(0, "pending"), (10, "ok"), (11, "pending"), (21, "firing")]


def test_a_pending_alert_that_falls_below_the_floor_goes_back_to_ok() -> None:
    assert transitions(FLOW, BAD, Value(0, 29, 0)) == [(0, "pending"), (1, "ok")]
    assert transitions(FLOW, BAD, Value(0, 30, 0)) == [(0, "pending")]


def test_below_the_floor_nothing_is_pending() -> None:
    assert transitions(FLOW, *[Value(0, 29, 0)] * 20) == []
    assert transitions(STOCK, Value(0, 1, 0)) == [(0, "pending")]
    assert transitions(STOCK._replace(floor=2), Value(0, 1, 0)) == []


def test_a_firing_alert_resolves_when_it_has_been_at_the_recovery_level_for_the_time() -> None:
    values = [*[BAD] * 11, *[BETWEEN] * 30, *[Value(92, 100, 0)] * 11]
    assert transitions(STOCK, *values) == [(0, "pending"), (10, "firing"), (51, "resolved")]
    assert transitions(STOCK, *values[:-1]) == [(0, "pending"), (10, "firing")]


def test_recovery_that_is_interrupted_begins_anew() -> None:
    values = [*[BAD] * 11, *[GOOD] * 10, BETWEEN, *[GOOD] * 11]
    assert transitions(STOCK, *values)[2:] == [(32, "resolved")]


def test_a_firing_alert_does_not_resolve_below_the_floor() -> None:
    values = [*[BAD] * 11, *[Value(29, 29, 0)] * 20, *[Value(30, 30, 0)] * 11]
    assert transitions(FLOW, *values)[2:] == [(41, "resolved")]


def test_a_firing_flow_alert_resolves_by_its_rate_without_a_wilson_bound() -> None:
    assert wilson_bounds(28, 30)[0] < 0.9
    assert 28 / 30 > 0.92
    assert transitions(FLOW, *[BAD] * 11, *[Value(28, 30, 0)] * 11)[2:] == [(21, "resolved")]


def test_a_resolved_alert_becomes_pending_again() -> None:
    values = [*[BAD] * 11, *[GOOD] * 11, BAD, GOOD]
    assert transitions(STOCK, *values)[2:] == [(21, "resolved"), (22, "pending"), (23, "ok")]


@pytest.mark.parametrize("without", [NONE, Value(0, 0, 0)], ids=["no data", "no activity"])
def test_in_minutes_without_a_value_the_time_stands_still(without: Value | None) -> None:
    values = [*[BAD] * 5, *[without] * 7, *[BAD] * 6]
    assert transitions(STOCK, *values) == [(0, "pending"), (17, "firing")]
    values = [*[BAD] * 11, *[GOOD] * 5, *[without] * 100, *[GOOD] * 6]
    assert transitions(STOCK, *values)[2:] == [(121, "resolved")]
    assert transitions(STOCK, *[BAD] * 11, *[without] * 1000) == [(0, "pending"), (10, "firing")]
    assert transitions(STOCK, *[without] * 100) == []


def test_counts_have_no_floor_and_no_bound_and_none_is_a_number() -> None:
    assert transitions(COUNT, *[Value(13, 0, 0)] * 11) == [(0, "pending"), (10, "firing")]
    assert transitions(COUNT, *[Value(14, 0, 0)] * 11) == []
    assert transitions(COUNT, *[Value(0, 0, 0)] * 11) == [(0, "pending"), (10, "firing")]
    assert transitions(AT_MOST, *[Value(1, 0, 0)] * 11, *[Value(0, 0, 0)] * 11) == [
        (0, "pending"),
        (10, "firing"),
        (21, "resolved"),
    ]


def test_at_least_includes_equality() -> None:
    assert not breaches(STOCK, Value(9, 10, 0))
    assert breaches(STOCK, Value(8_999, 10_000, 0))
    assert recovers(STOCK, Value(23, 25, 0))
    assert not recovers(STOCK, Value(9_199, 10_000, 0))
    full = STOCK._replace(target=1.0, recovery=1.0)
    assert breaches(full, Value(99, 100, 0))
    assert recovers(full, Value(100, 100, 0))


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_flow_rate_breaches_only_when_its_wilson_bound_does_too(numerator: int, denominator: int) -> None:
    numerator = min(numerator, denominator)
    value = Value(numerator, denominator, 0)
    z, n, p = 1.959964, denominator, numerator / denominator
    upper = (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    if abs(upper - 0.9) > 1e-6:
        assert breaches(FLOW, value) is (denominator >= 30 and p < 0.9 and upper < 0.9)
    assert breaches(STOCK, value) is (p < 0.9)


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_wilson_bounds_enclose_the_share_and_mirror_each_other(denominator: int, part: int) -> None:
    numerator = min(part, denominator)
    lower, upper = wilson_bounds(numerator, denominator)
    assert -1e-12 <= lower <= numerator / denominator + 1e-12
    assert numerator / denominator - 1e-12 <= upper <= 1 + 1e-12
    other = wilson_bounds(denominator - numerator, denominator)
    assert lower == pytest.approx(1 - other[1], abs=1e-9)


def test_the_wilson_bounds_of_a_known_sample() -> None:
    assert wilson_bounds(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_for_a_target_not_to_exceed_the_lower_bound_is_asked() -> None:
    rule = Rule(0.10, 0.08, "<=", 30, 10, sampled=True, counts=False)
    assert breaches(rule, Value(50, 100, 0))
    assert not breaches(rule, Value(11, 100, 0))
    assert not breaches(rule, Value(10, 100, 0))
    assert recovers(rule, Value(8, 100, 0))
    assert not recovers(rule, Value(9, 100, 0))


def test_without_a_target_nothing_is_judged() -> None:
    rule = STOCK._replace(target=None, recovery=None)
    assert transitions(rule, *[Value(0, 100, 0)] * 30) == []


def test_without_a_time_to_hold_an_alert_fires_and_resolves_at_once() -> None:
    rule = STOCK._replace(for_minutes=0)
    assert transitions(rule, GOOD, BAD, GOOD) == [(1, "pending"), (1, "firing"), (2, "resolved")]


VALUES: Final = st.lists(
    st.none() | st.builds(lambda n, d: Value(min(n, d), d, 0), st.integers(0, 60), st.sampled_from([0, 20, 30, 60])),
    max_size=80,
)
_ALLOWED: Final = {
    ("ok", "pending"), ("pending", "ok"), ("pending", "firing"), ("firing", "resolved"), ("resolved", "pending"),
}  # fmt: skip


@given(VALUES, st.sampled_from([FLOW, STOCK, COUNT, AT_MOST]), st.integers(0, 4))
def test_states_follow_each_other_in_the_published_order_only(
    values: list[Value | None], rule: Rule, minutes: int
) -> None:
    current = AlertState()
    for number, value in enumerate(values):
        before = current.state
        minute = NOON + timedelta(minutes=number)
        current, changes = step(current, rule._replace(for_minutes=minutes), value, minute)
        for change in changes:
            assert change.from_state == before
            assert (change.from_state, change.to_state) in _ALLOWED
            before = change.to_state
        assert current.state == before
        assert not changes or current.since == minute


def test_there_is_one_alert_for_each_indicator_place_and_window() -> None:
    places = [
        ("city", "330681", "1h"),
        ("city", "330681", "24h"),
        ("town", "330681", "1h"),
        ("town", "330681001", "1h"),
    ]
    names = {alert_id("seal_coverage", *place) for place in places}
    assert len(names) == 4
    assert alert_id("seal_coverage", "city", "330681", "1h") in names


def test_a_transition_has_the_same_id_whenever_it_is_evaluated_and_another_one_for_everything_else() -> None:
    change = Change("ok", "pending", "a reason")
    one = transition_id("a", NOON, change)
    assert one == transition_id("a", NOON, change._replace(reason="another wording"))
    others = {
        transition_id("b", NOON, change),
        transition_id("a", NOON + timedelta(minutes=1), change),
        transition_id("a", NOON, Change("pending", "firing", "a reason")),
    }
    assert len(others | {one}) == 4
