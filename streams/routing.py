"""Who is told of what, when the next is told, and what is held back: pure rules over a transition and a moment.

Routes are asked in their order. The first that matches takes the transition, unless it says that the next ones are
asked too. Without routes every channel is told of everything; where routes stand and none matches, nobody is told, so
a last route without conditions is the one for the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from schemas.action import Silence
from schemas.departments import departments_of
from schemas.indicator import SHANGHAI
from schemas.working_days import is_working_day

Transition = Mapping[str, Any]
Days = Literal["all", "workdays", "weekends"]


class Match(NamedTuple):
    """Conditions that all have to hold; an empty one always holds."""

    indicators: tuple[str, ...] = ()
    """Codes of indicators, conditions and events."""
    kinds: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    towns: tuple[str, ...] = ()
    """Town codes: what is about a whole city or a platform has none of them."""
    platforms: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    def refusal(self, transition: Transition, severity: str) -> str | None:
        """The first condition that does not hold, in words; None where all hold."""
        scope, scope_id = str(transition["scope"]), str(transition["scope_id"])
        departments = departments_of(transition)
        has: dict[str, tuple[str, ...]] = {
            "indicators": (str(transition["indicator"]),),
            "kinds": (str(transition["kind"]),),
            "scopes": (scope,),
            "towns": (scope_id,) if scope == "town" else (),
            "platforms": (scope_id,) if scope == "platform" else (),
            "departments": departments,
            "severities": (severity,),
            "states": (str(transition["to_state"]),),
        }
        for name, wanted in self._asdict().items():
            if wanted and not set(wanted) & set(has[name]):
                return f"{name} {', '.join(wanted)}, and this has {', '.join(has[name]) or 'none'}"
        return None


class Hours(NamedTuple):
    """From a minute of the day to another, Asia/Shanghai, the second not included; past midnight where it is not the
    later one."""

    begin: int
    end: int

    def hold(self, at: datetime) -> bool:
        """Whether the moment is in them."""
        local = at.astimezone(SHANGHAI)
        minute = local.hour * 60 + local.minute
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return "-".join(f"{one // 60:02}:{one % 60:02}" for one in self)


class Route(NamedTuple):
    """Which channels are told of what matches, and who is told next where nobody acknowledges it."""

    name: str
    channels: tuple[str, ...]
    match: Match = Match()
    hours: Hours | None = None
    days: Days = "all"
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    continue_: bool = False

    def refusal(self, transition: Transition, severity: str, at: datetime) -> str | None:
        """Why the route does not take a transition at a moment, in words; None where it does."""
        refusal = self.match.refusal(transition, severity)
        if refusal:
            return refusal
        local = at.astimezone(SHANGHAI)
        if self.days != "all" and (self.days == "workdays") != is_workday(local):
            return f"days {self.days}, and {local:%Y-%m-%d} is {'a workday' if is_workday(local) else 'none'}"
        if self.hours is not None and not self.hours.hold(at):
            return f"hours {self.hours}, and it is {local:%H:%M}"
        return None


class Assignment(NamedTuple):
    """A channel that is told, and by which route; the route is empty where there are none."""

    channel: str
    route: str


class Maintenance(NamedTuple):
    """A time in which what matches is expected and nobody is told: once, or every day."""

    name: str
    match: Match = Match()
    begin: datetime | None = None
    end: datetime | None = None
    daily: Hours | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the moment is in it."""
        if self.begin is not None and self.end is not None and self.begin <= at < self.end:
            return True
        return self.daily is not None and self.daily.hold(at)


def is_workday(day: datetime) -> bool:
    """Whether people work on this day in China: no holiday, and also a weekend day that is worked in for one, as the
    State Council orders it year by year. Of a year not ordered yet only the fixed holidays are known."""
    return is_working_day(day.date())


def assignments(
    routes: Sequence[Route], channels: Iterable[str], transition: Transition, severity: str, at: datetime
) -> list[Assignment]:
    """The channels that are told of a transition at a moment, each once, by the first route that names it.

    :param channels: all there are, which is who is told where there are no routes."""
    if not routes:
        return [Assignment(one, "") for one in channels]
    return _each_once((route.name, route.channels) for route in _taking(routes, transition, severity, at))


def escalations(
    routes: Sequence[Route],
    transition: Transition,
    severity: str,
    told_at: datetime,
    acknowledged: bool,
    now: datetime,
) -> list[Assignment]:
    """The channels that are due by now, because an alert fires that nobody has acknowledged. The caller leaves out
    those that it has told already.

    :param transition: to firing, of an alert that still fires.
    :param told_at: when the first channels were told: the routes of that moment are the ones that count."""
    if acknowledged or transition["to_state"] != "firing":
        return []
    return _each_once(
        (route.name, route.escalate_to)
        for route in _taking(routes, transition, severity, told_at)
        if route.escalate_after is not None and now >= told_at + route.escalate_after
    )


def _taking(routes: Iterable[Route], transition: Transition, severity: str, at: datetime) -> list[Route]:
    taking = []
    for route in routes:
        if route.refusal(transition, severity, at) is None:
            taking.append(route)
            if not route.continue_:
                break
    return taking


def _each_once(named: Iterable[tuple[str, Sequence[str]]]) -> list[Assignment]:
    found: dict[str, str] = {}
    for route, channels in named:
        for channel in channels:
            found.setdefault(channel, route)
    return [Assignment(channel, route) for channel, route in found.items()]


def silenced(silences: Iterable[Silence], transition: Transition, at: datetime) -> Silence | None:
    """The silence that holds a transition back at a moment; None where none does."""
    for one in silences:
        if (
            one.at <= at < one.until
            and one.matches
            and all(str(transition.get(name, "")) == value for name, value in one.matches.items())
        ):
            return one
    return None


def in_maintenance(
    windows: Iterable[Maintenance], transition: Transition, severity: str, at: datetime
) -> Maintenance | None:
    """The maintenance that holds a transition back at a moment; None where none does."""
    for one in windows:
        if one.holds(at) and one.match.refusal(transition, severity) is None:
            return one
    return None


NO_ROUTES: Final = "no routes are configured, so every channel is told"
NOBODY: Final = "no route matches, so nobody is told: add a last [[route]] without match for the rest"


def explain(routes: Sequence[Route], transition: Transition, severity: str, at: datetime) -> list[str]:
    """Why each route takes a transition at a moment or does not, a line a route, in their order."""
    if not routes:
        return [NO_ROUTES]
    lines: list[str] = []
    taken_by = ""
    matched = False
    for route in routes:
        if taken_by:
            lines.append(f"{route.name}: not asked, as {taken_by} takes it and does not say continue")
            continue
        refusal = route.refusal(transition, severity, at)
        if refusal:
            lines.append(f"{route.name}: no, it is for {refusal}")
            continue
        matched = True
        after = ""
        if route.escalate_after is not None:
            minutes = route.escalate_after // timedelta(minutes=1)
            after = f"; unacknowledged for {minutes} min, then {', '.join(route.escalate_to)}"
        lines.append(f"{route.name}: yes, tells {', '.join(route.channels)}{after}")
        taken_by = "" if route.continue_ else route.name
    return lines if matched else [*lines, NOBODY]
