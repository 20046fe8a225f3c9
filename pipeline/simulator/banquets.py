"""Rural banquets: from the declaration, weeks ahead, over filing, cook and guidance to the meal and its closing.

People feast on auspicious days, so a day may bring ten times a common day's banquets. The calendar is invented.
"""

from random import Random
from typing import Any, Final

from pipeline.simulator.chance import chance, poisson
from pipeline.simulator.city import City
from pipeline.simulator.moments import DAY, HOUR, MINUTE, iso, to_datetime, weekday
from pipeline.simulator.names import person
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.source import Draft, Source, draft
from schemas.banquet import Banquet

_AUSPICIOUS_SHARE: Final = 0.11
_GREAT_SHARE: Final = 0.02
_FACTORS: Final = (0.48, 4.2, 9.0)
"""Banquets of a common, an auspicious and a greatly auspicious day against the mean: with weekends about 1."""
_WEEKEND: Final = 1.25


def auspicious(seed: int, day: int) -> float:
    """How many times the mean number of banquets this day has."""
    fate = chance(seed, "calendar", day).random()
    factor = _FACTORS[2 if fate < _GREAT_SHARE else 1 if fate < _AUSPICIOUS_SHARE else 0]
    return factor * (_WEEKEND if weekday(day) >= 5 else 0.9)


class BanquetSource(Source):
    """Banquets day by day of the meal."""

    name = "banquet"
    unit = DAY
    lead = 32 * DAY
    settled = 6 * DAY
    past = 366 * DAY

    def __init__(self, options: SimulationOptions, city: City) -> None:
        super().__init__(options)
        self._villages = city.villages
        self._cooks: dict[str, list[str]] = {}
        for one in city.of_kind("banquet_cook"):
            self._cooks.setdefault(one.town, []).append(one.operator_id)
        self._all_cooks = [one.operator_id for one in city.of_kind("banquet_cook")]

    def cell(self, number: int) -> list[Draft]:
        """The whole lives of the banquets whose meal is meant for this day."""
        rng = chance(self.options.seed, "banquet", number)
        mean = self.options.banquets_per_day * auspicious(self.options.seed, number)
        stamp = to_datetime(self.begin(number)).strftime("%y%m%d")
        drafts: list[Draft] = []
        for place in range(poisson(rng, mean) if self._villages else 0):
            self._live(drafts, rng, self.begin(number), f"bq-{stamp}-{place:03d}")
        return drafts

    def _live(self, drafts: list[Draft], rng: Random, day: int, banquet_id: str) -> None:
        village = rng.choice(self._villages)
        town = village["town_code"]
        meal = day + rng.choices((11 * HOUR, 17 * HOUR), (0.35, 0.65))[0] + rng.randrange(8) * 15 * MINUTE
        in_time = rng.random() < 0.975
        declared = meal - int((3.2 + rng.random() ** 2 * 24) * DAY if in_time else (0.3 + rng.random() * 2.5) * DAY)
        declared = declared // 1000 * 1000
        diners = max(20, min(900, round(rng.lognormvariate(5.1, 0.45))))
        data: dict[str, Any] = {
            "banquet_id": banquet_id,
            "town_code": town,
            "village_id": village["village_id"],
            "venue": rng.choices(("home", "banquet_centre", "temporary"), (0.54, 0.36, 0.10))[0],
            "declared_at": iso(declared),
            "held_at": iso(meal),
            "diners": diners,
            "tables": -(-diners // 10),
            "host": person(rng),
        }
        steps = _steps(rng, declared, meal)
        cooks = self._cooks.get(town) if rng.random() < 0.9 else self._all_cooks
        cook = rng.choice(cooks or self._all_cooks) if self._all_cooks and rng.random() < 0.99 else None
        kept = rng.random()
        samples = True if kept < 0.965 else False if kept < 0.975 else None
        for number, (time, status, source) in enumerate(steps, start=1):
            data["status"] = status
            if status == "assigned":
                data["cook_id"] = cook
            elif status == "guided" and "guided_at" not in data:
                data["guided_at"] = iso(time)
            elif status in ("held", "closed"):
                data["samples_retained"] = samples
            said = time + 5 * MINUTE if status in ("guided", "held") else time
            drafts.append(
                draft(
                    said + 300_000 + int(rng.random() * 5_000_000),
                    Banquet,
                    (
                        f"/village/{village['village_id']}" if source == "village" else "/banquet/zhuji",
                        f"{banquet_id}-{number}",
                    ),
                    iso(said),
                    dict(data),
                )
            )


def _steps(rng: Random, declared: int, meal: int) -> list[tuple[int, str, str]]:
    """(moment, status, who says it) in the order of time."""
    steps: list[tuple[int, str, str]] = []
    if rng.random() < 0.1:
        steps.append((declared - int((1 + rng.random() * 40) * HOUR), "draft", "village"))
    time = declared
    steps.append((time, "declared", "village"))

    def go(share: float) -> int:
        """A moment on the way to the meal, never beyond it."""
        return time + int((meal - 2 * HOUR - time) * share)

    if rng.random() < 0.05:
        time = go(0.05 + 0.1 * rng.random())
        steps.append((time, "returned", "office"))
        time = go(0.1)
        steps.append((time, "declared", "village"))
    if rng.random() < 0.02:
        steps.append((go(rng.random()), "cancelled", "village"))
        return steps
    for status in ("filed", "assigned"):
        time = go(0.05 + 0.15 * rng.random())
        steps.append((time, status, "office"))
    if rng.random() < 0.975:
        time = go(0.3 + 0.4 * rng.random())
        steps.append((time, "guided", "office"))
        if rng.random() < 0.06:
            time = go(0.2)
            steps.append((time, "rectifying", "office"))
            time = go(0.5)
            steps.append((time, "guided", "office"))
    time = meal + int((1.5 + rng.random() * 2) * HOUR)
    steps.append((time, "held", "village"))
    steps.append((time + int((0.3 + rng.random() * 3) * DAY), "closed", "office"))
    return [(moment // 1000 * 1000, status, who) for moment, status, who in steps]
