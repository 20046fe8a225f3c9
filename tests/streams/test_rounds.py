"""What the clock asks the notifier for: the summary once in the morning, signs of life at whole multiples."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.indicator import SHANGHAI
from streams.rounds import SUMMARY_LATEST, summary_is_due, watchdog_minute

MORNING: Final = time(8, 30)
DAY: Final = datetime(2026, 11, 25, tzinfo=SHANGHAI)
moments = st.integers(0, 365 * 86_400).map(lambda second: DAY.astimezone(UTC) + timedelta(seconds=second))


@given(st.integers(0, 86_399))
def test_the_summary_is_due_from_its_time_on_for_ten_minutes(second: int) -> None:
    at = DAY + timedelta(seconds=second)
    begins = DAY.replace(hour=8, minute=30)
    assert summary_is_due(at, MORNING) == (begins <= at < begins + SUMMARY_LATEST)
    assert summary_is_due(at.astimezone(UTC), MORNING) == summary_is_due(at, MORNING)
    assert not summary_is_due(at, None)


@given(moments, st.integers(1, 1440))
def test_a_sign_of_life_belongs_to_a_whole_multiple_of_its_interval_so_that_a_restart_repeats_none(
    at: datetime, minutes: int
) -> None:
    every = timedelta(minutes=minutes)
    due = watchdog_minute(at, every)
    assert due <= at < due + every
    assert watchdog_minute(due, every) == due
    assert watchdog_minute(due + every - timedelta(microseconds=1), every) == due
