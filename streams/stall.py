"""Noticing a consumer that has died silently: it has lag, and what it commits does not advance.

Faust's consumers can stop without the process ending, so it is the offsets that are watched, not the process.
"""

from typing import Final, NamedTuple

STALL_SECONDS: Final = 40.0
"""No stage works this long on what it has taken before it commits; far more than any restart of Kafka takes."""


class Position(NamedTuple):
    """Of one topic, over all its partitions: what is committed and what is there."""

    committed: int
    end: int


class StallWatch:
    """Remembers since when each topic has not advanced. Pure: moments are given, in seconds of a monotonic clock."""

    def __init__(self, patience: float = STALL_SECONDS) -> None:
        self._patience = patience
        self._since: dict[str, tuple[int, float]] = {}

    def stalled(self, positions: dict[str, Position], moment: float) -> list[str]:
        """Topics that have had lag for longer than the patience without a commit that advanced."""
        found = []
        for topic, (committed, end) in positions.items():
            known, since = self._since.get(topic, (committed, moment))
            if committed != known or committed >= end:
                since = moment
            self._since[topic] = (committed, since)
            if moment - since > self._patience:
                found.append(topic)
        return found

    def forget(self) -> None:
        """Begins anew: after a restart everything gets its time again."""
        self._since.clear()
