"""The client of a measurement, in a process of its own: `python -m pipeline.bench.gateway.load`, told on its standard
input whom to push to. It says what it saw on its standard output.

All requests are made before the clock starts, and of an answer only status and length are read, so the client costs a
fraction of what it measures. In a closed loop each connection sends its next request when the last is answered. At a
rate, each request is due at a moment; one that finds no free connection waits, and its time runs from the moment when
it was due, so a server that stands still for a second is not measured by the one request that it held up.
"""

import asyncio
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import psutil
import uvloop
from pydantic import TypeAdapter

from pipeline.bench.events import seal_events
from pipeline.bench.gateway.quantiles import Quantiles
from pipeline.settings import LOOPBACK

_EVENTS_KEPT: Final = 50_000
"""Different events that are sent, over and over; the gateway remembers none."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_ACCEPTED: Final = b"202"


class Load(NamedTuple):
    """What the client is told. Times in seconds.

    :param rate: requests/s, sent when they are due; None: each connection sends as soon as it can.
    :param warm: time before the measurement, which is not counted.
    :param watched: process ids whose CPU is read, by name.
    """

    port: int
    api_key: str
    batch: int
    connections: int
    rate: float | None
    warm: float
    seconds: float
    seed: int
    watched: dict[str, int]


class Answered(NamedTuple):
    """What the client saw. Everything but `accepted` is of the time that counts.

    CPU in seconds by process, the client's own as `client`; `others` is the share (0..1) of the machine's CPU time that
    went to none of them. `refused` is the first answer that was not 202."""

    seconds: float
    requests: int
    events: int
    milliseconds: Quantiles
    cpu: dict[str, float]
    others: float
    accepted: int
    refused: str


_LOAD: Final = TypeAdapter(Load)
_ANSWERED: Final = TypeAdapter(Answered)


def to_json(load: Load) -> bytes:
    """As it is written to the client's standard input."""
    return _LOAD.dump_json(load)


def answered_from_json(text: bytes) -> Answered:
    """Reads what the client wrote."""
    return _ANSWERED.validate_json(text)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, answered: "Callable[[_Connection, bytes, bytes], None]", lost: Callable[[], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._read = bytearray()
        self._length: int | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name

    def send(self, request: bytes, due: float) -> None:
        """Sends a request whose time runs from `due`."""
        self.due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._length is None:
            end = self._read.find(_HEAD_END)
            if end < 0:
                return
            match = _LENGTH.search(self._read, 0, end + 2)
            self._length = end + len(_HEAD_END) + (int(match[1]) if match else 0)
        if len(self._read) >= self._length:
            status, text = bytes(self._read[9:12]), bytes(self._read) if self._read[9:12] != _ACCEPTED else b""
            self._read.clear()
            self._length = None
            self._answered(self, status, text)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost()

    def close(self) -> None:
        self._transport.close()


class _Client:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = requests_of(load)
        self._number = 0
        self._free: list[_Connection] = []
        self._waiting: deque[float] = deque()
        self._times: list[float] = []
        self._accepted = 0
        self._refused = b""
        self._counting = self._ending = False
        self._under_way = 0
        self._over = asyncio.Event()

    async def run(self) -> Answered:
        load, loop = self._load, asyncio.get_running_loop()
        for _ in range(load.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(self._answered, self._lost), LOOPBACK, load.port
            )
            self._free.append(connection)
        pacing = asyncio.create_task(self._pace(load.rate)) if load.rate else None
        while load.rate is None and self._free:
            self._send(self._free.pop(), time.perf_counter())
        await self._for(load.warm)
        self._counting = True
        before, began = _cpu(load.watched), time.perf_counter()
        await self._for(load.seconds)
        self._counting = False
        seconds, after = time.perf_counter() - began, _cpu(load.watched)
        self._ending = True
        if pacing:
            pacing.cancel()
            self._waiting.clear()
        while self._under_way and not self._refused:
            self._over.clear()
            await self._over.wait()
        spent = {name: after[name] - before[name] for name in after}
        machine, idle = spent.pop("machine"), spent.pop("idle")
        return Answered(
            seconds,
            len(self._times),
            len(self._times) * load.batch,
            Quantiles.of([one * 1000 for one in self._times]),
            spent,
            max(0.0, (machine - idle - sum(spent.values())) / machine) if machine else 0.0,
            self._accepted,
            self._refused.decode("utf-8", "replace"),
        )

    async def _for(self, seconds: float) -> None:
        """Returns after so many seconds, or when something was not accepted."""
        try:
            async with asyncio.timeout(seconds):
                while not self._refused:
                    self._over.clear()
                    await self._over.wait()
        except TimeoutError:
            pass

    async def _pace(self, rate: float) -> None:
        began = time.perf_counter()
        number = 0
        while True:
            now = time.perf_counter()
            while (due := began + number / rate) <= now:
                number += 1
                if self._free:
                    self._send(self._free.pop(), due)
                else:
                    self._waiting.append(due)
            await asyncio.sleep(due - now)

    def _send(self, connection: _Connection, due: float) -> None:
        self._under_way += 1
        connection.send(self._requests[self._number % len(self._requests)], due)
        self._number += 1

    def _answered(self, connection: _Connection, status: bytes, text: bytes) -> None:
        now = time.perf_counter()
        self._under_way -= 1
        if status != _ACCEPTED:
            self._refused = self._refused or text
            self._over.set()
            return
        self._accepted += self._load.batch
        if self._counting:
            self._times.append(now - connection.due)
        if self._ending:
            self._over.set()
        elif self._load.rate is None:
            self._send(connection, now)
        elif self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _lost(self) -> None:
        if not self._ending:
            self._refused = self._refused or b"the connection was closed"
            self._over.set()


def requests_of(load: Load) -> Sequence[bytes]:
    """Whole requests, with different events as far as memory goes."""
    values = (value for _, value in seal_events(max(_EVENTS_KEPT, load.batch), load.seed))
    made = []
    while batch := list(islice(values, load.batch)):
        body = batch[0] if load.batch == 1 else b"[" + b",".join(batch) + b"]"
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: {LOOPBACK}:{load.port}\r\nAuthorization: Bearer {load.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def _cpu(watched: dict[str, int]) -> dict[str, float]:
    """CPU seconds so far of each process, of the machine, and what of it was idle."""
    machine: Any = psutil.cpu_times()
    # guest time is counted in user time already
    total = sum(machine) - getattr(machine, "guest", 0.0) - getattr(machine, "guest_nice", 0.0)
    idle = machine.idle + getattr(machine, "iowait", 0.0)
    spent = {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in watched.items()}
    return {**spent, "client": time.process_time(), "machine": total, "idle": idle}


if __name__ == "__main__":
    told = _LOAD.validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(_ANSWERED.dump_json(uvloop.run(_Client(told).run())))
