"""The life of an operator as spans of minutes in which nothing about it changes.

At a minute m count the events with `time` < m, an order delivered in [m - active days, m), and certificates whose last
day (Asia/Shanghai) is not before m's. Each of these changes at known minutes only; between two such minutes the
operator's conditions are constant, so the value of any stock indicator at any minute is read off the spans.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sinks.clickhouse.rates import SPAN_FIELDS

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
END: Final = 2**32 - 1
"""`until` of the last span, Unix seconds: the greatest that ClickHouse's DateTime holds."""

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


def operator_spans(
    registry: Sequence[tuple[datetime, dict[str, Any]]],
    kitchens: Sequence[tuple[datetime, str]],
    ordered: Sequence[tuple[datetime, datetime]],
    *,
    always_ordered: bool = False,
) -> list[tuple[Any, ...]]:
    """Spans (from, until, *SPAN_FIELDS) in Unix seconds, in order and without gaps, from the first registry record on.

    :param registry: records with their event time, in the order (time, id, source); at one minute the last counts.
    :param kitchens: kitchen states, likewise.
    :param ordered: minutes [from, until) with a recent order.
    :param always_ordered: whether recent orders are not asked for.
    """
    records = _steps(registry)
    if not records:
        return []
    states = _steps(kitchens)
    active = [(int(start.timestamp()), int(end.timestamp())) for start, end in ordered]
    edges = {minute for minute, _ in (*records, *states)}
    edges |= {minute for span in active for minute in span}
    edges |= {minute for _, record in records for minute in _expiries(record)}
    start = records[0][0]
    minutes = [start, *sorted(minute for minute in edges if start < minute < END)]
    spans: list[tuple[Any, ...]] = []
    for begin, end in zip(minutes, [*minutes[1:], END], strict=True):
        record = _at(records, begin)
        state = _at(states, begin) or ""
        recent = always_ordered or any(first <= begin < last for first, last in active)
        values = _values(record, begin, state, recent)
        if spans and spans[-1][2:] == values:
            spans[-1] = (spans[-1][0], end, *values)
        else:
            spans.append((begin, end, *values))
    return spans


def _steps(events: Sequence[tuple[datetime, Any]]) -> list[tuple[int, Any]]:
    """(first minute, value) of what counts from each minute on, ascending."""
    return list({first_minute(moment): value for moment, value in events}.items())


def _at(steps: list[tuple[int, Any]], minute: int) -> Any:
    position = bisect_right(steps, minute, key=lambda step: step[0])
    return steps[position - 1][1] if position else None


def _expiries(record: dict[str, Any]) -> Iterable[int]:
    for _, field in _CERTIFICATE_FIELDS:
        if record[field] is not None:
            yield _expiry(record[field])


def _values(record: dict[str, Any], minute: int, kitchen: str, ordered: bool) -> tuple[Any, ...]:
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
