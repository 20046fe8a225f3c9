"""Alert: when an indicator's as_of passes a minute, judge every place at that minute, record it, publish transitions.

Every minute is judged, also when the watermark jumps. States and transitions of one evaluation are one block in
`alert_log`; what was recorded last is published again after a restart, under the same ids.
"""

import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.indicator import SHANGHAI, Indicator
from schemas.places import place_label
from schemas.towns import CITY_CODE
from sinks.clickhouse import alerts
from sinks.clickhouse.alerts import WENT_ON, Mark, SeriesPoint
from sinks.clickhouse.client import Store
from sinks.clickhouse.rates import scope_ids
from streams.alert_machine import AlertState, Rule, Value, alert_id, breaches, step, transition_id
from streams.silences import Silences, Silent
from streams.watermark import as_of

log: Final = logging.getLogger(__name__)

MINUTE: Final = timedelta(minutes=1)
WORST: Final = 5
FIRST_REACH: Final = timedelta(days=100)
"""How far back the first evaluation in event time goes at most."""

PublishTransitions = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]


class Place(NamedTuple):
    """Scope, scope_id and window: with the indicator's code, the identity of an alert."""

    scope: str
    scope_id: str
    window: str


def rule_at(indicator: Indicator, minute: datetime) -> Rule:
    """The rule that is valid at a minute. A target with a deadline is not judged until that day is over."""
    day = minute.astimezone(SHANGHAI).date()
    waits = indicator.deadline is not None and day <= indicator.deadline
    return Rule(
        None if waits else indicator.target_on(day),
        indicator.recovery_on(day),
        indicator.comparator or ">=",
        indicator.floor_on(day),
        int(indicator.for_.total_seconds()) // 60,
        indicator.kind == "flow",
        indicator.counts,
    )


def _next_day(minute: datetime) -> datetime:
    """The next midnight in Asia/Shanghai: until then dated configuration does not change."""
    local = minute.astimezone(SHANGHAI)
    return (local.replace(hour=0, minute=0) + timedelta(days=1)).astimezone(UTC)


def judged_places(indicator: Indicator) -> list[tuple[str, str]]:
    """(scope, scope_id) of every place that is judged. A number that has to be reached is the whole city's: no town is
    asked for 14 canteens of its own."""
    places = scope_ids(indicator)
    return [one for one in places if one[0] == "city"] if indicator.counts and indicator.comparator == ">=" else places


def hold_back(rows: Iterable[dict[str, Any]], firing_before: Container[tuple[str, str]]) -> None:
    """Marks the transitions of towns and platforms at minutes at whose end the city's alert of the same window and
    subject fires: they are recorded and not sent.

    :param rows: of one indicator or condition; each gets `inhibited_by`.
    :param firing_before: windows and subjects with which the city fired before the first minute."""
    rows = list(rows)
    city = [row for row in rows if row["scope"] == "city" and row["transition_id"]]
    for row in rows:
        row["inhibited_by"] = ""
        if row["scope"] not in ("town", "platform") or not row["transition_id"]:
            continue
        key = row["window"], row["subject"]
        own = [one for one in city if (one["window"], one["subject"]) == key and one["as_of"] <= row["as_of"]]
        last = max(own, key=lambda one: (one["as_of"], one["step"]), default=None)
        if last["to_state"] == "firing" if last else key in firing_before:
            row["inhibited_by"] = alert_id(row["indicator"], "city", CITY_CODE, *key)


