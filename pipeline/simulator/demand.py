"""When people order and where: curves of the day and the week, and a skewed popularity of towns and merchants."""

import math
from bisect import bisect
from itertools import accumulate
from typing import Final

from pipeline.simulator.city import Operator, open_minutes
from pipeline.simulator.moments import day_number, minute_of_day, weekday

_PEAKS: Final = (
    # minute of the day, width in minutes, share of the day's orders
    (8 * 60, 45.0, 0.06),
    (12 * 60 + 5, 38.0, 0.38),
    (15 * 60 + 20, 70.0, 0.10),
    (18 * 60 + 15, 52.0, 0.33),
    (22 * 60, 75.0, 0.10),
)
_WEEK: Final = (0.94, 0.95, 0.96, 0.98, 1.06, 1.09, 1.02)
_FLOOR: Final = 0.03
"""The share of orders that is spread over the whole day and night."""


def _day_curve() -> list[float]:
    curve = [_FLOOR / 1440] * 1440
    for centre, width, share in _PEAKS:
        for minute in range(1440):
            away = min(abs(minute - centre), 1440 - abs(minute - centre))
            curve[minute] += share / (width * math.sqrt(2 * math.pi)) * math.exp(-0.5 * (away / width) ** 2)
    whole = sum(curve)
    return [value / whole for value in curve]


_CURVE: Final = _day_curve()
_HALF_HOUR: Final = 30


class Demand:
    """Orders a minute, and the merchants that get them.

    A merchant's place in the list is its slot: when the shop closes, the next one in the same place takes the slot."""

    def __init__(self, merchants: list[Operator], orders_per_day: int) -> None:
        self.slots = [one for one in merchants if one.weight > 0]
        self._orders_per_day = orders_per_day
        towns: dict[str, float] = {}
        crowds: dict[str, int] = {}
        for one in self.slots:
            towns[one.town] = towns.get(one.town, 0.0) + one.weight
            crowds[one.town] = crowds.get(one.town, 0) + 1
        # a town's orders go with its number of merchants, whoever is popular there
        weights = [one.weight / towns[one.town] * crowds[one.town] for one in self.slots]
        masks = {str(one.record["open_hours"]): open_minutes(one.record["open_hours"]) for one in self.slots}
        self._open: list[list[int]] = []
        self._heaps: list[list[float]] = []
        for half in range(48):
            minute = half * _HALF_HOUR + _HALF_HOUR // 2
            open_now = [
                slot for slot, one in enumerate(self.slots) if masks[str(one.record["open_hours"])][minute]
            ] or list(range(len(self.slots)))
            self._open.append(open_now)
            self._heaps.append(list(accumulate(weights[slot] for slot in open_now)))

    def mean(self, us: int) -> float:
        """Expected orders of the minute that begins at this moment."""
        if not self.slots:
            return 0.0
        return self._orders_per_day * _CURVE[minute_of_day(us)] * _WEEK[weekday(day_number(us))]

    def choose(self, us: int, draws: list[float]) -> list[int]:
        """The slots that get the orders of a minute, one for each draw from [0, 1)."""
        half = minute_of_day(us) // _HALF_HOUR
        open_now, heap = self._open[half], self._heaps[half]
        whole = heap[-1]
        last = len(heap) - 1
        return [open_now[min(bisect(heap, draw * whole), last)] for draw in draws]
