"""Bad days: whatever ends or is ended under load, what Kafka has acknowledged is in the tables, once."""

import signal
from collections.abc import Callable
from random import Random
from typing import Final

from tests.system.feed import feed
from tests.system.load import Load, check_ledger
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]

KILLS: Final = 8
OUTAGE_SECONDS: Final = 30.0


def check_invalid_and_twice(load: Load) -> None:
    """The day was as bad as it should be."""
    reasons = {record.reason for record, _ in load.ledger}
    assert len(reasons) >= 6, reasons
    values = [record.value for record, _ in load.ledger if not record.reason]
    assert len(values) - len(set(values)) > len(values) / 15


def test_workers_that_are_killed_again_and_again_lose_nothing_and_count_nothing_twice(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    chance = Random()  # another moment in every run
    with Load(stack, feed(1)) as load:
        load.more(1000)
        for kill in range(KILLS):
            load.more(chance.randrange(500, 3000))
            for worker in stack.workers if kill == KILLS // 2 else [chance.choice(stack.workers)]:
                worker.end(signal.SIGKILL)
            stack.revive()
    check_invalid_and_twice(load)
    check_ledger(stack, load)


def test_workers_outlive_a_broker_that_is_killed_and_one_that_is_stopped(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    with Load(stack, feed(2)) as load:
        for number in (signal.SIGKILL, signal.SIGTERM):
            load.more(5000)
            stack.kafka.end(number)
            stack.kafka.start()
            stack.wait_kafka()
        load.more(5000)
    check_invalid_and_twice(load)
    check_ledger(stack, load)
    assert all(worker.running for worker in stack.workers), stack.ends()


def test_workers_wait_for_clickhouse_however_it_goes_away(make_stack: StackMaker) -> None:
    stack = make_stack(workers=2)
    with Load(stack, feed(3), rate=500) as load:
        load.more(1500)
        stack.clickhouse.end(signal.SIGTERM)
        load.more(int(OUTAGE_SECONDS * 500))
        assert all(worker.running for worker in stack.workers), stack.ends()
        stack.clickhouse.start()
        stack.wait_clickhouse()
        load.more(2000)
        stack.clickhouse.end(signal.SIGKILL)
        stack.clickhouse.start()
        stack.wait_clickhouse()
        load.more(2000)
    check_invalid_and_twice(load)
    check_ledger(stack, load)
    assert all(worker.running for worker in stack.workers), stack.ends()
    for worker in stack.workers:
        assert "ClickHouse does not take a block" in worker.text()
