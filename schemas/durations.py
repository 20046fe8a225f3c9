"""Lengths of time as people write them: `90s`, `10m`, `1h`, `30d`."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)


def parse_duration(text: object) -> object:
    """`90s`, `10m`, `1h`, `30d` as a timedelta. Raises ValueError for anything else."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("should be a whole number and a unit in quotes, such as 60s, 10m, 1h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _whole_minutes(length: timedelta) -> timedelta:
    if length % timedelta(minutes=1):
        raise ValueError("should be whole minutes, as alerts are judged once a minute")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Minutes = Annotated[Duration, AfterValidator(_whole_minutes)]


def window_length(window: str) -> timedelta:
    """`1h`, `24h`, `7d`, `30d`, `365d` as a timedelta; `now` is none."""
    if window == "now":
        return timedelta(0)
    length = parse_duration(window)
    assert isinstance(length, timedelta)
    return length
