"""A source of which too much is refused: a condition beside the alerts of rates, on the same log and topic.

It is judged once a minute of the machine's clock, whatever clock the rates go by, on what came in the minutes before.
A minute is judged only when everything that had reached Kafka at its end is stored, within that minute: while workers
are behind, what a gateway refused is known and what it accepted is not, and every source would look bad. Minutes that
are not judged stop the time of `for`, as a minute without a value does.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from kafka.errors import KafkaError

from sinks.clickhouse import alerts
from sinks.clickhouse.alerts import KnownAlert, log_row
from sinks.clickhouse.arrivals import MOST_SOURCES, Arrivals, arrivals
from sinks.clickhouse.client import Store, now
from streams.alert import PublishTransitions
from streams.alert_machine import AlertState, State, advance, alert_id, transition_id
from streams.backlog import Backlog, Ends
from streams.rejects_rule import RejectsRule

log: Final = logging.getLogger(__name__)

CODE: Final = "rejects_high"
KIND: Final = "condition"
SCOPE: Final = "source"
_MINUTE: Final = timedelta(minutes=1)
_NOTHING: Final = Arrivals(0, 0, "")


class Source(NamedTuple):
    """One alert: a source, and the window on which it was judged."""

    source: str
    window: str

    @property
    def alert_id(self) -> str:
        """Identity of the alert."""
        return alert_id(CODE, SCOPE, self.source, self.window)


States = dict[Source, AlertState]
"""Those that are pending or firing."""


def judged(
    rule: RejectsRule, states: Mapping[Source, AlertState], seen: Mapping[str, Arrivals], minute: datetime
) -> tuple[States, list[dict[str, Any]]]:
    """The states after a minute, and its rows of `alert_log`. Pure.

    A source that sends nothing any more has nothing refused: it recovers. What was judged on another window is not
    judged any more, and is over at once. Where there are more sources than are looked at, one that is not among them
    stays as it is.

    :param seen: what came of each source in the window before the minute."""
    after: States = {}
    rows: list[dict[str, Any]] = []
    for source in sorted({Source(name, rule.window) for name in seen} | states.keys()):
        before = states.get(source, AlertState())
        counted = seen.get(source.source, _NOTHING)
        if source.source not in seen and len(seen) >= MOST_SOURCES:
            after[source] = before
            continue
        breached = source.window == rule.window and rule.breached(counted.refused, counted.accepted)
        patience = rule.for_minutes if source.window == rule.window else 0
        current, changes = advance(before, patience, minute, breached=breached, recovered=not breached)
        for order, change in enumerate(changes):
            since = minute if change.to_state != current.state else current.since or minute
            row = _row(rule, source, AlertState(change.to_state, since, current.held), minute, counted)
            identity = {"transition_id": transition_id(source.alert_id, minute, change), "step": order}
            reason = f"{change.reason}: {_words(rule, counted)}"
            rows.append({**row, **identity, "from_state": change.from_state, "reason": reason})
        if current.state in ("pending", "firing"):
            after[source] = current
            rows.append({**_row(rule, source, current, minute, counted), "from_state": current.state})
    closing = _row(rule, Source("", ""), AlertState(), minute, _NOTHING)
    rows.append({**closing, "alert_id": "", "scope": "", "target": None})
    return after, rows


def _words(rule: RejectsRule, seen: Arrivals) -> str:
    mostly = f", mostly {seen.reason}" if seen.reason else ""
    return f"{seen.refused} of {seen.refused + seen.accepted} events refused in {rule.window_minutes} min{mostly}"


def _row(rule: RejectsRule, source: Source, state: AlertState, minute: datetime, seen: Arrivals) -> dict[str, Any]:
    together = seen.refused + seen.accepted
    return log_row(
        alert_id=source.alert_id,
        kind=KIND,
        indicator=CODE,
        scope=SCOPE,
        scope_id=source.source,
        window=source.window,
        to_state=state.state,
        since=state.since or minute,
        held=state.held,
        as_of=minute,
        numerator=seen.refused,
        denominator=together,
        rate=seen.refused / together if together else None,
        target=rule.share,
    )


class RejectsWatch:
    """The stage's state between ticks.

    :param backlog: tells what has reached Kafka and whether it is stored.
    :param publish: puts transitions on their topic and returns when the broker has acknowledged them.
    :param clock: the machine's.
    """

    def __init__(
        self,
        store: Store,
        rule: RejectsRule,
        backlog: Backlog,
        publish: PublishTransitions,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self._rule = rule
        self._backlog = backlog
        self._publish = publish
        self._clock = clock
        self._states: States = {}
        self._until: datetime | None = None
        self._loaded = False
        self._waiting: tuple[datetime, Ends] | None = None

    def forget(self) -> None:
        """Another owner may have gone on: read the states again before the next evaluation."""
        self._loaded = False
        self._waiting = None

    async def evaluate(self) -> int:
        """Judges the minute that has just ended, when all that came in it is stored; returns the number of
        transitions."""
        minute = self._clock().replace(second=0, microsecond=0)
        if not self._loaded:
            known = await alerts.open_alerts(self._store, CODE)
            self._states = {Source(one.scope_id, one.window): _state(one) for one in known}
            self._until = (await alerts.evaluated_until(self._store)).get(CODE)
            self._loaded = True
        if self._until is not None and minute <= self._until:
            return 0
        try:
            if self._waiting is None or self._waiting[0] != minute:
                self._waiting = minute, await self._backlog.ends()
            if not await self._backlog.is_stored(self._waiting[1]):
                return 0
        except KafkaError as error:
            log.warning("Kafka does not tell how far it is (%s): sources are judged later", type(error).__name__)
            return 0
        return await self._judge(minute)

    async def _judge(self, minute: datetime) -> int:
        seen = await arrivals(self._store, minute - self._rule.window_minutes * _MINUTE, minute)
        states, rows = judged(self._rule, self._states, seen, minute)
        transitions = await alerts.record(self._store, rows)
        self._states, self._until, self._waiting = states, minute, None
        await self._publish(transitions)
        return len(transitions)


def _state(known: KnownAlert) -> AlertState:
    state: State = "firing" if known.state == "firing" else "pending"
    return AlertState(state, known.since, known.held)
