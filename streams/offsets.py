"""Which offsets may be committed when records are handed out as lists.

A list is finished as a whole. What may be committed is the end of the longest finished prefix of a partition's lists: a
list that failed holds back everything behind it, whatever was finished later. Offsets between two lists (removed by
retention or compaction) belong to nobody and do not hold anything back.
"""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Partition = TypeVar("Partition", bound=Hashable)


class OffsetLedger(Generic[Partition]):
    """The lists that were handed out, by partition, in the order in which they were read."""

    def __init__(self) -> None:
        self._open: dict[Partition, deque[tuple[int, int, object]]] = {}
        self._finished: dict[Partition, set[int]] = {}
        self._committable: dict[Partition, int] = {}

    def handed_out(self, partition: Partition, first: int, last: int, token: object) -> None:
        """A list with offsets `first` to `last` was handed out; `token` tells it from one with the same offsets that
        is read again after a rebalance."""
        self._open.setdefault(partition, deque()).append((first, last, token))
        self._finished.setdefault(partition, set())

    def finished(self, partition: Partition, token: object) -> None:
        """The list is durable. A list that was forgotten in between changes nothing."""
        lists = self._open.get(partition, deque())
        done = self._finished.get(partition, set())
        if any(known is token for _, _, known in lists):
            done.add(id(token))
        while lists and id(lists[0][2]) in done:
            _, last, known = lists.popleft()
            done.discard(id(known))
            self._committable[partition] = last + 1

    def committable(self, partition: Partition) -> int | None:
        """The offset to commit, which is the first one that is not finished; None where nothing was finished."""
        return self._committable.get(partition)

    def partitions(self) -> list[Partition]:
        """Partitions that have something to commit."""
        return list(self._committable)

    def forget(self, partition: Partition) -> None:
        """The partition was taken away or is read again from its committed offset."""
        for known in (self._open, self._finished, self._committable):
            known.pop(partition, None)

    def forget_all(self) -> None:
        """Forgets every partition."""
        for known in (self._open, self._finished, self._committable):
            known.clear()
