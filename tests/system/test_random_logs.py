"""Random logs through the whole stack: every row that analysts read is the one that the rules ask for."""

import signal
from collections.abc import Callable
from random import Random

import pytest

from tests.system.compare import differences
from tests.system.logs import Maker
from tests.system.oracle import Oracle
from tests.system.records import Place, Record
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]


def check(stack: Stack, pushed: list[tuple[Record, Place]]) -> None:
    """Waits until all is landed and counted, and compares."""
    stack.wait_committed()
    oracle = Oracle(record for record, _ in pushed)
    stack.wait_as_of(oracle.as_of)
    found = differences(stack, oracle, {place: record for record, place in pushed if record.reason})
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:60])


def push(stack: Stack, records: list[Record]) -> list[tuple[Record, Place]]:
    """Pushes records and says where each stands."""
    return list(zip(records, stack.push(records), strict=True))


def test_events_in_their_order_count_as_the_rules_say(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1)
    check(stack, push(stack, Maker(1, 400).log().records))


def test_the_order_of_arrival_changes_nothing(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    records = Maker(2, 1200).log().records
    Random(2).shuffle(records)
    check(stack, push(stack, records))


def test_records_that_come_twice_and_in_pieces_count_once(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1)
    records = Maker(3, 500).log().records
    records += records
    Random(3).shuffle(records)
    pushed = []
    for start in range(0, len(records), 400):
        pushed += push(stack, records[start : start + 400])
        stack.wait_committed()
    check(stack, pushed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_that_end_in_the_middle_lose_nothing_and_count_nothing_twice(
    make_stack: StackMaker, number: signal.Signals
) -> None:
    stack = make_stack(workers=2)
    records = Maker(4 + number, 900).log().records
    Random(number).shuffle(records)
    pushed = push(stack, records[:300])
    for start, worker in zip(range(300, len(records), 300), (*stack.workers, *stack.workers), strict=False):
        pushed += push(stack, records[start : start + 300])
        worker.end(number)
        pushed += push(stack, records[:50])
        worker.start()
    check(stack, pushed)
