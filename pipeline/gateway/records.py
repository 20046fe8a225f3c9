"""A record on its way to Kafka, and where it came to lie."""

from collections.abc import Sequence
from typing import NamedTuple

_OVERHEAD_BYTES = 400
"""Of one record: objects that stand for it here and in Kafka's client until it is acknowledged."""
_HEADER_BYTES = 100
"""Of one header likewise."""


class Outgoing(NamedTuple):
    """What is to be written."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()

    def size(self) -> int:
        """The bytes that are held for it, about."""
        size = len(self.value) + len(self.key or b"") + _OVERHEAD_BYTES
        for name, value in self.headers:
            size += len(name) + len(value) + _HEADER_BYTES
        return size


class Stored(NamedTuple):
    """Where the broker has it, durably."""

    partition: int
    offset: int
