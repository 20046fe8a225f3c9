"""The oracle's availability: the slots of five minutes in which a camera should have been well, and was."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from tests.system.oracle_events import DAY, MINUTE, SHANGHAI, Event, by_entity, current
from tests.system.oracle_indicators import CITY, Scope, Unit
from tests.system.records import HEARTBEAT, OPERATOR

SLOT: Final = 5 * MINUTE


class Camera(NamedTuple):
    """One camera with the begins of its expected slots in order, and of all in which it was well."""

    id: str
    scopes: tuple[Scope, ...]
    expected: list[int]
    healthy: frozenset[int]
    record: Event

    def unit(self, start: int, end: int) -> Unit | None:
        """What it adds to [start, end): the slots that lie wholly in it; None without any."""
        slots = self.expected[bisect_left(self.expected, start) : bisect_right(self.expected, end - SLOT)]
        good = len(self.healthy.intersection(slots))
        return Unit(self.id, self.scopes, good, len(slots), 0, (self.record,)) if slots else None


def cameras(events: Iterable[Event], until: int) -> list[Camera]:
    """All cameras, with the slots that are over at `until`."""
    events = list(events)
    operators = current(events, OPERATOR)
    found = []
    for camera, beats in by_entity(events, HEARTBEAT).items():
        record = beats[-1]
        operator = operators.get(record.data["operator_id"])
        spans = operator.data.get("open_hours", []) if operator and operator.data["status"] == "active" else []
        first = _slot_of(min(one.time for one in beats))
        expected = [
            slot
            for slot in range(first + SLOT, until - SLOT + 1, SLOT)
            if any(_open(slot, span["from"], span["to"]) for span in spans)
        ]
        healthy = frozenset(_slot_of(one.time) for one in beats if _well(one))
        scopes = (CITY, ("town", record.data["town_code"]))
        found.append(Camera(camera, scopes, expected, healthy, record))
    return found


def _slot_of(moment: int) -> int:
    return moment // SLOT * SLOT


def _well(beat: Event) -> bool:
    return beat.data["online"] and beat.data["advancing"] and beat.data["picture"] in {"ok", "blurred"}


def _open(slot: int, opens: str, closes: str) -> bool:
    """Whether a slot begins in business hours, by the clock of Shanghai."""
    now = (slot + SHANGHAI) % DAY
    start, end = _of_day(opens), _of_day(closes)
    if start < end:
        return start <= now < end
    return now >= start or now < end  # past midnight, and the whole day when they are equal


def _of_day(time: str) -> int:
    hours, minutes = time.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE
