"""What people type for a moment or a length of time."""

from datetime import datetime, timedelta
from typing import Any, Final

import click

from schemas.durations import parse_duration
from schemas.indicator import ALWAYS, LAST_DAY, SHANGHAI

PLACES: Final = ("city", "town", "platform")
"""The scopes of places."""


class Moment(click.ParamType):
    """A moment in ISO 8601; one without an offset is of Asia/Shanghai."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Raises a usage error for what is no moment, or one at which nothing was ever counted."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment: write it as 2026-11-23T12:00 or with an offset", param, ctx)
        if not ALWAYS <= moment.date() <= LAST_DAY:
            self.fail(f"{value!r} should be from {ALWAYS} to {LAST_DAY}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


class Length(click.ParamType):
    """A length of time such as 24h or 30d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Raises a usage error for what is no length of time, none at all, or longer than there are events."""
        try:
            length = parse_duration(value)
        except ValueError:
            length = timedelta(0)
        if not isinstance(length, timedelta) or not timedelta(0) < length <= timedelta(days=3660):
            self.fail(f"{value!r} is no length of time up to ten years: write it as 24h, 7d or 365d", param, ctx)
        return length


def shanghai(moment: datetime) -> str:
    """A moment as people and parametrised views read it, in Asia/Shanghai."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
