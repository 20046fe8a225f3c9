"""Days on which China works and on which the city's schools cook.

Statutory holidays and the weekends that are worked in exchange come from the `holidays` library (State Council
notices).
The schools' long breaks are a local assumption, as dated values: each year's school calendar settles them.
"""

from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from holidays import HolidayBase, country_holidays


class Break(NamedTuple):
    """Days from `first` to `last`, both included, on which schools are closed."""

    first: date
    last: date


WINTER_BREAKS: Final = (
    Break(date(2023, 1, 14), date(2023, 2, 8)),
    Break(date(2024, 1, 27), date(2024, 2, 22)),
    Break(date(2025, 1, 18), date(2025, 2, 10)),
    Break(date(2026, 1, 31), date(2026, 2, 28)),
    Break(date(2027, 1, 23), date(2027, 2, 21)),
)
"""Local assumption; a year that is not listed has no winter break but the Spring Festival's days off."""

SUMMER_FIRST: Final = (7, 1)
SUMMER_LAST: Final = (8, 31)
"""Month and day, of every year; local assumption."""


@lru_cache(maxsize=4096)
def is_working_day(day: date) -> bool:
    """Whether China works on a day of Asia/Shanghai: weekdays but holidays, and weekends that are made up for."""
    return bool(_china(day.year).is_working_day(day))


@lru_cache(maxsize=64)
def _china(year: int) -> HolidayBase:
    # a year's exchanged weekends may stand in the notice of the year after
    return country_holidays("CN", years=(year, year + 1))


def is_school_day(day: date) -> bool:
    """Whether schools cook on a day of Asia/Shanghai: working days outside the summer and winter breaks."""
    if SUMMER_FIRST <= (day.month, day.day) <= SUMMER_LAST or any(
        one.first <= day <= one.last for one in WINTER_BREAKS
    ):
        return False
    return is_working_day(day)
