"""What the machine of `test_alert_stateful` is worth: it finds each of these errors in the judging."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.indicator import Indicator
from streams import alert as judging
from streams import alert_machine
from streams.alert_machine import AlertState
from tests.streams.test_alert_stateful import CHECKED, Judging

_FIND: Final = (Phase.generate,)


def _later(current: AlertState, for_minutes: int, minute: datetime, **judged: bool) -> Any:
    return ADVANCE(current, for_minutes + 1, minute, **judged)


def _sooner(current: AlertState, for_minutes: int, minute: datetime, **judged: bool) -> Any:
    return ADVANCE(current, max(for_minutes - 1, 0), minute, **judged)


def _forgetful(current: AlertState, for_minutes: int, minute: datetime, **judged: bool) -> Any:
    """A firing alert whose recovery is interrupted goes on counting."""
    after, found = ADVANCE(current, for_minutes, minute, **judged)
    return (
        (after._replace(held=current.held), found)
        if after.state == current.state == "firing" and not after.held
        else (after, found)
    )


def _at_once(current: AlertState, for_minutes: int, minute: datetime, **judged: bool) -> Any:
    """What has resolved is ok."""
    after, found = ADVANCE(current, for_minutes, minute, **judged)
    return (after._replace(state="ok"), found) if after.state == "resolved" else (after, found)


def _without_floor(rules: alert_machine.Rule, value: alert_machine.Value) -> bool:
    return RECOVERS(rules._replace(floor=0), value)


def _without_sample(rules: alert_machine.Rule, value: alert_machine.Value) -> bool:
    return BREACHES(rules._replace(sampled=False), value)


def _breach_without_floor(rules: alert_machine.Rule, value: alert_machine.Value) -> bool:
    return BREACHES(rules._replace(floor=0), value)


def _at_target(rules: alert_machine.Rule, value: alert_machine.Value) -> bool:
    return RECOVERS(rules._replace(recovery=rules.target), value)


def _nothing_is_zero(current: AlertState, rules: alert_machine.Rule, value: Any, minute: datetime) -> Any:
    """A minute without a value clears what was held."""
    if value.rate(rules.counts) is None and current.state in ("pending", "firing"):
        return current._replace(held=0), []
    return STEP(current, rules, value, minute)


def _vanished_resolves(current: AlertState, rules: alert_machine.Rule, value: Any, minute: datetime) -> Any:
    gone = value.rate(rules.counts) is None and current.state == "firing"
    return (
        STEP(current, rules, alert_machine.Value(1000, 1000, 0), minute)
        if gone
        else STEP(current, rules, value, minute)
    )


def _random_id(alert: str, minute: datetime, change: alert_machine.Change) -> str:
    COUNTER.append(alert)
    return f"{ID(alert, minute, change)}-{len(COUNTER)}"


def _coarse_id(alert: str, minute: datetime, change: alert_machine.Change) -> str:
    return ID(alert, minute.replace(minute=0), change)


def _no_deadline(one: Indicator, minute: datetime) -> alert_machine.Rule:
    return RULE_AT(one.model_copy(update={"deadline": None}), minute)


def _first_target(one: Indicator, minute: datetime) -> alert_machine.Rule:
    return RULE_AT(one.model_copy(update={"target": one.target[:1]}), minute)


def _never(rows: Any, firing_before: Any) -> None:
    HOLD_BACK(rows, firing_before)
    for row in rows:
        row["inhibited_by"] = ""


def _only_in_memory(rows: Any, _: Any) -> None:
    """The city's state before the first minute is forgotten."""
    HOLD_BACK(rows, set())


ADVANCE: Final = alert_machine.advance
RECOVERS: Final = alert_machine.recovers
BREACHES: Final = alert_machine.breaches
STEP: Final = alert_machine.step
ID: Final = alert_machine.transition_id
RULE_AT: Final = judging.rule_at
HOLD_BACK: Final = judging.hold_back
COUNTER: Final[list[str]] = []

ERRORS: Final[dict[str, tuple[Any, str, Callable[..., Any]]]] = {
    "fires and resolves a minute late": (alert_machine, "advance", _later),
    "fires and resolves a minute early": (alert_machine, "advance", _sooner),
    "an interrupted recovery counts on": (alert_machine, "advance", _forgetful),
    "resolved is ok": (alert_machine, "advance", _at_once),
    "recovers below the floor": (alert_machine, "recovers", _without_floor),
    "recovers at the target": (alert_machine, "recovers", _at_target),
    "breaches below the floor": (alert_machine, "breaches", _breach_without_floor),
    "breaches within Wilson's margin": (alert_machine, "breaches", _without_sample),
    "no value clears the time": (judging, "step", _nothing_is_zero),
    "what vanishes resolves": (judging, "step", _vanished_resolves),
    "ids do not repeat": (judging, "transition_id", _random_id),
    "ids of an hour": (judging, "transition_id", _coarse_id),
    "judged before the deadline": (judging, "rule_at", _no_deadline),
    "the old year's target": (judging, "rule_at", _first_target),
    "nothing is held back": (judging, "hold_back", _never),
    "a city that fired before does not count": (judging, "hold_back", _only_in_memory),
}


@pytest.mark.parametrize("error", sorted(ERRORS))
def test_the_machine_finds_errors(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these errors, built into the judging, is found."""
    module, name, broken = ERRORS[error]
    monkeypatch.setattr(module, name, broken)
    if name == "breaches":  # judging has its own name for it
        monkeypatch.setattr(judging, name, broken)
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(
            Judging,
            settings=settings(
                CHECKED, max_examples=300, derandomize=True, database=None, print_blob=False, phases=_FIND
            ),
        )
