"""What many times say together."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.bench.report import quantile


class Quantiles(NamedTuple):
    """Of the times of many answers; all 0 where there was none."""

    median: float
    p99: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Quantiles":
        """In the unit of the values."""
        if not values:
            return cls(0.0, 0.0, 0.0)
        ordered = sorted(values)
        return cls(quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1])
