"""The lives of operators, villages and duties as spans of minutes in which nothing about them changes.

At a minute m count the events with `time` < m, an order delivered in [m - active days, m), and certificates whose last
day (Asia/Shanghai) is not before m's. Each of these changes at known minutes only; between two such minutes the
conditions are constant, so the value of any stock indicator at any minute is read off the spans.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from schemas.indicator import END, SHANGHAI
from schemas.relations import RELATIONS

SPAN_FIELDS: Final = tuple(RELATIONS["operators"].fields)
"""What a span of an operator says besides its minutes."""

Events = Sequence[tuple[datetime, Any]]
"""What events say, each with its time, in the order (time, id, source); at one minute the last counts."""
Spans = list[tuple[Any, ...]]
"""(from, until) in Unix seconds and the fields, in order and without gaps, from the first record on."""

_CERTIFICATE_FIELDS: Final = (
    ("certified", "certified_until"),
    ("trained", "training_valid_until"),
    ("healthy", "health_valid_until"),
)


def first_minute(moment: datetime) -> int:
    """The first minute boundary after a moment, Unix seconds: from it on, what happened then is before."""
    return min(int(moment.timestamp()) // 60 * 60 + 60, END)


def _expiry(last_day: date) -> int:
    """The first minute, Unix seconds, at which a certificate with this last day is no longer valid."""
    if last_day.year >= 2106:
        return END
    midnight = datetime.combine(last_day + timedelta(days=1), time(), SHANGHAI)
    return max(int(midnight.timestamp()), 0)


class _Steps:
    """What events say from each minute on."""

    def __init__(self, events: Events) -> None:
        steps = {first_minute(moment): value for moment, value in events}
        self.minutes, self.values = list(steps), list(steps.values())

    def at(self, minute: int) -> Any:
        """What the last event before the minute says, None before the first."""
        position = bisect_right(self.minutes, minute)
        return self.values[position - 1] if position else None


def _spans(begin: int, edges: Iterable[int], values_at: Callable[[int], tuple[Any, ...]]) -> Spans:
    """Spans from `begin` on, in which `values_at` can change at the edges only; equal neighbours are one."""
    minutes = [begin, *sorted({minute for minute in edges if begin < minute < END})]
    spans: Spans = []
    for start, end in zip(minutes, [*minutes[1:], END], strict=True):
        values = values_at(start)
        if spans and spans[-1][2:] == values:
            spans[-1] = (spans[-1][0], end, *values)
        else:
            spans.append((start, end, *values))
    return spans


def operator_spans(
    registry: Events,
    kitchens: Events,
    ordered: Sequence[tuple[datetime, datetime]],
    *,
    always_ordered: bool = False,
) -> Spans:
    """The life of an operator, with `SPAN_FIELDS`.

    :param registry: its records by field name.
    :param kitchens: its kitchen's states.
    :param ordered: minutes [from, until) with a recent order, in order and apart from each other.
    :param always_ordered: whether recent orders are not asked for.
    """
    records, states = _Steps(registry), _Steps(kitchens)
    if not records.minutes:
        return []
    recent = [(int(start.timestamp()), int(end.timestamp())) for start, end in ordered]
    starts = [start for start, _ in recent]

    def values_at(minute: int) -> tuple[Any, ...]:
        position = bisect_right(starts, minute)
        active = always_ordered or (position > 0 and minute < recent[position - 1][1])
        return _operator_values(records.at(minute), minute, states.at(minute) or "", active)

    edges = {*records.minutes, *states.minutes, *(minute for span in recent for minute in span)}
    edges |= {minute for record in records.values for minute in _expiries(record)}
    return _spans(records.minutes[0], edges, values_at)


def _expiries(record: dict[str, Any]) -> Iterable[int]:
    for _, field in _CERTIFICATE_FIELDS:
        if record[field] is not None:
            yield _expiry(record[field])


def _operator_values(record: dict[str, Any], minute: int, kitchen: str, ordered: bool) -> tuple[Any, ...]:
    day = datetime.fromtimestamp(minute, UTC).astimezone(SHANGHAI).date()
    known = {
        "kind": record["kind"],
        "town_code": record["town_code"],
        "status": record["status"],
        "platforms": record["platforms"],
        "grade": record["grade"] or "ungraded",
        "director": bool(record["director"]),
        "officers": record["officers"] or 0,
        "accepted": record["accepted"],
        "kitchen": kitchen,
        "ordered": ordered,
    }
    known |= {name: record[field] is not None and record[field] >= day for name, field in _CERTIFICATE_FIELDS}
    return tuple(known[name] for name in SPAN_FIELDS)


def village_spans(records: Events, canteens: Mapping[str, Events]) -> Spans:
    """The life of a village: (town_code, served).

    :param records: its records: `town_code` and `served_by`.
    :param canteens: the records (`kind`, `status`) of the operators that it names. It is served while that operator is
        an active caring canteen."""
    own = _Steps(records)
    if not own.minutes:
        return []
    operators = {name: _Steps(events) for name, events in canteens.items()}

    def values_at(minute: int) -> tuple[Any, ...]:
        record = own.at(minute)
        canteen = operators[record["served_by"]].at(minute) if record["served_by"] in operators else None
        served = canteen is not None and canteen["kind"] == "caring_canteen" and canteen["status"] == "active"
        return record["town_code"], served

    edges = {*own.minutes, *(minute for steps in operators.values() for minute in steps.minutes)}
    return _spans(own.minutes[0], edges, values_at)


def duty_spans(records: Events) -> Spans:
    """The life of a duty: (measure, town_code, status)."""
    own = _Steps(records)
    if not own.minutes:
        return []

    def values_at(minute: int) -> tuple[Any, ...]:
        record = own.at(minute)
        return record["measure"], record["town_code"], record["status"]

    return _spans(own.minutes[0], own.minutes, values_at)
