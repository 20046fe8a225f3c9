"""What `yangguang.toml` may say of who is told of which alerts, and of maintenance in which nobody is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.departments import DEPARTMENTS
from schemas.durations import Minutes
from schemas.event_alerts import EVENT_CODES
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from schemas.places import PLATFORMS
from schemas.towns import TOWNS
from streams.routing import Days, Hours, Maintenance, Match, Route

CONDITIONS: Final = ("rejects_high", "no_data", "no_activity", "stale", "error")
CODES: Final = (*CATALOGUE, *CONDITIONS, *EVENT_CODES)
"""All that an alert can be about."""


def kind_of(code: str) -> str:
    """Of an alert about this code: rate, condition or event."""
    return "event" if code in EVENT_CODES else "condition" if code in CONDITIONS else "rate"


_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
Reason = tuple[tuple[int | str, ...], str]


def _hours(value: object) -> object:
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("should be from and to in quotes, such as 08:00-18:00 or 22:00-06:00")
    first, second, third, fourth = map(int, match.groups())
    if (first, second) == (third, fourth):
        raise ValueError("should not end where it begins: leave it out for the whole day")
    return Hours(first * 60 + second, third * 60 + fourth)


def _known(what: str, values: Sequence[str]) -> AfterValidator:
    def check(given: str) -> str:
        if given not in values:
            raise ValueError(f"is no {what}: use one of {', '.join(values)}")
        return given

    return AfterValidator(check)


def _shanghai(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _moment(value: object) -> object:
    if not isinstance(value, datetime):
        raise ValueError("should be a moment without quotes, such as 2026-12-01T22:00:00")
    return value


def _to_a_day(length: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= length <= timedelta(days=1):
        raise ValueError("should be from 1m to 1d")
    return length


def _some(channels: tuple[str, ...]) -> tuple[str, ...]:
    if not channels:
        raise ValueError("should name a channel at least")
    return channels


_HoursText = Annotated[Hours, BeforeValidator(_hours)]
_Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_shanghai)]
_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Channels = Annotated[tuple[_Name, ...], AfterValidator(_some)]


class MatchSettings(BaseModel):
    """Table `match` of a route or maintenance: all that is given has to hold."""

    model_config = ConfigDict(extra="forbid")

    indicators: tuple[Annotated[str, _known("indicator, condition or event", CODES)], ...] = ()
    kinds: tuple[Literal["rate", "condition", "event"], ...] = ()
    scopes: tuple[Literal["city", "town", "platform", "source"], ...] = ()
    towns: tuple[Annotated[str, _known("town code", tuple(TOWNS))], ...] = ()
    platforms: tuple[Annotated[str, _known("platform", tuple(PLATFORMS))], ...] = ()
    departments: tuple[Annotated[str, _known("department", DEPARTMENTS)], ...] = ()
    severities: tuple[Literal["critical", "warning", "info"], ...] = ()
    states: tuple[Literal["firing", "resolved"], ...] = ()

    def match(self) -> Match:
        """As the rules take it."""
        return Match(**{name: getattr(self, name) for name in Match._fields})


class RouteSettings(BaseModel):
    """One `[[route]]`."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    channels: _Channels
    match: MatchSettings = MatchSettings()
    hours: _HoursText | None = None
    days: Days = "all"
    escalate_after: Annotated[Minutes, AfterValidator(_to_a_day)] | None = None
    escalate_to: _Channels | None = None
    continue_: Annotated[bool, Field(strict=True)] = Field(False, alias="continue")

    def route(self) -> Route:
        """As the rules take it."""
        return Route(
            self.name,
            self.channels,
            self.match.match(),
            self.hours,
            self.days,
            self.escalate_after,
            self.escalate_to or (),
            self.continue_,
        )


class MaintenanceSettings(BaseModel):
    """One `[[maintenance]]`: `from` and `to`, or `daily`."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    match: MatchSettings = MatchSettings()
    from_: _Moment | None = Field(None, alias="from")
    to: _Moment | None = None
    daily: _HoursText | None = None

    def maintenance(self) -> Maintenance:
        """As the rules take it."""
        return Maintenance(self.name, self.match.match(), self.from_, self.to, self.daily)


def route_faults(
    routes: Sequence[RouteSettings], windows: Sequence[MaintenanceSettings], channels: Mapping[str, object]
) -> Iterator[Reason]:
    """What no single value shows: where, and why it is wrong."""
    seen: set[str] = set()
    for number, one in enumerate(routes):
        if one.name in seen:
            yield ("route", number, "name"), f"{one.name!r} is the name of a route above: give it its own"
        seen.add(one.name)
        for field in ("channels", "escalate_to"):
            for channel in getattr(one, field) or ():
                if channel not in channels:
                    there = f"use one of {', '.join(channels)}" if channels else f"add [channel.{channel}]"
                    yield ("route", number, field), f"there is no channel {channel!r}: {there}"
        if (one.escalate_after is None) is not (one.escalate_to is None):
            given = "escalate_to" if one.escalate_after is None else "escalate_after"
            yield ("route", number, given), "escalate_after and escalate_to go together: write both or none"
    for number, window in enumerate(windows):
        once = window.from_ is not None and window.to is not None
        half = (window.from_ is None) is not (window.to is None)
        if half or once is (window.daily is not None):
            yield ("maintenance", number), "should have from and to, or daily"
        elif window.from_ is not None and window.to is not None and window.from_ >= window.to:
            yield ("maintenance", number, "to"), "should be later than from"
