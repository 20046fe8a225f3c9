"""Incidents: things that go wrong in the city by order, such as `seal-drop:town=330681003,from=18:00,to=20:00`.

An incident has a name, a time and a scope. `from` and `to` are both HH:MM in Asia/Shanghai, then it happens on each day
(`to` before `from` passes midnight), or moments with an offset such as 2026-11-23T18:00+08:00, then once; an incident
without them lasts for the whole simulation. Without a scope it meets the whole city.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from pipeline.simulator.moments import DAY, MINUTE, day_number, day_start, minute_of_day, to_us
from schemas.catalogue import STREAMS
from schemas.registry import Platform
from schemas.reject import Reason
from schemas.towns import TOWNS


class IncidentError(ValueError):
    """An incident that cannot be understood; the text is one sentence that lists what can."""


MODES: Final = ("black", "covered", "frozen", "offline", "silent")
STREAM_NAMES: Final = {name.removeprefix("yangguang."): name for name in STREAMS}
INVALID_REASONS: Final = tuple(str(one) for one in Reason if one is not Reason.SINK_REFUSED)
LATE_MINUTES_MAX: Final = 1440

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "seal-drop": ("town", "platform", "operator", "rate", "from", "to"),
    "kitchen-drop": ("town", "operator", "rate", "from", "to"),
    "camera-dark": ("town", "operator", "vendor", "mode", "rate", "from", "to"),
    "silence": ("stream", "platform", "town", "source", "from", "to"),
    "reject-storm": ("source", "reason", "per_minute", "from", "to"),
    "late": ("stream", "platform", "town", "source", "minutes", "from", "to"),
}
"""What each incident may be told. `rate` is the coverage that is left (seal-drop), or the share of the kitchens or
cameras that is met; `minutes` is the delay, at most a day."""

_RATES: Final = {"seal-drop": 0.6, "kitchen-drop": 0.3, "camera-dark": 1.0}


@dataclass(frozen=True, slots=True)
class Window:
    """When an incident lasts: `daily` in minutes of the day of Asia/Shanghai, else microseconds; None is open."""

    begin: int | None = None
    end: int | None = None
    daily: bool = False

    def covers(self, us: int) -> bool:
        """Whether the moment lies in the window; the end does not."""
        if not self.daily:
            return (self.begin is None or us >= self.begin) and (self.end is None or us < self.end)
        assert self.begin is not None
        assert self.end is not None
        minute = minute_of_day(us)
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def spans(self, day: int, origin: int) -> list[tuple[int, int | None]]:
        """The spans (begin, end) in microseconds that begin on the day, none before `origin`: a span that is under
        way at `origin` begins there."""
        low, high = day_start(day), day_start(day + 1)
        first = day == day_number(origin)
        found: list[tuple[int, int | None]] = []
        if not self.daily:
            found.append((origin if self.begin is None else self.begin, self.end))
        else:
            assert self.begin is not None
            assert self.end is not None
            length = (self.end - self.begin) % 1440 or 1440
            for start in (low - DAY, low) if first else (low,):
                found.append((start + self.begin * MINUTE, start + (self.begin + length) * MINUTE))
        clipped = [(max(begin, origin), end) for begin, end in found if end is None or end > max(begin, origin)]
        return [one for one in clipped if low <= one[0] < high]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. The fields of the scope that are None do not narrow it."""

    name: str
    window: Window = Window()
    town: str | None = None
    platform: str | None = None
    operator: str | None = None
    vendor: str | None = None
    stream: str | None = None
    source: str | None = None
    rate: float = 1.0
    minutes: int = 30
    per_minute: int = 300
    reason: str | None = None
    mode: str = "black"

    def meets_place(self, town: str, operator: str) -> bool:
        """Whether an operator lies in the scope."""
        return self.town in (None, town) and self.operator in (None, operator)

    def meets_event(self, topic: str, event: dict[str, Any]) -> bool:
        """Whether an event lies in the scope; its `platform` is that of an order, or that of its source."""
        data = event["data"]
        source = event["source"]
        return (
            self.stream in (None, topic)
            and self.source in (None, source)
            and self.town in (None, data.get("town_code"))
            and (self.platform is None or self.platform == data.get("platform", source.removeprefix("/platform/")))
        )


