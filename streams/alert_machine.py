"""When an alert fires and when it resolves: a pure state machine over minutes of event time.

ok -> pending -> firing -> resolved (-> pending). A breach has to hold for `for` before the alert fires, and the
recovery level has to be held for as long before it resolves. A minute without a value neither fires nor resolves: the
time of `for` stands still. Small samples do not cry wolf: below the floor nothing fires, and of a flow rate the Wilson
bound on the good side must be on the wrong side of the target too (Wilson 1927; a census has no sampling error and no
bound).
"""

import hashlib
from datetime import datetime
from math import sqrt
from typing import Literal, NamedTuple

from schemas.indicator import NOT_JUDGED, Z_95

State = Literal["ok", "pending", "firing", "resolved"]


class Rule(NamedTuple):
    """By what an alert is judged at one minute; `target` None means that it is not judged then."""

    target: float | None
    recovery: float | None
    comparator: Literal[">=", "<="]
    floor: int
    for_minutes: int
    sampled: bool
    """A flow rate, whose sample has an error."""
    counts: bool
    """A number of units, which has neither floor nor bound."""


class Value(NamedTuple):
    """What was counted at one minute."""

    numerator: int
    denominator: int
    unknown: int

    def rate(self, counts: bool) -> float | None:
        """The rate, the number for a count, None where there is nothing to judge."""
        if counts:
            return float(self.numerator)
        return self.numerator / self.denominator if self.denominator else None


class AlertState(NamedTuple):
    """Where an alert stands. `held` is one more than the minutes for which the condition of the next transition has
    held, 0 where it does not hold."""

    state: State = "ok"
    since: datetime | None = None
    held: int = 0


class Change(NamedTuple):
    """One transition within a minute."""

    from_state: State
    to_state: State
    reason: str


def wilson_bounds(numerator: int, denominator: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share: (lower, upper). The denominator is at least 1."""
    share, z2 = numerator / denominator, Z_95 * Z_95
    middle = share + z2 / (2 * denominator)
    reach = Z_95 * sqrt(share * (1 - share) / denominator + z2 / (4 * denominator * denominator))
    scale = 1 + z2 / denominator
    return (middle - reach) / scale, (middle + reach) / scale


def breaches(rule: Rule, value: Value) -> bool:
    """Whether the value is on the wrong side of the target, with a sample that proves it."""
    rate = value.rate(rule.counts)
    if rate is None or rule.target is None or not _enough(rule, value):
        return False
    high = rule.comparator == "<="
    if not (rate > rule.target if high else rate < rule.target):
        return False
    if not rule.sampled or rule.counts:
        return True
    lower, upper = wilson_bounds(value.numerator, value.denominator)
    return lower > rule.target if high else upper < rule.target


def recovers(rule: Rule, value: Value) -> bool:
    """Whether the value is at or beyond the recovery level, with at least the sample floor."""
    rate = value.rate(rule.counts)
    if rate is None or rule.recovery is None or not _enough(rule, value):
        return False
    return rate <= rule.recovery if rule.comparator == "<=" else rate >= rule.recovery


def _enough(rule: Rule, value: Value) -> bool:
    return rule.counts or value.denominator >= rule.floor


def step(current: AlertState, rule: Rule, value: Value | None, minute: datetime) -> tuple[AlertState, list[Change]]:
    """The state after a minute, and the transitions that led to it.

    An alert of the year before is over when its target has a new deadline: until then nothing is judged, not even
    pending.

    :param value: None where the minute has no value (no data, stale, error); a share without units has none either.
    """
    if rule.target is None and current.state in ("pending", "firing"):
        after: State = "ok" if current.state == "pending" else "resolved"
        return AlertState(after, minute, 0), [Change(current.state, after, NOT_JUDGED)]
    if rule.target is None or value is None or value.rate(rule.counts) is None:
        return current, []
    firing = current.state == "firing"
    return advance(
        current,
        rule.for_minutes,
        minute,
        breached=not firing and breaches(rule, value),
        recovered=firing and recovers(rule, value),
    )


def advance(
    current: AlertState, for_minutes: int, minute: datetime, *, breached: bool, recovered: bool
) -> tuple[AlertState, list[Change]]:
    """The same for a minute that is judged already; what breaches does not recover."""
    changes: list[Change] = []
    if current.state in ("ok", "resolved") and breached:
        changes.append(Change(current.state, "pending", "on the wrong side of the target"))
        current = AlertState("pending", minute, 0)
    if current.state == "pending":
        if not breached:
            changes.append(Change("pending", "ok", "recovered or fell below the sample floor"))
            return AlertState("ok", minute, 0), changes
        current = current._replace(held=current.held + 1)
        if current.held > for_minutes:
            changes.append(Change("pending", "firing", f"has held for {for_minutes} min"))
            return AlertState("firing", minute, 0), changes
    elif current.state == "firing":
        current = current._replace(held=current.held + 1 if recovered else 0)
        if current.held > for_minutes:
            changes.append(Change("firing", "resolved", f"at or beyond the recovery level for {for_minutes} min"))
            return AlertState("resolved", minute, 0), changes
    return current, changes


def alert_id(indicator: str, scope: str, scope_id: str, window: str, subject: str = "") -> str:
    """Identity of an alert: there is one per indicator, place and window, and of other kinds one per subject."""
    place = f"{indicator}.{scope}.{scope_id}.{window}"
    return f"{place}.{subject}" if subject else place


def transition_id(alert: str, minute: datetime, change: Change) -> str:
    """Identity of a transition, the same whenever the minute is evaluated again."""
    text = f"{alert}|{int(minute.timestamp())}|{change.from_state}|{change.to_state}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
