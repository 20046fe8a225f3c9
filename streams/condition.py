"""What is wrong with the data rather than with the kitchens: pure rules of the conditions `no_data` and `no_activity`.

A stream that has been silent in a place for longer than its silence is no data there; a place whose stream speaks and
that has nothing to count in a whole window is no activity. Both fire at once, for the silence is their patience, and
are over with the first event. Where hours are named, the whole silence has to lie between them: a night without
takeaway orders is no failure.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.indicator import SHANGHAI
from sinks.clickhouse.alerts import log_row
from streams.alert_machine import AlertState, advance, alert_id, transition_id

MINUTE: Final = 60
_FAR: Final = 2**40


class SilenceRule(NamedTuple):
    """How long a stream may say nothing in a place, and between which hours of the day (Asia/Shanghai) that counts."""

    stream: str
    length: timedelta
    window: str
    from_hour: int = 0
    until_hour: int = 24


SILENCES: Final = (
    SilenceRule("yangguang.camera", timedelta(minutes=10), "10m"),
    SilenceRule("yangguang.seal", timedelta(hours=2), "2h", 10, 22),
    SilenceRule("yangguang.registry", timedelta(hours=48), "48h"),
    SilenceRule("yangguang.banquet", timedelta(days=30), "30d"),
)
"""The lengths of the contract of alerts. The registry is written all the time, so only silence of all of it counts."""


class Span(NamedTuple):
    """Minutes [begin, end) of as_of, Unix seconds, in which a condition holds; `end` is far where it is not known."""

    begin: int
    end: int


class Subject(NamedTuple):
    """One alert of a condition."""

    code: str
    scope: str
    scope_id: str
    window: str
    subject: str

    @property
    def alert_id(self) -> str:
        """Identity of the alert."""
        return alert_id(*self)


def within_hours(end: int, length: int, from_hour: int, until_hour: int) -> bool:
    """Whether [end - length, end) lies between these hours of one day in Asia/Shanghai."""
    if (from_hour, until_hour) == (0, 24):
        return True
    begin = datetime.fromtimestamp(end - length, SHANGHAI)
    opens = begin.replace(hour=from_hour, minute=0, second=0, microsecond=0)
    return opens <= begin and datetime.fromtimestamp(end, SHANGHAI) <= opens + timedelta(hours=until_hour - from_hour)


def silent_spans(minutes: Sequence[int], rule: SilenceRule, first: int, last: int) -> Iterator[Span]:
    """When a place was silent at the minutes of as_of from `first` to `last`.

    :param minutes: in which there was an event, ascending, the last one before `first` among them; none: the place has
        never spoken, and so is not silent."""
    length = int(rule.length.total_seconds())
    for spoke, again in zip(minutes, [*minutes, _FAR][1:], strict=True):
        begin = max(spoke + length + MINUTE, first)
        while begin <= min(again, last) and not within_hours(begin, length, rule.from_hour, rule.until_hour):
            begin = _next_within(begin, length, rule)
        if begin <= min(again, last):
            yield Span(begin, again + MINUTE if again < _FAR else _FAR)


def _next_within(minute: int, length: int, rule: SilenceRule) -> int:
    """The next minute at which the silence may lie within the hours: later today, or tomorrow."""
    local = datetime.fromtimestamp(minute, SHANGHAI)
    today = local.replace(hour=rule.from_hour, minute=0, second=0, microsecond=0)
    candidates = (today + timedelta(days=days, seconds=length) for days in (0, 1))
    return next(int(one.timestamp()) for one in candidates if int(one.timestamp()) > minute)


def idle_spans(
    denominators: Sequence[tuple[int, int]],
    spoke: Sequence[int],
    rule: SilenceRule,
    window: int,
    settle: int,
    first: int,
    last: int,
) -> Iterator[Span]:
    """When a place whose stream speaks had nothing to count.

    What evidence of earlier units still says in the first `settle` seconds of the window is no activity of its own, and
    what came after its end is not counted yet: the stream has to have spoken between.

    :param denominators: (minute, denominator) from which minute on, ascending.
    :param spoke: minutes with an event of the stream in the place.
    :param window: seconds of the window, which has to lie within the hours of the rule.
    :param settle: seconds that evidence needs to arrive; the window ends so long before as_of."""
    for (minute, units), (following, _) in zip(denominators, [*denominators, (_FAR, 1)][1:], strict=True):
        if units:
            continue
        for begin in range(max(minute, first), min(following - MINUTE, last) + 1, MINUTE):
            index = bisect_left(spoke, begin - settle)
            speaks = index > 0 and spoke[index - 1] >= begin - window
            if speaks and within_hours(begin, window + settle, rule.from_hour, rule.until_hour):
                yield Span(begin, following)
                break


def span_rows(
    subject: Subject, before: AlertState, spans: Sequence[Span], over: int | None, first: int, last: int
) -> tuple[AlertState, list[dict[str, Any]]]:
    """The state after the minutes from `first` to `last`, and the transitions that led to it.

    :param over: where the alert fires already: the first minute at which the condition no longer holds."""
    rows: list[dict[str, Any]] = []
    current = before
    happenings = [] if before.state != "firing" or over is None else [(over, False)]
    for span in spans:
        happenings += [(span.begin, True), (span.end, False)]
    for minute, holds in sorted(happenings):
        if not first <= minute <= last or holds is (current.state == "firing"):
            continue
        at = datetime.fromtimestamp(minute, UTC)
        after, changes = advance(current, 0, at, breached=holds, recovered=not holds)
        for order, change in enumerate(changes):
            state = AlertState(change.to_state, at, 0)
            rows.append(
                {
                    **row(subject, state, at),
                    "transition_id": transition_id(subject.alert_id, at, change),
                    "from_state": change.from_state,
                    "step": order,
                    "reason": _REASONS[subject.code][holds],
                }
            )
        current = after
    return current, rows


_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "no_data": ("the stream speaks again", "the stream has been silent for longer than its silence"),
    "no_activity": ("there is something to count again", "the stream speaks and nothing was to count in the window"),
    "stale": ("the watermark has caught up", "the watermark is late: all states are frozen"),
    "error": ("the numbers fit the definition again", "the numbers were not computed by the definition that is shown"),
}


def reason(code: str, holds: bool) -> str:
    """Why a condition begins or is over."""
    return _REASONS[code][holds]


def row(subject: Subject, state: AlertState, minute: datetime) -> dict[str, Any]:
    """A row of `alert_log` that says that a state went on; a transition adds what changed."""
    return log_row(
        alert_id=subject.alert_id,
        kind="condition",
        indicator=subject.code,
        scope=subject.scope,
        scope_id=subject.scope_id,
        window=subject.window,
        subject=subject.subject,
        from_state=state.state,
        to_state=state.state,
        since=state.since or minute,
        held=state.held,
        as_of=minute,
    )


def closing_row(code: str, minute: datetime) -> dict[str, Any]:
    """The row that says up to which minute a condition was judged."""
    return {**row(Subject(code, "", "", "", ""), AlertState(), minute), "alert_id": ""}