class Evaluation:
    """Judges one indicator over a span of minutes: pure, from values to rows of `alert_log`."""

    def __init__(
        self, indicator: Indicator, states: dict[str, AlertState], silent: Silent = MappingProxyType({})
    ) -> None:
        """:param silent: where and when there is no value, as the stream says nothing."""
        self._indicator = indicator
        self._states = states
        self._silent = silent
        self.rows: list[dict[str, Any]] = []

    def run(self, points: Sequence[SeriesPoint], first: datetime, last: datetime) -> None:
        """Steps every place through every minute from `first` to `last`; `states` is brought up to date."""
        by_place: dict[Place, list[SeriesPoint]] = {
            Place(scope, scope_id, window): []
            for window in self._indicator.alert_windows
            for scope, scope_id in scope_ids(self._indicator)
        }
        for point in points:
            by_place.setdefault(Place(*point[:3]), []).append(point)
        judged = set(judged_places(self._indicator))
        city = {one: alert_id(self._indicator.code, "city", CITY_CODE, one) for one in self._indicator.alert_windows}
        firing_before = {
            (window, "") for window, one in city.items() if self._states.get(one, AlertState()).state == "firing"
        }
        finals: dict[Place, Value] = {}
        for place, changes in by_place.items():
            if place[:2] not in judged:
                continue
            finals[place] = self._run_place(place, changes, first, last)
        day_rule = rule_at(self._indicator, last)
        for place, value in finals.items():
            identity = alert_id(self._indicator.code, *place)
            current = self._states.get(identity, AlertState())
            if current.state in ("pending", "firing"):
                row = self._row(place, current, last, value, day_rule.target)
                self.rows.append({**row, "from_state": current.state, "to_state": current.state, "step": WENT_ON})
        hold_back(self.rows, firing_before)
        for row in self.rows:
            if row["scope"] == "city":
                row["worst"] = self._worst(by_place, row["window"], row["as_of"])
        self.rows.append({**self._row(Place("", "", ""), AlertState(), last, Value(0, 0, 0), None), "alert_id": ""})

    def _run_place(self, place: Place, changes: list[SeriesPoint], first: datetime, last: datetime) -> Value:
        identity = alert_id(self._indicator.code, *place)
        current = self._states.get(identity, AlertState())
        silent = [
            (begin, end)
            for begin, end in self._silent.get((place.scope, place.scope_id), ())
            if begin <= last and (end is None or end > first)
        ]
        upcoming = iter(changes)
        following = next(upcoming, None)
        value = Value(0, 0, 0)
        minute = first
        rule, valid_until = rule_at(self._indicator, first), _next_day(first)
        while minute <= last:
            if minute >= valid_until:
                rule, valid_until = rule_at(self._indicator, minute), _next_day(minute)
            while following is not None and following.minute <= minute:
                value = Value(*following[4:])
                following = next(upcoming, None)
            before = current
            mute = any(begin <= minute and (end is None or minute < end) for begin, end in silent)
            current, transitions = step(before, rule, None if mute else value, minute)
            for order, change in enumerate(transitions):
                since = minute if change.to_state != current.state else current.since or minute
                row = self._row(place, AlertState(change.to_state, since, current.held), minute, value, rule.target)
                self.rows.append(
                    {
                        **row,
                        "transition_id": transition_id(identity, minute, change),
                        "from_state": change.from_state,
                        "to_state": change.to_state,
                        "reason": change.reason,
                        "step": order,
                    }
                )
            minute += MINUTE
            if current.state in ("ok", "resolved") and not breaches(rule, value):
                # nothing can happen before the numbers or the day change
                minute = max(minute, min(following.minute if following else last + MINUTE, valid_until))
        self._states[identity] = current
        return value

    def _row(
        self, place: Place, state: AlertState, minute: datetime, value: Value, target: float | None
    ) -> dict[str, Any]:
        return alerts.log_row(
            alert_id=alert_id(self._indicator.code, *place),
            kind="rate",
            indicator=self._indicator.code,
            **place._asdict(),
            to_state=state.state,
            since=state.since or minute,
            held=state.held,
            as_of=minute,
            **value._asdict(),
            rate=value.rate(self._indicator.counts),
            target=target,
        )

    def _worst(
        self, by_place: Mapping[Place, Sequence[SeriesPoint]], window: str, minute: datetime
    ) -> list[tuple[str, str, str, int, int, float]]:
        """The towns and platforms with the worst rates at a minute, at most five, those with units only and those with
        too few for a judgement last; of a number that has to stay low, those that have some."""
        counts = self._indicator.counts
        if counts and self._indicator.comparator == ">=":
            return []
        floor = 0 if counts else self._indicator.floor_on(minute.astimezone(SHANGHAI).date())
        found = []
        for place, changes in by_place.items():
            past = [point for point in changes if point.minute <= minute]
            if place.scope == "city" or place.window != window or not past:
                continue
            value = Value(*past[-1][4:])
            rate = value.rate(counts)
            if rate is None or (counts and not value.numerator):
                continue
            name = place_label(place.scope, place.scope_id)
            found.append((place.scope, place.scope_id, name, value.numerator, value.denominator, rate))
        worst_first = -1 if self._indicator.comparator == "<=" else 1
        return sorted(found, key=lambda one: (one[4] < floor, worst_first * one[5]))[:WORST]


