"""How much the gateway takes at once: so many bytes, events and seconds, and not more memory than that."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

MIB = 1 << 20


class Limits(NamedTuple):
    """What one gateway process allows itself."""

    body_bytes: int = 8 * MIB
    """The greatest body of a request, as sent and after decompression."""
    events: int = 10_000
    """The most events of one request. Without it 8 MiB of `1,1,1,...` would be 4 million rejected records."""
    held_bytes: int = 64 * MIB
    """Bodies that are being read or judged, and records that Kafka has not acknowledged, all requests together."""
    body_seconds: float = 30.0
    """The time a client has to send a body."""
    acknowledge_seconds: float = 10.0
    """The time Kafka has to acknowledge the events of a request; after it the answer is 503."""
    requests: int = 1000
    """The most requests that are answered at once; others get 503."""
    connections: int = 2000
    """The most open connections; of more, those are closed that have waited for their client longest."""
    head_seconds: float = 10.0
    """The time a client has for a TLS handshake, and then for a request's head, counted from there or from the answer
    before."""
    answer_seconds: float = 60.0
    """The time a client has to read an answer."""


class BusyError(Exception):
    """The gateway holds as many bytes as it may."""


class Budget:
    """The bytes that all requests together may hold."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def lease(self) -> "Lease":
        """A lease for one request; it has to be closed."""
        return Lease(self)

    def take(self, size: int) -> None:
        """Raises BusyError where there is no room for so many bytes."""
        if self.held + size > self._limit:
            raise BusyError
        self.held += size

    def give_back(self, size: int) -> None:
        """Frees what was taken."""
        self.held -= size


class Lease:
    """What one request holds of the budget: until it is closed, and where records are still on their way to Kafka then,
    until Kafka has answered for each of them. Kafka's client keeps them so long, whatever the request was told."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self._unanswered = 0
        self._closed = False

    def take(self, size: int) -> None:
        """Takes bytes. Raises BusyError where there is no room."""
        self._budget.take(size)
        self._size += size

    def keep_for(self, futures: Iterable["asyncio.Future[Any]"]) -> None:
        """Holds on until each of these futures is done."""
        for future in futures:
            self._unanswered += 1
            future.add_done_callback(self._answered)

    def _answered(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled():
            future.exception()  # looked at, so that asyncio does not complain: the request has been answered
        self._unanswered -= 1
        self._free()

    def close(self) -> None:
        """The request is over."""
        self._closed = True
        self._free()

    def _free(self) -> None:
        if self._closed and not self._unanswered:
            self._budget.give_back(self._size)
            self._size = 0
