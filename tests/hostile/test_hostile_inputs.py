"""Thousands of hostile requests in every run, and a million by night: `make fuzz`.

`HOSTILE_INPUTS` is their number and `HOSTILE_SEED` what they are made from; a fault prints how to have it again."""

import asyncio
import sys
import time
from collections import Counter

import httpx
import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.hostile.amount import FIRST, INPUTS, SEED
from tests.hostile.ledger import Ledger
from tests.hostile.machine import Machine, batches
from tests.hostile.memory import MEMORY_MAX, MIB, Memory
from tests.hostile.requests import Keys
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import BEARER, Broker, Gateway

BATCH = 10_000


class Screen:
    """How far it is: a bar in a terminal, a line for each batch elsewhere, and nothing where it is over in a moment."""

    def __init__(self) -> None:
        self._console = Console(file=sys.__stderr__)
        self._begun = time.monotonic()
        columns = (TextColumn("seed {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._console, disable=not self._bar)
        self._task = self._progress.add_task(SEED, total=INPUTS)
        self.before = 0
        """Attempts of the batches before."""

    @property
    def _bar(self) -> bool:
        return self._console.is_terminal and INPUTS > BATCH

    def __enter__(self) -> "Screen":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def done(self, number: int) -> None:
        """So many attempts of this batch."""
        self._progress.update(self._task, completed=self.before + number)

    def line(self, number: int, peak: int, statuses: Counter[int]) -> None:
        """What came of them so far."""
        if INPUTS > BATCH and not self._bar:
            rate = number / (time.monotonic() - self._begun)
            self._console.print(
                f"{number:,} of {INPUTS:,} hostile requests, {rate:,.0f}/s, seed {SEED}; the gateway takes at most "
                f"{peak // MIB} MiB; {dict(sorted(statuses.items()))}",
                soft_wrap=True,
            )


def test_no_hostile_request_gets_what_it_should_not(
    door: Gateway, broker: Broker, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    """No 5xx but 503, every item its result, nothing on a topic that the worker would refuse, memory bounded."""
    machine = Machine(door.port, SEED, keys)
    memory = Memory(door.process.pid)
    ledger = Ledger(broker.servers)
    statuses: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    stored = 0
    with capsys.disabled(), Screen() as screen, memory.watched():
        for numbers in batches(FIRST, INPUTS, BATCH):
            screen.before = numbers.start - FIRST
            tried = asyncio.run(machine.run(numbers, screen.done))
            stored += ledger.check(tried.accepted, tried.rejected)
            statuses += tried.statuses
            kinds += tried.kinds
            screen.line(numbers.stop - FIRST, memory.peak, statuses)
            assert memory.peak < MEMORY_MAX, f"the gateway takes {memory.peak // MIB} MiB"
            assert door.process.poll() is None, door.log.read_text()[-3000:]
    ledger.close()
    assert kinds.total() == INPUTS
    assert statuses[503] <= INPUTS / 100, f"it was hardly ever there: {statuses}"
    assert "Traceback" not in door.log.read_text()
    answer = httpx.post(f"{door.url}/v1/events", content=text(1), headers={"Content-Type": "application/json"} | BEARER)
    assert answer.status_code == 202
    if INPUTS >= 4000:
        assert stored > INPUTS / 20, "most attempts are to get somewhere"
        assert {202, 207, 400, 401, 404, 405, 413, 415, 422, 429} <= statuses.keys()
