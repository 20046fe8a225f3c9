"""An outage is told once, after a grace, and its end once; a short absence is not told at all."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from streams.outage import GRACE, Telling, Watched, watched

AT: Final = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
STEP: Final = timedelta(seconds=5)


def told(there: list[bool]) -> list[Telling]:
    known, found = Watched(), []
    for number, one in enumerate(there):
        known, telling = watched(known, there=one, what="Kafka", at=AT + number * STEP)
        if telling is not None:
            found.append(telling)
    return found


def test_a_restart_of_a_part_is_no_outage() -> None:
    assert told([True, *[False] * 11, True]) == []


def test_an_outage_is_told_once_and_its_end_once() -> None:
    begin, end = told([True, *[False] * 40, True, True])
    assert begin == Telling("Kafka", AT + STEP, None)
    assert end == Telling("Kafka", AT + STEP, AT + 41 * STEP)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=12))
def test_begin_and_end_take_turns_and_only_long_absences_are_told(runs: list[tuple[bool, int]]) -> None:
    there = [one for one, count in runs for _ in range(count)]
    found = told(there)
    assert [one.over is None for one in found] == [number % 2 == 0 for number in range(len(found))]
    absences, length = 0, 0
    for one in there:
        length = 0 if one else length + 1
        absences += (length - 1) * STEP == GRACE
    assert sum(one.over is None for one in found) == absences
