"""Whatever happens to the one who judges, people are told what they would have been told had nothing happened.

Hypothesis drives the judging of one indicator through jumps of the watermark, restarts, evaluations that are made twice
and new owners, and compares all that was recorded with a reference that reads the whole history anew.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from schemas.indicator import Dated, Indicator, Number
from schemas.indicators import CATALOGUE
from sinks.clickhouse.alerts import SeriesPoint
from streams.alert import Evaluation
from streams.alert_machine import AlertState
from tests.streams.alert_reference import Expected, Numbers, Rules, fires_after, transitions

MINUTE: Final = timedelta(minutes=1)
START: Final = datetime(2026, 12, 31, 15, 20, tzinfo=UTC)
"""40 minutes before 2027 begins in Shanghai."""
NEW_YEAR: Final = date(2027, 1, 1)
LONG_AGO: Final = date(2023, 1, 1)
Spot = tuple[str, str]
CITY: Final[Spot] = ("city", "330681")
SPOTS: Final[tuple[Spot, ...]] = (CITY, ("town", "330681001"), ("town", "330681002"), ("platform", "meituan"))
NOTHING: Final = Numbers(0, 0)
_SPAN: Final = 45

FLOW: Final = Rules(((LONG_AGO, 0.9),), None, False, 30, 10, True, False, None)
KINDS: Final = {
    "flow": FLOW,
    "flow that must stay low": FLOW._replace(targets=((LONG_AGO, 0.1),), recovery=0.08, high_is_bad=True),
    "share of a census": FLOW._replace(flow=False, floor=1),
    "number to reach": FLOW._replace(flow=False, counts=True, floor=0, targets=((LONG_AGO, 3.0),)),
    "number not to exceed": FLOW._replace(
        flow=False, counts=True, floor=0, targets=((LONG_AGO, 0.0),), high_is_bad=True
    ),
}


def dated(entries: Sequence[tuple[date, float]]) -> tuple[Dated[Number], ...]:
    """Entries as the catalogue has them."""
    return tuple(Dated[Number].model_validate({"from": day, "value": value}) for day, value in entries)


def indicator(rules: Rules) -> Indicator:
    """An indicator of the catalogue that is judged by these rules."""
    like = CATALOGUE["seal_coverage" if rules.flow else "kitchen_build"]
    return like.model_copy(
        update={
            "counts": rules.counts,
            "comparator": "<=" if rules.high_is_bad else ">=",
            "target": dated(rules.targets),
            "recovery": dated([(LONG_AGO, rules.recovery)]) if rules.recovery is not None else (),
            "floor": (Dated[int].model_validate({"from": LONG_AGO, "value": rules.floor}),),
            "for_": rules.minutes * MINUTE,
            "deadline": rules.deadline,
        }
    )


def numbers_of(rules: Rules) -> st.SearchStrategy[Numbers]:
    """Numbers around all that is decided: target, recovery level, floor, Wilson's margin; and no units at all."""
    if rules.counts:
        return st.builds(Numbers, st.integers(0, 5), st.just(0))
    shares = (0.0, 0.05, 0.08, 0.1, 0.12, 0.3) if rules.high_is_bad else (1.0, 0.92, 0.91, 0.9, 0.88, 0.8, 0.5)
    units = st.sampled_from((1, 10, 29, 30, 50, 100, 1000))
    return st.just(NOTHING) | st.builds(
        lambda share, of: Numbers(round(share * of), of), st.sampled_from(shares), units
    )


