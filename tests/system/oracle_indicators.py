"""The indicators as the contract lists them, the units that they count, and what a rate says."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from tests.system.oracle_events import DAY, HOUR, MINUTE, Event

STOCK: Final = "stock"
FLOW: Final = "flow"
AVAILABILITY: Final = "availability"

Scope = tuple[str, str]
CITY: Final[Scope] = ("city", "330681")
PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin", "other")

LENGTHS: Final = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "365d": 365 * DAY}
_SHORT: Final = ("1h", "24h", "7d", "30d")
_LONG: Final = ("7d", "30d", "365d")


class Indicator(NamedTuple):
    """One line of the contract's table. Without a target it is only shown."""

    code: str
    kind: str
    target: float | None
    comparator: str
    windows: tuple[str, ...]
    floor: int
    settle: int = 0
    counts: bool = False
    platforms: bool = False


def _stock(code: str, target: float | None, count: bool = False, platforms: bool = False) -> Indicator:
    return Indicator(code, STOCK, target, ">=" if target else "", ("now",), 1, counts=count, platforms=platforms)


def _flow(code: str, target: float | None, windows: tuple[str, ...] = _SHORT, seal: bool = False) -> Indicator:
    settle = 15 * MINUTE if seal else 0
    return Indicator(code, FLOW, target, ">=" if target else "", windows, 30, settle, platforms=seal)


INDICATORS: Final = {
    one.code: one
    for one in (
        _stock("kitchen_build", 0.90, platforms=True),
        _stock("kitchen_build_loose", None, platforms=True),
        Indicator("camera_online", AVAILABILITY, 0.95, ">=", _SHORT, 1),
        _flow("seal_coverage", 0.90, seal=True),
        _flow("seal_evidence", None, seal=True),
        _stock("eldercare_kitchens", 14, count=True),
        _stock("eldercare_grade_ab", 14, count=True),
        _stock("caring_canteen_villages", 0.75),
        Indicator("school_grade_c", STOCK, 0, "<=", ("now",), 1, counts=True),
        _stock("supplier_certified", 1.00),
        _stock("school_6h", 40, count=True),
        _stock("school_model", 5, count=True),
        _stock("nutrition_canteens", 1, count=True),
        _stock("dining_streets", 3, count=True),
        _stock("cook_companies", None, count=True),
        _stock("delivery_unit_grade_b", 0.80),
        _stock("delivery_unit_certified", 0.70),
        _stock("staffing", 1.00),
        _stock("cook_certified", 1.00),
        _flow("banquet_filed", 0.95, _LONG),
        _flow("banquet_guided", 0.95, _LONG),
        _flow("banquet_cook_certified", 0.95, _LONG),
        _flow("banquet_samples", 0.95, _LONG),
        _flow("finding_closure", 0.90),
        _stock("guarantee_relations", 1.00),
        _stock("pledges_signed", 1.00),
        _flow("supervision_visits", 1.00, _LONG),
    )
}


class Unit(NamedTuple):
    """One unit that counts, where it counts, what it adds there, and the events that decide it."""

    id: str
    scopes: tuple[Scope, ...]
    numerator: int
    denominator: int
    unknown: int
    events: tuple[Event, ...]


def share(unit: str, scopes: tuple[Scope, ...], events: tuple[Event, ...], good: bool, unknown: bool = False) -> Unit:
    """A unit of a share: one more in the denominator."""
    return Unit(unit, scopes, int(good), 1, int(unknown), events)


def counted(unit: str, scopes: tuple[Scope, ...], events: tuple[Event, ...]) -> Unit:
    """A unit of a count: one more in the numerator, and no denominator."""
    return Unit(unit, scopes, 1, 0, 0, events)


class Rate(NamedTuple):
    """The units of one place together."""

    numerator: int = 0
    denominator: int = 0
    unknown: int = 0

    def value(self, indicator: Indicator) -> float | None:
        """The rate; None without units, but a count is never without."""
        if indicator.counts:
            return float(self.numerator)
        return self.numerator / self.denominator if self.denominator else None

    def plus(self, unit: Unit) -> "Rate":
        """With one more unit."""
        return Rate(self.numerator + unit.numerator, self.denominator + unit.denominator, self.unknown + unit.unknown)


Rates = dict[tuple[str, str, str], Rate]
"""By (indicator, scope, scope_id); a place that is missing has no units."""


def summed(units: Iterable[tuple[str, Unit]]) -> Rates:
    """The rates of all places from units by indicator."""
    rates: Rates = {}
    for code, unit in units:
        for scope, place in unit.scopes:
            rates[code, scope, place] = rates.get((code, scope, place), Rate()).plus(unit)
    return rates


def status(indicator: Indicator, rate: Rate) -> str:
    """What a rate says beside its target; empty where there is nothing to count."""
    value = rate.value(indicator)
    if value is None:
        return ""
    if not indicator.counts and rate.denominator < indicator.floor:
        return "low_sample"
    if indicator.target is None:
        return "ok"
    good = value <= indicator.target if indicator.comparator == "<=" else value >= indicator.target
    return "ok" if good else "below"


def wilson(numerator: int, denominator: int, side: int) -> float:
    """Wilson's 95 % bound of a share; `side` is -1 for the lower and 1 for the upper."""
    z = 1.959963984540054
    part = numerator / denominator
    middle = part + z * z / (2 * denominator)
    half = z * math.sqrt(part * (1 - part) / denominator + z * z / (4 * denominator**2))
    return (middle + side * half) / (1 + z * z / denominator)
