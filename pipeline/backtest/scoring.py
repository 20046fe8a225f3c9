"""What replayed alerts are worth: which incidents they found, how late, and which of them nothing explains. Pure."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from pipeline.backtest.firings import Firing, flaps, per_week
from pipeline.simulator.incidents import Incident
from pipeline.simulator.moments import day_number, day_start, to_datetime, to_us
from schemas.durations import window_length
from schemas.indicator import Indicator
from schemas.indicators import CATALOGUE
from schemas.towns import CITY_CODE

INDICATOR_OF: Final = {
    "seal-drop": "seal_coverage",
    "kitchen-drop": "kitchen_build",
    "camera-dark": "camera_online",
}
"""The indicator whose alert finds an incident. Incidents of other names are met by conditions, not by rates."""


Catalogue = Mapping[str, Indicator]


class Occurrence(NamedTuple):
    """One time that an incident happened: [begin, end)."""

    incident: Incident
    begin: datetime
    end: datetime


class Found(NamedTuple):
    """An occurrence and the first firing that tells of it. `already` says that a matching alert was firing before it
    began, so that nobody would have been told anew."""

    occurrence: Occurrence
    first: Firing | None
    already: bool

    @property
    def delay(self) -> timedelta | None:
        """From the begin of the incident to the firing."""
        return None if self.first is None else self.first.begin - self.occurrence.begin


class Score(NamedTuple):
    """How good the alerts of a period were. `false_alarms` and `own_breaches` are of the indicators that incidents
    meet; no incident explains either. An own breach is true: the place was below its target."""

    found: list[Found]
    false_alarms: list[Firing]
    flaps_per_week: float
    own_breaches: Sequence[Firing] = ()

    def of(self, name: str) -> list[Found]:
        """The occurrences of the incidents of a name."""
        return [one for one in self.found if one.occurrence.incident.name == name]

    def delays(self, name: str) -> list[timedelta]:
        """Of the incidents of a name that were found."""
        return [one.delay for one in self.of(name) if one.delay is not None]

    def median_delay(self, name: str) -> timedelta | None:
        """The median of them; None without one."""
        delays = self.delays(name)
        return timedelta(seconds=median(one.total_seconds() for one in delays)) if delays else None


def occurrences(incidents: Sequence[Incident], begin: datetime, end: datetime) -> list[Occurrence]:
    """When incidents that rates can find happened in a period; a daily one happens once a day."""
    found = []
    for incident in incidents:
        if incident.name not in INDICATOR_OF:
            continue
        for day in range(day_number(to_us(begin)), day_number(to_us(end)) + 1):
            low = max(day_start(day), to_us(begin)) if incident.window.begin is None else to_us(begin)
            if incident.window.begin is None and day > day_number(to_us(begin)):
                break
            for start, stop in _spans(incident, day, low):
                over = min(to_us(end), stop if stop is not None else to_us(end))
                if to_us(begin) <= start < over:
                    found.append(Occurrence(incident, to_datetime(start), to_datetime(over)))
    return sorted(found, key=lambda one: one.begin)


def _spans(incident: Incident, day: int, origin: int) -> list[tuple[int, int | None]]:
    return incident.window.spans(day, origin)


def own_place(incident: Incident) -> tuple[str, str]:
    """Scope and scope_id of the place that an incident meets as a whole."""
    if incident.town is not None:
        return "town", incident.town
    return ("platform", incident.platform) if incident.platform is not None else ("city", CITY_CODE)


def tells_of(incident: Incident, firing: Firing) -> bool:
    """Whether an alert finds an incident: that of its own place, or of the city."""
    mine = firing.indicator == INDICATOR_OF.get(incident.name)
    return mine and (firing.scope == "city" or (firing.scope, firing.scope_id) == own_place(incident))


def explains(incident: Incident, firing: Firing) -> bool:
    """Whether an incident meets units of the place of an alert, so that it may be why it fires."""
    if firing.indicator != INDICATOR_OF.get(incident.name):
        return False
    return {
        "town": incident.town in (None, firing.scope_id),
        "platform": incident.platform in (None, firing.scope_id),
    }.get(firing.scope, True)


def margin(firing: Firing, by: Catalogue = CATALOGUE) -> timedelta:
    """How long after the end of an incident an alert may begin to fire because of it: window, settle time and `for`.

    :param by: the indicators as they were judged."""
    entry = by[firing.indicator]
    length = timedelta(0) if firing.window == "now" else window_length(firing.window)
    return length + entry.settle + entry.for_


def by_scope(several: Sequence[Firing]) -> dict[str, int]:
    """How many firings are of the city, of towns and of platforms."""
    return {scope: sum(one.scope == scope for one in several) for scope in ("city", "town", "platform")}


def score(
    several: Sequence[Firing],
    incidents: Sequence[Incident],
    begin: datetime,
    end: datetime,
    truly: Container[Firing] = (),
    by: Catalogue = CATALOGUE,
) -> Score:
    """Scores the firings of a period against the incidents of it. An incident is found by the alert of its own
    place or the city's that begins to fire in it or within one window after it.

    :param truly: firings at places that are known to have been below their target, with or without an incident.
    :param by: the indicators as they were judged."""
    happened = occurrences(incidents, begin, end)
    found = []
    for one in happened:
        matching = [firing for firing in several if tells_of(one.incident, firing)]
        first = next((firing for firing in matching if _within(one, firing, by)), None)
        already = any(
            firing.begin < one.begin and (firing.end is None or firing.end > one.begin) for firing in matching
        )
        found.append(Found(one, first, already))
    alone = unexplained(several, happened, by)
    return Score(
        found,
        [one for one in alone if one not in truly],
        per_week(flaps(several), begin, end),
        [one for one in alone if one in truly],
    )


def _within(one: Occurrence, firing: Firing, by: Catalogue) -> bool:
    return one.begin <= firing.begin <= one.end + margin(firing, by)


def unexplained(several: Sequence[Firing], happened: Sequence[Occurrence], by: Catalogue = CATALOGUE) -> list[Firing]:
    """Firings of the indicators that incidents meet that begin in no incident that meets units of their place, nor
    until window, settle time and `for` after its end."""
    judged = set(INDICATOR_OF.values())
    return [
        firing
        for firing in several
        if firing.indicator in judged
        and not any(explains(one.incident, firing) and _within(one, firing, by) for one in happened)
    ]