class Judging(RuleBasedStateMachine):
    """The judging of one indicator, as the alert stage does it, and what happens to it."""

    @initialize(
        kind=st.sampled_from(sorted(KINDS)),
        minutes=st.sampled_from((0, 1, 3, 10)),
        deadline=st.booleans(),
        next_year=st.booleans(),
    )
    def begin(self, kind: str, minutes: int, deadline: bool, next_year: bool) -> None:
        """A live system begins with nothing recorded."""
        rules = KINDS[kind]._replace(minutes=minutes, deadline=date(2026, 12, 31) if deadline else None)
        if next_year:  # from then on a little more is asked, or nothing was asked before
            rules = rules._replace(targets=((LONG_AGO, rules.targets[0][1]), (NEW_YEAR, NEXT_TARGETS[kind])))
        self.asked = rules
        self.indicator = indicator(rules)
        self.window = self.indicator.alert_windows[0]
        self.spots = SPOTS[:1] if rules.counts and not rules.high_is_bad else SPOTS
        self.history: dict[Spot, list[Numbers]] = {spot: [] for spot in SPOTS}
        self.states: dict[str, AlertState] = {}
        self.recorded: list[dict[str, Any]] = []
        self.judged = 0
        """Minutes that are recorded."""

    @rule(data=st.data(), minutes=st.integers(1, _SPAN))
    def advance(self, data: st.DataObject, minutes: int) -> None:
        """as_of goes on, by a minute or in a jump."""
        for spot in SPOTS:
            runs = data.draw(st.lists(st.tuples(numbers_of(self.asked), st.integers(1, 15)), min_size=1, max_size=6))
            course = [one for one, times in runs for _ in range(times)]
            course += [course[-1]] * minutes
            self.history[spot] += course[:minutes]
        self.recorded += self.evaluate(self.states, self.judged)
        self.judged = len(self.history[CITY])

    @rule(minutes=st.integers(1, _SPAN))
    def vanish(self, minutes: int) -> None:
        """For a while nothing is there of any place."""
        for spot in SPOTS:
            self.history[spot] += [NOTHING] * minutes
        rows = self.evaluate(self.states, self.judged)
        if not self.asked.counts:
            assert not [row for row in rows if row["transition_id"]], "what vanishes neither fires nor resolves"
        self.recorded += rows
        self.judged = len(self.history[CITY])

    @rule()
    def restart(self) -> None:
        """All that was in memory is gone; what was recorded is read."""
        self.states = latest(self.recorded)

    @rule(data=st.data(), minutes=st.integers(1, _SPAN))
    def crash(self, data: st.DataObject, minutes: int) -> None:
        """The judge ends after judging and before recording: the next one judges these minutes again, and more."""
        lost = dict(self.states)
        for spot in SPOTS:
            self.history[spot] += data.draw(st.lists(numbers_of(self.asked), min_size=minutes, max_size=minutes))
        before = ids(self.evaluate(lost, self.judged))
        self.states = latest(self.recorded)
        again = self.evaluate(self.states, self.judged)
        assert ids(again) == before
        self.recorded += again
        self.judged = len(self.history[CITY])

    @precondition(lambda self: self.judged > 1)
    @rule(data=st.data())
    def rebalance(self, data: st.DataObject) -> None:
        """Another owner read the log before the last minutes were recorded: it judges them again, under the same ids,
        records them again, and goes on."""
        back = data.draw(st.integers(0, min(self.judged - 1, _SPAN)))
        cut = START + (self.judged - back) * MINUTE
        past = [row for row in self.recorded if row["as_of"] < cut]
        marks = {row["as_of"] for row in past if not row["alert_id"]}
        if cut - MINUTE not in marks:  # the log only ends where an evaluation ended
            cut = max(marks, default=START - MINUTE) + MINUTE
            past = [row for row in past if row["as_of"] < cut]
        states = latest(past)
        again = self.evaluate(states, (cut - START) // MINUTE)
        assert ids(again) == ids([row for row in self.recorded if row["as_of"] >= cut])
        self.recorded += again
        self.states = states

    def evaluate(self, states: dict[str, AlertState], begun: int) -> list[dict[str, Any]]:
        """The rows of one evaluation of all minutes from that one on; `states` goes on."""
        first, last = START + begun * MINUTE, START + (len(self.history[CITY]) - 1) * MINUTE
        if last < first:
            return []
        evaluation = Evaluation(self.indicator, states)
        evaluation.run(changes(self.history, self.window, begun), first, last)
        return evaluation.rows

    def expected(self) -> dict[Spot, list[Expected]]:
        """What the reference says of every place."""
        return {spot: transitions(self.asked, START, self.history[spot]) for spot in self.spots}

    @invariant()
    def nothing_is_lost_and_nothing_made_up(self) -> None:
        """The recorded transitions are the reference's, and each has one id of its own."""
        if not hasattr(self, "asked"):
            return
        found = [row for row in self.recorded if row["transition_id"]]
        by_id = {row["transition_id"]: told(row) for row in found}
        assert len(set(by_id.values())) == len(by_id), "one transition, two ids"
        assert {told(row) for row in found} == set(by_id.values()), "one id, two transitions"
        expected = {(spot, *one) for spot, several in self.expected().items() for one in several}
        assert set(by_id.values()) == expected

    @invariant()
    def held_back_while_the_city_fires(self) -> None:
        """A town's or a platform's transition names the city's alert exactly when that fires at the minute's end."""
        if not hasattr(self, "asked"):
            return
        city = self.expected()[CITY]
        for row in self.recorded:
            if not row["transition_id"]:
                continue
            held_back = row["scope"] != "city" and fires_after(city, row["as_of"])
            name = f"{self.indicator.code}.city.330681.{self.window}"
            assert row["inhibited_by"] == (name if held_back else ""), (row["scope"], row["as_of"], row["to_state"])

    @invariant()
    def every_alert_that_is_open_is_in_the_last_evaluation(self) -> None:
        """Whoever reads the log finds the state that the judge has in memory."""
        if hasattr(self, "asked"):
            read = {key: one for key, one in latest(self.recorded).items() if one.state in ("pending", "firing")}
            kept = {key: one for key, one in self.states.items() if one.state in ("pending", "firing")}
            assert read == kept


NEXT_TARGETS: Final = {
    "flow": 0.91,
    "flow that must stay low": 0.09,
    "share of a census": 0.95,
    "number to reach": 4.0,
    "number not to exceed": 2.0,
}


def told(row: dict[str, Any]) -> tuple[Spot, datetime, str, str]:
    """What a transition says, but for its id."""
    return (row["scope"], row["scope_id"]), row["as_of"], row["from_state"], row["to_state"]


def ids(rows: Sequence[dict[str, Any]]) -> set[str]:
    """The transitions among the rows."""
    return {row["transition_id"] for row in rows if row["transition_id"]}


def latest(rows: Sequence[dict[str, Any]]) -> dict[str, AlertState]:
    """The states as they are read from the log: of every alert its last row, by as_of and step."""
    ordered = sorted((row for row in rows if row["alert_id"]), key=lambda row: (row["as_of"], row["step"]))
    return {row["alert_id"]: AlertState(row["to_state"], row["since"], row["held"]) for row in ordered}


def changes(history: dict[Spot, list[Numbers]], window: str, begun: int) -> list[SeriesPoint]:
    """The numbers from a minute on, as changes; a place that has nothing at first is absent until it has."""
    found = []
    for (scope, scope_id), course in history.items():
        before = NOTHING
        for number, numbers in enumerate(course[begun:], begun):
            if numbers != before:
                found.append(SeriesPoint(scope, scope_id, window, START + number * MINUTE, *numbers, 0))
            before = numbers
    return sorted(found, key=lambda point: point.minute)


CHECKED: Final = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)

TestJudging = Judging.TestCase
TestJudging.settings = CHECKED
