"""Incidents drawn from a seed, in any place where an alert can tell of them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final

from pipeline.backtest.samples import units_needed
from pipeline.simulator.city import TOWN_WEIGHTS
from pipeline.simulator.options import SimulationOptions
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from schemas.towns import TOWNS

MEAL_HOUR: Final = 0.11
"""The share of a day's delivered orders in the busiest hour of an evening, on the quietest day of the week."""
MEALS: Final = (11, 17)
"""Hours of the day in which drops of seals and kitchens begin."""
MORNING: Final = (9, 11)
"""Hours in which cameras go dark: most of them hang in canteens, which close after lunch."""
_KINDS: Final = (
    "seal-drop:town={town},rate={low}", "seal-drop:platform={platform},rate={low}", "seal-drop:rate={low}",
    "kitchen-drop:town={steady},rate={kitchens}", "camera-dark:town={any}",
    "seal-drop:town={town},rate={high}", "seal-drop:rate={high}", "seal-drop:platform={platform},rate={high}",
    "kitchen-drop:rate={kitchens}", "camera-dark:rate={cameras}",
)  # fmt: skip


def _shares() -> dict[str, float]:
    """Each town's share of the merchants, and so of the orders."""
    whole = sum(TOWN_WEIGHTS)
    return {town: weight / whole for town, weight in zip(TOWNS, TOWN_WEIGHTS, strict=True)}


def seal_towns(orders_per_day: int, left: float) -> list[str]:
    """Towns in which a drop of the seals to `left` can be seen at a meal: the busiest hour has the sample that proves
    it, and the floor of the alert."""
    seal = CATALOGUE["seal_coverage"]
    target, floor = seal.target[-1].value, int(seal.floor[-1].value)
    needed = units_needed(left, target, floor)
    return [
        town for town, share in _shares().items() if needed is not None and orders_per_day * MEAL_HOUR * share >= needed
    ]


def steady_towns(options: SimulationOptions) -> list[str]:
    """Towns with so many kitchens that their share stays above the target: two standard deviations of what opens,
    breaks and is mended fit between it and the target. In smaller ones an alert may be firing already."""
    target, usual = CATALOGUE["kitchen_build"].target[-1].value, options.kitchens_active
    if usual <= target:
        return []
    needed = 4 * usual * (1 - usual) / (usual - target) ** 2
    return [town for town, share in _shares().items() if options.count("takeaway") * share >= needed]


def drawn(count: int, options: SimulationOptions, weeks: float) -> list[str]:
    """Incidents of all kinds by turns, at even distances of days, for two to four hours; they are the same for a seed
    and a city."""
    rng = Random(options.seed)
    first = options.start.astimezone(SHANGHAI).replace(hour=0, minute=0) + timedelta(days=1)
    step = (weeks * 7 - 2) / count
    return [
        _incident(rng, _KINDS[number % len(_KINDS)], first + timedelta(days=int(number * step)), options)
        for number in range(count)
    ]


def _incident(rng: Random, kind: str, day: datetime, options: SimulationOptions) -> str:
    hours: Sequence[int] = MORNING if kind.startswith("camera") else MEALS
    begin = day + timedelta(hours=rng.choice(hours), minutes=rng.randrange(60))
    end = begin + timedelta(hours=rng.choice((2, 3, 4)))
    low, high = rng.choice((0.4, 0.5, 0.6)), rng.choice((0.65, 0.7, 0.75))
    towns: Mapping[str, Sequence[str]] = {
        "town": seal_towns(options.orders_per_day, low if "{low}" in kind else high),
        "steady": steady_towns(options),
        "any": list(TOWNS),
    }
    places = {name: rng.choice(several or list(TOWNS)[:1]) for name, several in towns.items()}
    text = kind.format(
        **places,
        platform=rng.choice(("meituan", "eleme")),
        low=low,
        high=high,
        kitchens=rng.choice((0.3, 0.5)),
        cameras=rng.choice((0.3, 0.6, 1)),
    )
    return f"{text},from={begin.isoformat()},to={end.isoformat()}"
