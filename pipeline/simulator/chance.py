"""Chance that can be repeated: every cell of time and every entity has a generator of its own, seeded by its name.

So what happens in one minute does not depend on which minutes were simulated before it, or in which portions.
"""

import math
import random
from collections.abc import Sequence
from random import Random


def chance(*parts: object) -> Random:
    """A generator seeded by the parts; equal parts give equal draws in every process."""
    return random.Random("/".join(map(str, parts)))


def poisson(rng: Random, mean: float) -> int:
    """A Poisson draw; the normal approximation from a mean of 40, where nobody can tell them apart."""
    if mean <= 0:
        return 0
    if mean >= 40:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def positions(rng: Random, rate: float, size: int) -> list[int]:
    """Which of `size` things are hit when each is hit with probability `rate`: one draw per hit, not per thing."""
    if rate <= 0 or size <= 0:
        return []
    if rate >= 1:
        return list(range(size))
    log_miss = math.log1p(-rate)
    hits = []
    position = int(math.log(1.0 - rng.random()) / log_miss)
    while position < size:
        hits.append(position)
        position += 1 + int(math.log(1.0 - rng.random()) / log_miss)
    return hits


def split(total: int, weights: Sequence[tuple[str, float]]) -> dict[str, int]:
    """`total` things divided by weight, by the greatest remainders, so that the parts add up."""
    whole = sum(weight for _, weight in weights)
    shares = [(name, total * weight / whole) for name, weight in weights]
    parts = {name: int(share) for name, share in shares}
    missing = total - sum(parts.values())
    for name, _ in sorted(shares, key=lambda one: int(one[1]) - one[1])[:missing]:
        parts[name] += 1
    return parts
