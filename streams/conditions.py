"""The conditions of the pipeline, judged beside the rates: silence in event time, lateness and errors by the machine.

`no_data` and `no_activity` are judged at each minute of a stream's as_of, as rates are. `stale` and `error` say
something of the pipeline itself and are judged once a minute of the machine's clock; they have to hold for a few
minutes, because every backlog is late for a moment.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.durations import window_length
from schemas.indicator import Indicator
from schemas.towns import CITY_CODE
from sinks.clickhouse import alerts, speech
from sinks.clickhouse.alerts import KnownAlert
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.speech import Spoken, StreamMark
from streams.alert import PublishTransitions, beginning, hold_back
from streams.alert_machine import AlertState, State, advance, transition_id
from streams.condition import (
    SILENCES,
    SilenceRule,
    Subject,
    closing_row,
    idle_spans,
    reason,
    row,
    silent_spans,
    span_rows,
)
from streams.silences import Silences

log: Final = logging.getLogger(__name__)

_MINUTE: Final = timedelta(minutes=1)
MACHINE_MINUTES: Final = 2
"""For how long `stale` and `error` have to hold."""
_CITY: Final = ("city", CITY_CODE)
_ORDERS: Final = "yangguang.seal"

States = dict[Subject, AlertState]
"""Those that are pending or firing."""


def machine_rows(
    code: str, wrong: Mapping[str, bool], states: Mapping[Subject, AlertState], minute: datetime, passed: int = 1
) -> tuple[States, list[dict[str, Any]]]:
    """The states of `stale` or `error` after a minute of the machine, and its rows. Pure.

    :param wrong: by stream or indicator. One that is no longer named is not known to be well, and stays as it is.
    :param passed: minutes since these were judged last: whoever is late is so while nobody has time to judge it."""
    after: States = {}
    rows: list[dict[str, Any]] = []
    for name in sorted(wrong.keys() | {one.subject for one in states}):
        subject = Subject(code, *_CITY, "now", name)
        before = states.get(subject, AlertState())
        if name not in wrong:
            after[subject] = before
            continue
        if before.state == "pending" and wrong[name]:
            before = before._replace(held=before.held + passed - 1)
        current, changes = advance(before, MACHINE_MINUTES, minute, breached=wrong[name], recovered=not wrong[name])
        for order, change in enumerate(changes):
            since = minute if change.to_state != current.state else current.since or minute
            said = row(subject, AlertState(change.to_state, since, current.held), minute)
            identity = {"transition_id": transition_id(subject.alert_id, minute, change), "step": order}
            why = reason(code, wrong[name])
            rows.append({**said, **identity, "from_state": change.from_state, "reason": why})
        if current.state in ("pending", "firing"):
            after[subject] = current
            rows.append(row(subject, current, minute))
    rows.append(closing_row(code, minute))
    return after, rows


class ConditionWatch:
    """The stage's state between ticks.

    :param catalogue: indicators with the configuration applied.
    :param publish: puts transitions on their topic and returns when the broker has acknowledged them.
    :param silences: is told where streams are silent, once that is recorded.
    :param clock: the machine's."""

    def __init__(
        self,
        store: Store,
        catalogue: Iterable[Indicator],
        publish: PublishTransitions,
        *,
        event_clock: bool,
        silences: Silences | None = None,
        rules: Iterable[SilenceRule] = SILENCES,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self._orders = [one for one in catalogue if one.relation == "orders" and one.target and one.comparator]
        self._publish = publish
        self._event_clock = event_clock
        self._silences = silences or Silences()
        self._rules = tuple(rules)
        self._clock = clock
        self._states: States = {}
        self._until: dict[str, datetime] = {}
        self._last: dict[str, dict[tuple[str, str], int]] = {}
        self._loaded = False

    def forget(self) -> None:
        """Another owner may have gone on: read the states again before the next evaluation."""
        self._loaded = False

    async def evaluate(self) -> int:
        """Judges what has not been judged yet; returns the number of transitions."""
        if not self._loaded:
            await self._load()
        marks = await speech.stream_marks(self._store)
        rows: list[dict[str, Any]] = []
        for rule in self._rules:
            mark = marks.get(rule.stream)
            if mark is not None and not mark.stale:
                rows += await self._silence(rule, mark)
        minute = self._clock().replace(second=0, microsecond=0)
        judged = self._until.get("stale")
        if judged is None or minute > judged:
            passed = 1 if judged is None else (minute - judged) // _MINUTE
            stale = {stream: mark.stale for stream, mark in marks.items()}
            for code, wrong in (("stale", stale), ("error", await speech.wrong_definitions(self._store))):
                own = {subject: state for subject, state in self._states.items() if subject.code == code}
                after, found = machine_rows(code, wrong, own, minute, passed)
                for subject in own:
                    del self._states[subject]
                self._states |= after
                rows += found
            self._until["stale"] = minute
        if not rows:
            return 0
        transitions = await alerts.record(self._store, rows)
        for rule in self._rules:
            if (until := self._until.get(f"no_data:{rule.stream}")) is not None:
                changes = [one for one in transitions if (one["indicator"], one["subject"]) == ("no_data", rule.stream)]
                self._silences.note(rule.stream, sorted(changes, key=_by_time), until)
        await self._publish(transitions)
        return len(transitions)

    async def _load(self) -> None:
        self._states = {
            Subject(code, one.scope, one.scope_id, one.window, one.subject): _state(one)
            for code in ("no_data", "no_activity", "stale", "error")
            for one in await alerts.open_alerts(self._store, code)
        }
        self._until = await alerts.evaluated_until(self._store)
        known = {rule.stream: self._until.get(f"no_data:{rule.stream}") for rule in self._rules}
        self._silences.restart(
            await alerts.condition_changes(self._store, "no_data"),
            {stream: until for stream, until in known.items() if until is not None},
        )
        self._last = {}
        self._loaded = True

    async def _silence(self, rule: SilenceRule, mark: StreamMark) -> list[dict[str, Any]]:
        code = f"no_data:{rule.stream}"
        until = self._until.get(code) or await beginning(
            self._store, (rule.stream,), mark.as_of, event_clock=self._event_clock
        )
        if until is None or until >= mark.as_of:
            return []
        first, last = until + _MINUTE, mark.as_of
        if rule.stream not in self._last:
            spoke = await speech.spoken(self._store, rule.stream, first - rule.length - _MINUTE, last)
        else:
            spoke = await speech.spoken_lately(self._store, rule.stream, first - rule.length - _MINUTE, last)
            for place, before in self._last[rule.stream].items():
                own = spoke.setdefault(place, [])
                if not own or own[0] > before:
                    own.insert(0, before)
        self._last[rule.stream] = {place: minutes[-1] for place, minutes in spoke.items() if minutes}
        rows = self._span_rows("no_data", rule, spoke, first, last)
        if rule.stream == _ORDERS:
            rows += await self._idle(rule, spoke, first, last)
        self._until[code] = last
        return [*rows, closing_row(code, last)]

    def _span_rows(
        self, code: str, rule: SilenceRule, spoke: Spoken, first: datetime, last: datetime
    ) -> list[dict[str, Any]]:
        begin, end = int(first.timestamp()), int(last.timestamp())
        rows: list[dict[str, Any]] = []
        before = self._firing_before(code)
        for place, minutes in sorted(spoke.items()):
            subject = Subject(code, *place, rule.window, rule.stream)
            # silence that was told of lasts until the first event of these minutes
            since = self._states.get(subject, AlertState()).since
            again = [one for one in minutes if since is not None and one >= int(since.timestamp())]
            over = max(again[0] + 60, begin) if again else None
            rows += self._advance(subject, list(silent_spans(minutes, rule, begin, end)), over, begin, end)
        hold_back(rows, before)
        return rows

    async def _idle(self, rule: SilenceRule, spoke: Spoken, first: datetime, last: datetime) -> list[dict[str, Any]]:
        begin, end = int(first.timestamp()), int(last.timestamp())
        rows: list[dict[str, Any]] = []
        for indicator in self._orders:
            points = (await alerts.series(self._store, [indicator], first, last))[indicator.code]
            for window in indicator.alert_windows:
                before = self._firing_before("no_activity")
                found: list[dict[str, Any]] = []
                for place, minutes in sorted(spoke.items()):
                    own = [
                        (int(one.minute.timestamp()), one.denominator)
                        for one in points
                        if (one.scope, one.scope_id, one.window) == (*place, window)
                    ]
                    if not own or own[0][0] > begin:
                        own.insert(0, (begin, 0))
                    subject = Subject("no_activity", *place, window, indicator.code)
                    length = int(window_length(window).total_seconds())
                    settle = int(indicator.settle.total_seconds())
                    spans = list(idle_spans(own, minutes, rule, length, settle, begin, end))
                    over = next((minute for minute, units in own if units), None)
                    found += self._advance(subject, spans, over, begin, end)
                hold_back(found, before)
                rows += found
        return rows

    def _advance(
        self, subject: Subject, spans: list[Any], over: int | None, begin: int, end: int
    ) -> list[dict[str, Any]]:
        state, rows = span_rows(subject, self._states.get(subject, AlertState()), spans, over, begin, end)
        if state.state in ("pending", "firing"):
            self._states[subject] = state
        else:
            self._states.pop(subject, None)
        return rows

    def _firing_before(self, code: str) -> set[tuple[str, str]]:
        return {
            (one.window, one.subject)
            for one, state in self._states.items()
            if one.code == code and one.scope == "city" and state.state == "firing"
        }


def _by_time(transition: Mapping[str, Any]) -> tuple[datetime, int]:
    return transition["as_of"], transition["step"]


def _state(known: KnownAlert) -> AlertState:
    state: State = "firing" if known.state == "firing" else "pending"
    return AlertState(state, known.since, known.held)
