"""How values of `yangguang.toml` are written: a value or a list of values that are valid from a day on, and bounds."""

from datetime import timedelta
from typing import Final

from pydantic import AfterValidator

_EXAMPLE: Final = "[{from = 2027-01-01, value = ...}]"


def listed(value: object) -> object:
    """A list. Raises ValueError for anything else."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"should be a list such as {_EXAMPLE}")
    return value


def value_or_list(value: object) -> object:
    """A value or a list. Raises ValueError for an entry of a list that stands alone."""
    if isinstance(value, dict):
        raise ValueError(f"should be a value or a list such as {_EXAMPLE}: put the entry in brackets")
    return value


def within(least: timedelta, most: timedelta, words: str, step: timedelta = timedelta.resolution) -> AfterValidator:
    """A length of time from `least` to `most` in steps.

    :param words: what is wanted, after "should be"."""

    def check(length: timedelta) -> timedelta:
        if not least <= length <= most or length % step:
            raise ValueError(f"should be {words}")
        return length

    return AfterValidator(check)
