"""On which days China works, and schools cook."""

from datetime import date

import pytest

from schemas.working_days import is_school_day, is_working_day


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2025, 9, 26), True),  # a Friday
        (date(2025, 9, 28), True),  # a Sunday that is made up for
        (date(2025, 10, 1), False),  # National Day
        (date(2025, 10, 8), False),  # exchanged for a Saturday
        (date(2025, 10, 11), True),  # that Saturday
        (date(2025, 11, 15), False),  # an ordinary Saturday
        (date(2026, 2, 28), True),  # a Saturday after Spring Festival
    ],
)
def test_weekends_that_are_made_up_for_are_worked(day: date, works: bool) -> None:
    assert is_working_day(day) is works


@pytest.mark.parametrize(
    ("day", "cooks"),
    [
        (date(2025, 6, 30), True),
        (date(2025, 7, 1), False),
        (date(2025, 8, 29), False),
        (date(2025, 9, 1), True),
        (date(2025, 1, 17), True),
        (date(2025, 1, 20), False),
        (date(2025, 2, 11), True),
        (date(2025, 10, 11), True),
        (date(2025, 11, 16), False),
    ],
)
def test_schools_cook_on_working_days_outside_their_breaks(day: date, cooks: bool) -> None:
    assert is_school_day(day) is cooks
