"""The gateway is killed again and again under load, and Kafka once: the tables say what the producers were told."""

import signal
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from tests.pipeline.gateway.stack import give_key
from tests.system.pushing import Pushing
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]

KILLS: Final = 10


def test_what_was_answered_is_there_once_and_what_was_not_may_be_sent_again(make_stack: StackMaker) -> None:
    stack = make_stack(workers=1, clock="wall")
    key = give_key(stack.servers)
    stack.gateway.start()
    chance = Random()  # another moment in every run
    with Pushing(stack.url, key) as pushing:
        pushing.more(20)
        for kill in range(KILLS):
            pushing.more(chance.randrange(1, 60))
            stack.gateway.end(signal.SIGKILL)
            stack.gateway.start()
            if kill == KILLS // 2:
                pushing.more(20)
                stack.kafka.end(signal.SIGKILL)
                stack.kafka.start()
                stack.wait_kafka()
        pushing.more(50)
    check_bad_day(pushing)
    stack.wait_committed(120)
    check_accepted(stack, pushing)
    check_rejected(stack, pushing)


def check_bad_day(pushing: Pushing) -> None:
    """The day was as bad as it should be."""
    assert sum(one.unanswered > 0 for one in pushing.ledger) >= KILLS
    assert pushing.statuses[503] > 0
    assert pushing.statuses[207] > 0
    assert pushing.statuses[422] > 0


def check_accepted(stack: Stack, pushing: Pushing) -> None:
    """Every event that was answered as accepted is in the tables, once; and nothing else is."""
    told: set[str] = set()
    for entry in pushing.ledger:
        assert [one["id"] for one in entry.results] == [one.id for one in entry.items]
        for item, result in zip(entry.items, entry.results, strict=True):
            assert result["status"] == ("accepted" if item.good else "rejected"), result
            if item.good:
                told.add(item.id)
    assert len(told) > 1000
    events = Counter(row["id"] for row in stack.rows("SELECT id FROM yangguang.events"))
    assert events.keys() == told
    assert set(events.values()) == {1}
    orders = Counter(row["event_id"] for row in stack.rows("SELECT event_id FROM yangguang.orders"))
    assert orders.keys() == told
    assert set(orders.values()) == {1}
    assert not stack.rows("SELECT * FROM yangguang.order_conflicts")


def check_rejected(stack: Stack, pushing: Pushing) -> None:
    """Every refused event has a row for each attempt that Kafka got: for that which was answered, and perhaps for those
    which were not."""
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for entry in pushing.ledger:
        for item in entry.items:
            if not item.good:
                least[item.id] += 1
                most[item.id] += 1 + entry.unanswered + entry.turned_away
    rows = stack.rows("SELECT id, topic, partition, producer, raw_offset FROM yangguang.rejected")
    assert {(row["topic"], row["partition"], row["producer"]) for row in rows} == {("http", -1, "tests")}
    found = Counter(row["id"] for row in rows)
    assert least
    assert least <= found <= most
    assert len({row["raw_offset"] for row in rows}) == len(rows)
