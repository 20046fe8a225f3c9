"""When a camera is expected: slots that begin in business hours, against a reference that walks through the day."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.slots import Head, Opening
from streams.slots import CLOSED, bind, open_slots

TIMES: Final = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
HOURS: Final = st.lists(st.tuples(TIMES, TIMES), max_size=3)
HEAD: Final = Head(datetime(2026, 11, 1, 8, 0, tzinfo=UTC), "op-1", "330681001")
ALWAYS: Final = (4095,) * 24


def slots(masks: tuple[int, ...]) -> set[str]:
    """Beginnings of the slots whose bit is set, HH:MM."""
    return {f"{hour:02d}:{slot * 5:02d}" for hour in range(24) for slot in range(12) if masks[hour] >> slot & 1}


@given(HOURS)
def test_a_slot_is_open_when_it_begins_in_any_span(hours: list[tuple[str, str]]) -> None:
    def is_open(begin: str) -> bool:
        for start, end in hours:
            if start == end or (start < end and start <= begin < end) or (start > end and not end <= begin < start):
                return True
        return False

    day = [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(0, 60, 5)]
    assert slots(open_slots(hours)) == {one for one in day if is_open(one)}


@pytest.mark.parametrize(
    ("hours", "opens", "closes", "count"),
    [
        ((("09:00", "09:10"),), "09:00", "09:10", 2),
        ((("09:01", "09:11"),), "09:05", "09:15", 2),
        ((("23:50", "00:10"),), "23:50", "00:10", 4),
    ],
)
def test_spans_open_with_the_slot_that_begins_in_them_and_close_before_their_end(
    hours: tuple[tuple[str, str], ...], opens: str, closes: str, count: int
) -> None:
    found = slots(open_slots(hours))
    assert opens in found
    assert closes not in found
    assert len(found) == count


def test_equal_ends_are_24_hours_and_no_hours_are_never() -> None:
    assert open_slots([("06:30", "06:30")]) == ALWAYS
    assert open_slots([]) == CLOSED


def test_a_camera_is_expected_only_while_its_operator_is_known_and_counts() -> None:
    opening = Opening([("00:00", "00:00")], frozenset({"camera_online"}))
    assert bind("camera_online", HEAD, opening).open == ALWAYS
    assert bind("another", HEAD, opening).open == CLOSED
    assert bind("camera_online", HEAD, None).open == CLOSED
    nowhere = bind("camera_online", None, None)
    assert (nowhere.operator_id, nowhere.town_code, nowhere.open) == ("", "", CLOSED)
