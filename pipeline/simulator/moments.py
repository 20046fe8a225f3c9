"""Time as the simulated city keeps it: integer microseconds since 1970 UTC, and days and minutes of Asia/Shanghai.

Integers, because whole days of events are compared, sorted and divided into minutes. Asia/Shanghai has had no daylight
saving since 1991, so its days are found by an addition. Nothing here reads a clock.
"""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")

_OFFSET: Final = 8 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no offset: write it as {moment.isoformat()}+08:00")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(us: int) -> datetime:
    """The moment in Asia/Shanghai."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(SHANGHAI)


def day_number(us: int) -> int:
    """Days since 1970-01-01 by the calendar of Asia/Shanghai."""
    return (us + _OFFSET) // DAY


def day_start(number: int) -> int:
    """Midnight in Asia/Shanghai that begins the day, in microseconds."""
    return number * DAY - _OFFSET


def minute_of_day(us: int) -> int:
    """0 to 1439, Asia/Shanghai."""
    return (us + _OFFSET) % DAY // MINUTE


def weekday(number: int) -> int:
    """0 is Monday; 1970-01-01 was a Thursday."""
    return (number + 3) % 7


@lru_cache(maxsize=16_384)
def _minute_text(minute: int) -> str:
    return to_datetime(minute * MINUTE).strftime("%Y-%m-%dT%H:%M:")


@lru_cache(maxsize=16_384)
def _minute_text_utc(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:")


def iso(us: int) -> str:
    """RFC 3339 with milliseconds and the offset of Asia/Shanghai: `2026-11-23T12:00:31.250+08:00`."""
    minute, rest = divmod(us, MINUTE)
    return f"{_minute_text(minute)}{rest // SECOND:02d}.{rest // 1000 % 1000:03d}+08:00"


def iso_utc(us: int) -> str:
    """RFC 3339 with milliseconds in UTC, as some producers write it: `2026-11-23T04:00:31.250Z`."""
    minute, rest = divmod(us, MINUTE)
    return f"{_minute_text_utc(minute)}{rest // SECOND:02d}.{rest // 1000 % 1000:03d}Z"


@lru_cache(maxsize=4096)
def date_text(number: int) -> str:
    """YYYY-MM-DD of a day number."""
    return to_datetime(day_start(number)).strftime("%Y-%m-%d")
