"""What comes to one channel while many things happen, joined: a storm is one message.

Alerts of one storm come one behind the other, so what comes is waited for a moment before anything is sent. While a
storm lasts that moment is longer, so that a platform's limit of messages a minute is kept for what matters.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

STORM: Final = 8
"""So many in a minute are joined with what comes next."""
STORM_MOST: Final = 200
LATELY_SECONDS: Final = 60.0
GATHER_SECONDS: Final = 2.0
"""A storm's alerts are on their topic within about a second."""
STORM_SECONDS: Final = 10.0
"""The same while a storm lasts."""


def groups(gathered: list[Item], lately: int) -> list[list[Item]]:
    """What is told together: everything in a storm, else each by itself. Pure.

    :param lately: how many were told in the last minute."""
    if lately + len(gathered) >= STORM:
        return [gathered]
    return [[one] for one in gathered]


class Gathering(Generic[Item]):
    """Takes from one queue what is to be told next.

    :param joins: whether anything is joined at all; if not, nothing is waited for."""

    def __init__(self, queue: "asyncio.Queue[Item]", *, joins: bool) -> None:
        self._queue = queue
        self._joins = joins
        self._taken: deque[float] = deque()
        """When, of what was taken in the last minute; seconds of a clock that never goes back."""

    async def next(self) -> list[list[Item]]:
        """At least one group, when there is something."""
        gathered = [await self._queue.get()]
        if not self._joins:
            return [gathered]
        lately = self._lately()
        await asyncio.sleep(STORM_SECONDS if lately >= STORM else GATHER_SECONDS)
        with suppress(asyncio.QueueEmpty):
            while len(gathered) < STORM_MOST:
                gathered.append(self._queue.get_nowait())
        lately = self._lately()
        self._taken.extend([time.monotonic()] * len(gathered))
        return groups(gathered, lately)

    def _lately(self) -> int:
        since = time.monotonic() - LATELY_SECONDS
        while self._taken and self._taken[0] < since:
            self._taken.popleft()
        return len(self._taken)
