"""How many units it takes to see that a rate is below its target: what Wilson's bound and the floor let through. Pure.

Such a sample is needed within one window, so these numbers say in which town and at which hour a drop can be found.
"""

from functools import lru_cache
from math import comb
from typing import Final

from streams.alert_machine import wilson_bounds

LARGEST: Final = 1_000
"""Larger samples are not looked at."""
_NEARBY: Final = 20


@lru_cache(maxsize=16_384)
def proves(units: int, target: float) -> int:
    """The largest numerator of so many units that proves the target missed, -1 where none does: the upper bound of
    Wilson's 95 % interval is below the target."""
    low, high = -1, units
    while low < high:  # the bound grows with the numerator
        middle = (low + high + 1) // 2
        if wilson_bounds(middle, units)[1] < target:
            low = middle
        else:
            high = middle - 1
    return low


def power(units: int, share: float, target: float) -> float:
    """How likely a sample of so many units proves the target missed, where the share behind it is `share`."""
    return sum(comb(units, one) * share**one * (1 - share) ** (units - one) for one in range(proves(units, target) + 1))


@lru_cache(maxsize=256)
def units_needed(share: float, target: float, floor: int = 1, certainty: float = 0.95) -> int | None:
    """The smallest sample from which on a share below the target is proved with this certainty; None beyond 1000.

    A binomial power saws up and down by a unit, so the answer is the one that holds for all larger samples nearby."""
    since: int | None = None
    for units in range(floor, LARGEST + 1):
        if power(units, share, target) < certainty:
            since = None
            continue
        since = units if since is None else since
        if units - since >= _NEARBY:
            return since
    return None
