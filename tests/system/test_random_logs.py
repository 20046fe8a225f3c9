"""Random logs through the whole stack: every row that analysts read is the one that the rules ask for."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.system.compare import differences
from tests.system.entities import TOWNS
from tests.system.logs import Maker
from tests.system.oracle import Oracle
from tests.system.records import Place, Record
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]

REBUILD_SECONDS: Final = 120.0


def check(stack: Stack, pushed: list[tuple[Record, Place]], asked: int = 1) -> None:
    """Waits until all is landed and counted, and compares."""
    stack.wait_committed()
    oracle = Oracle(record for record, _ in pushed)
    found = differences(stack, oracle, {place: record for record, place in pushed if record.reason}, asked)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:60])


def push(stack: Stack, records: list[Record]) -> list[tuple[Record, Place]]:
    """Pushes records and says where each stands."""
    return list(zip(records, stack.push(records), strict=True))


def shuffled(records: list[Record], seed: int) -> list[Record]:
    """The records in another order."""
    return Random(seed).sample(records, len(records))


def test_events_in_their_order_count_as_the_rules_say(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1)
    check(stack, push(stack, Maker(1, 400).log()))


def test_the_order_of_arrival_changes_nothing(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    check(stack, push(stack, shuffled(Maker(2, 800, crowd=True).log(), 2)), asked=2)


def test_records_that_come_twice_and_in_pieces_count_once(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1)
    records = Maker(3, 300).log()
    records = shuffled(records + records, 3)
    pushed = []
    for start in range(0, len(records), 600):
        pushed += push(stack, records[start : start + 600])
        stack.wait_committed()
    check(stack, pushed)


def test_what_landed_before_a_restart_is_corrected_by_what_comes_after(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1)
    records = shuffled(Maker(4, 400).log(), 4)
    half = len(records) // 2
    pushed = push(stack, records[:half])
    check(stack, pushed, asked=0)
    stack.workers[0].end(signal.SIGTERM)
    pushed += push(stack, records[half:])
    stack.workers[0].start()
    check(stack, pushed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_that_end_in_the_middle_lose_nothing_and_count_nothing_twice(
    make_stack: StackMaker, number: signal.Signals
) -> None:
    stack = make_stack(workers=2)
    records = shuffled(Maker(5 + number, 600).log(), number)
    pushed = push(stack, records[:300])
    for start, worker in zip(range(300, len(records), 300), (*stack.workers, *stack.workers) * 2, strict=False):
        pushed += push(stack, records[start : start + 300])
        worker.end(number)
        pushed += push(stack, records[:50])
        worker.start()
    check(stack, pushed)


def test_a_rebuild_while_workers_run_changes_nothing(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    records = shuffled(Maker(6, 300).log(), 6)
    half = len(records) // 2
    pushed = push(stack, records[:half])
    stack.wait_committed()
    command = [sys.executable, "-m", "pipeline", "rebuild"]
    with subprocess.Popen(command, env=stack.env, cwd=stack.home, stdout=-1, stderr=subprocess.STDOUT) as rebuild:
        pushed += push(stack, records[half:])
        said, _ = rebuild.communicate(timeout=REBUILD_SECONDS)
    assert rebuild.returncode == 0, f"rebuild ended with {rebuild.returncode}: {said.decode()}"
    check(stack, pushed)


def test_whatever_else_comes_late_counts_as_the_rules_say(make_stack: StackMaker) -> None:
    """Hypothesis draws small logs of other cities, which land one after the other in one stack: all that came before is
    compared again with each of them, so a difference is of the last one or of what it broke."""
    stack = make_stack(workers=1)
    pushed: list[tuple[Record, Place]] = []
    cities: list[int] = []

    @settings(
        max_examples=2, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(
        seed=st.integers(0, 2**32 - 1),
        size=st.integers(20, 150),
        towns=st.lists(st.sampled_from(TOWNS), min_size=1, max_size=3, unique=True),
        edges=st.booleans(),
        pieces=st.integers(1, 3),
        mixed=st.booleans(),
    )
    def another_city(seed: int, size: int, towns: Sequence[str], edges: bool, pieces: int, mixed: bool) -> None:
        cities.append(seed)
        records = Maker(seed, size, towns, f"city{len(cities)}-", edges).log()
        records = shuffled(records, seed) if mixed else records
        for start in range(pieces):
            pushed.extend(push(stack, records[start::pieces]))
        check(stack, pushed)

    another_city()