async def beginning(store: Store, streams: Sequence[str], present: datetime, *, event_clock: bool) -> datetime | None:
    """The minute before the first one to judge: of a replay its beginning, of a live system its present. None while one
    of the streams has no event."""
    if not event_clock:
        return present - MINUTE
    earliest = await alerts.earliest_event(store, streams)
    return None if earliest is None else max(as_of(earliest), present - FIRST_REACH)


class Alerter:
    """The stage's state between ticks.

    :param catalogue: indicators with the configuration applied.
    :param publish: puts transitions on their topic and returns when the broker has acknowledged them.
    :param silences: where streams are silent; rates go no further than that is judged.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Iterable[Indicator],
        publish: PublishTransitions,
        *,
        event_clock: bool,
        silences: Silences | None = None,
    ) -> None:
        self._store = store
        self._silences = silences or Silences()
        self._judged = [one for one in catalogue if one.target and one.comparator]
        self._publish = publish
        self._event_clock = event_clock
        self._states: dict[str, AlertState] = {}
        self._until: dict[str, datetime] = {}
        self._loaded = False

    def forget(self) -> None:
        """Another owner may have gone on: read the states again before the next evaluation."""
        self._loaded = False

    async def _load(self) -> None:
        self._states = {
            row["alert_id"]: AlertState(row["state"], row["since"], row["held"])
            for row in await alerts.last_states(self._store)
        }
        self._until = await alerts.evaluated_until(self._store)
        self._loaded = True

    async def evaluate(self) -> int:
        """Judges all minutes that as_of has passed since the last call; returns the number of transitions."""
        if not self._loaded:
            await self._load()
        known = await alerts.marks(self._store)
        spans: dict[tuple[datetime, datetime], list[Indicator]] = {}
        for indicator in self._judged:
            mark = known.get(indicator.code)
            if mark is None or mark.frozen:
                continue
            if (heard := self._silences.until(indicator)) is not None:
                mark = mark._replace(as_of=min(mark.as_of, heard))
            if (first := await self._first(indicator, mark)) is not None:
                spans.setdefault((first, mark.as_of), []).append(indicator)
        rows: list[dict[str, Any]] = []
        for (first, last), indicators in spans.items():
            points = await alerts.series(self._store, indicators, first, last)
            for indicator in indicators:
                evaluation = Evaluation(indicator, self._states, self._silences.of(indicator))
                evaluation.run(points[indicator.code], first, last)
                self._until[indicator.code] = last
                rows += evaluation.rows
        if not rows:
            return 0
        transitions = await alerts.record(self._store, rows)
        await self._publish(transitions)
        return len(transitions)

    async def _first(self, indicator: Indicator, mark: Mark) -> datetime | None:
        """The first minute to judge; None where there is none yet."""
        until = self._until.get(indicator.code) or await beginning(
            self._store, indicator.streams, mark.as_of, event_clock=self._event_clock
        )
        return until + MINUTE if until is not None and until < mark.as_of else None