def parse_incident(text: str) -> Incident:
    """An incident from `name` or `name:key=value,key=value`.

    Raises IncidentError with one sentence that lists the valid names, keys or values."""
    name, _, rest = text.partition(":")
    name = name.strip()
    if name not in KEYS:
        raise IncidentError(f"incident {name!r} is not known: use one of {', '.join(KEYS)}")
    given: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in rest.split(","))):
        key, equals, value = part.partition("=")
        if key not in KEYS[name] or not equals:
            raise IncidentError(f"incident {name} knows no {part!r}: use key=value with {', '.join(KEYS[name])}")
        if key in given:
            raise IncidentError(f"incident {name} names {key} twice: name it once, or repeat the incident")
        given[key] = value
    fields: dict[str, Any] = {"rate": _RATES.get(name, 1.0)}
    window = _window(name, given.pop("from", None), given.pop("to", None))
    for key, value in given.items():
        fields[key] = _CHECKS[key](name, value)
    return Incident(name, window, **fields)


def _refuse(name: str, key: str, value: str, valid: str) -> IncidentError:
    return IncidentError(f"incident {name}: {key}={value} is not valid, use {valid}")


def _one_of(key: str, values: tuple[str, ...]) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value not in values:
            raise _refuse(name, key, value, f"one of {', '.join(values)}")
        return value

    return check


def _stream(name: str, value: str) -> str:
    short = value.removeprefix("yangguang.")
    if short not in STREAM_NAMES:
        raise _refuse(name, "stream", value, f"one of {', '.join(STREAM_NAMES)}")
    return STREAM_NAMES[short]


def _rate(name: str, value: str) -> float:
    if not re.fullmatch(r"0(\.\d+)?|1(\.0+)?", value, re.ASCII):
        raise _refuse(name, "rate", value, "a number from 0 to 1")
    return float(value)


def _whole(key: str, highest: int) -> Callable[[str, str], int]:
    def check(name: str, value: str) -> int:
        if not re.fullmatch(r"[1-9]\d{0,6}", value, re.ASCII) or int(value) > highest:
            raise _refuse(name, key, value, f"a whole number from 1 to {highest}")
        return int(value)

    return check


def _word(key: str) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if not value:
            raise _refuse(name, key, value, "a name that is not empty")
        return value

    return check


_CHECKS: Final[dict[str, Callable[[str, str], Any]]] = {
    "town": _one_of("town", tuple(TOWNS)),
    "platform": _one_of("platform", get_args(Platform)),
    "operator": _word("operator"),
    "vendor": _word("vendor"),
    "source": _word("source"),
    "stream": _stream,
    "rate": _rate,
    "minutes": _whole("minutes", LATE_MINUTES_MAX),
    "per_minute": _whole("per_minute", 100_000),
    "reason": _one_of("reason", INVALID_REASONS),
    "mode": _one_of("mode", MODES),
}

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def _window(name: str, begin: str | None, end: str | None) -> Window:
    times = [_moment(name, key, value) for key, value in (("from", begin), ("to", end))]
    daily = [one[1] for one in times if one is not None]
    if not daily:
        return Window()
    if any(daily):
        if len(daily) < 2 or not all(daily):
            raise IncidentError(
                f"incident {name}: from and to belong together, use both as HH:MM for each day, or moments with an "
                "offset such as 2026-11-23T18:00+08:00"
            )
        assert times[0] is not None
        assert times[1] is not None
        return Window(times[0][0], times[1][0], daily=True)
    low, high = (None if one is None else one[0] for one in times)
    if low is not None and high is not None and low >= high:
        raise IncidentError(f"incident {name}: to={end} is not after from={begin}, use a later end")
    return Window(low, high)


def _moment(name: str, key: str, value: str | None) -> tuple[int, bool] | None:
    """Minutes of the day and True, or microseconds and False."""
    if value is None:
        return None
    if match := _CLOCK.fullmatch(value):
        return int(match[1]) * 60 + int(match[2]), True
    try:
        return to_us(datetime.fromisoformat(value)), False
    except ValueError:
        raise _refuse(
            name, key, value, "HH:MM of Asia/Shanghai or a moment with an offset such as 2026-11-23T18:00+08:00"
        ) from None
