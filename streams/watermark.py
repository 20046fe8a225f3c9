"""Up to which moment a stream is taken to be complete: a pure rule.

While all partitions are caught up, the clock less the lateness. While one has lag, not beyond the greatest event time
landed from it; if nothing has landed from it, the watermark stays. It never goes back.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class PartitionState(NamedTuple):
    """One partition of a stream's topic."""

    next_offset: int
    """First offset that is not landed and aggregated."""
    end_offset: int
    """Offset of the next record that a producer will write."""
    max_time: datetime | None
    """Greatest event time landed from it; None where nothing has landed."""


def watermark(
    previous: datetime | None, partitions: Iterable[PartitionState], clock: datetime | None, lateness: timedelta
) -> datetime | None:
    """The stream's watermark, None before there is any.

    :param clock: taken before the end offsets were read; None in event time before the first event.
    """
    if clock is None:
        return previous
    mark = clock - lateness
    for partition in partitions:
        if partition.next_offset < partition.end_offset:
            if partition.max_time is None:
                return previous
            mark = min(mark, partition.max_time)
    return mark if previous is None else max(previous, mark)


def as_of(mark: datetime) -> datetime:
    """The watermark cut down to the minute: the moment up to which rates count."""
    return mark.astimezone(UTC).replace(second=0, microsecond=0)


def seconds_to_minute(moment: datetime) -> float:
    """Seconds until the next minute begins, at least a few milliseconds."""
    return max(60 - moment.second - moment.microsecond / 1_000_000, 0.005)
