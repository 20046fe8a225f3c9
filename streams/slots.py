"""When a camera is expected to be online: a pure rule over its heartbeats and its operator's business hours."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from sinks.clickhouse.slots import Binding, Head, Opening

_NEVER: Final = datetime(2106, 1, 1, tzinfo=UTC)
_SLOT_MINUTES: Final = 5
_SLOTS_AN_HOUR: Final = 12
CLOSED: Final = (0,) * 24


def open_slots(open_hours: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """For each hour of the day a bit for each slot of 5 minutes that begins in business hours, the first the lowest.

    :param open_hours: (from, to) as HH:MM in Asia/Shanghai; `to` before `from` passes midnight, equal is 24 hours."""
    spans = [(_minutes(begin), _minutes(end)) for begin, end in open_hours]
    return tuple(
        sum(1 << slot for slot in range(_SLOTS_AN_HOUR) if _is_open(spans, hour * 60 + slot * _SLOT_MINUTES))
        for hour in range(24)
    )


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _is_open(spans: Iterable[tuple[int, int]], minute: int) -> bool:
    return any(
        begin <= minute < end if begin < end else begin == end or minute >= begin or minute < end
        for begin, end in spans
    )


def bind(indicator: str, head: Head | None, opening: Opening | None) -> Binding:
    """Where a camera belongs and when it is expected.

    :param head: None where no heartbeat is left that counts.
    :param opening: None where the registry does not know the operator: then no slot is expected."""
    if head is None:
        return Binding("", "", _NEVER, CLOSED)
    counted = opening is not None and indicator in opening.counted
    hours = open_slots(opening.open_hours) if opening is not None and counted else CLOSED
    return Binding(head.operator_id, head.town_code, head.first_time, hours)
