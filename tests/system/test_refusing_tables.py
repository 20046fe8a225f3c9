"""ClickHouse that takes some rows only, or has lost a table: rows are rejected only where they are at fault."""

import signal
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest

from tests.system.broken import dump
from tests.system.compare import differences
from tests.system.entities import TOWNS, Entities
from tests.system.feed import START
from tests.system.oracle import Oracle
from tests.system.records import ORDER, SEAL, STREAM_OF, Place, Record
from tests.system.stack import Stack, wait_for

StackMaker = Callable[..., Stack]
Json = dict[str, Any]

MANY: Final = 6000
REFUSED_CODE: Final = "no-such-code"
CONSTRAINT: Final = (
    f"ALTER TABLE yangguang.raw_orders ADD CONSTRAINT known_code CHECK ifNull(code, '') != '{REFUSED_CODE}'"
)


class Orders:
    """Makes orders, one a moment later than the other."""

    def __init__(self, seed: int) -> None:
        self._entities = Entities(Random(seed), TOWNS)
        self._count = 0

    def some(self, count: int, **change: Any) -> list[Record]:
        """So many more."""
        return [self._one(change) for _ in range(count)]

    def _one(self, change: Json) -> Record:
        self._count += 1
        moment = START + self._count * timedelta(milliseconds=60)
        data = self._entities.fields() | {
            "order_id": f"o-{self._count}",
            "delivered_at": (moment - timedelta(minutes=self._count % 40)).isoformat(),
        }
        return event(f"e-{self._count}", moment.isoformat(), ORDER, data | change)


def event(name: str, time: str, kind: str, data: Json) -> Record:
    attributes = {"specversion": "1.0", "id": name, "source": "/one", "type": kind, "time": time}
    return Record(STREAM_OF[kind], dump(attributes | {"data": data}))


def check(stack: Stack, log: dict[Place, Record]) -> None:
    stack.wait_committed()
    oracle = Oracle(log.values())
    found = differences(stack, oracle, {place: record for place, record in log.items() if record.reason})
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:60])


def push(stack: Stack, records: list[Record]) -> dict[Place, Record]:
    return dict(zip(stack.push(records), records, strict=True))


def refused(orders: Orders, count: int) -> list[Record]:
    return [one._replace(reason="sink_refused") for one in orders.some(count, code=REFUSED_CODE)]


def test_only_the_rows_that_clickhouse_refuses_are_rejected(make_stack: StackMaker) -> None:
    stack = make_stack()
    stack.command(CONSTRAINT)
    orders = Orders(1)
    worker = stack.workers[0]
    worker.end(signal.SIGTERM)  # what is pushed now is read in blocks of thousands
    mixed = orders.some(MANY // 2) + refused(orders, 9) + orders.some(MANY // 2 - 21) + refused(orders, 12)
    Random(1).shuffle(mixed)
    last = orders.some(1)
    log = push(stack, mixed + last)
    worker.start()
    check(stack, log)
    log |= push(stack, refused(orders, 1) + orders.some(20))  # few at a time, some of them bad alone
    log |= push(stack, refused(orders, 3))
    log |= push(stack, orders.some(3))
    check(stack, log)
    assert worker.running
    details = stack.rows("SELECT DISTINCT detail, source, type FROM rejected")
    assert [(row["source"], row["type"]) for row in details] == [("/one", ORDER)]
    assert "VIOLATED_CONSTRAINT" in details[0]["detail"]


def test_an_event_that_clickhouse_refuses_does_not_move_the_clock(make_stack: StackMaker) -> None:
    stack = make_stack()
    stack.command(CONSTRAINT)
    orders = Orders(2)
    log = push(stack, orders.some(20))
    ahead = event(
        "ahead",
        (START + timedelta(hours=3)).isoformat(),
        ORDER,
        {
            "order_id": "o-ahead", "operator_id": "op-1", "platform": "jd", "town_code": TOWNS[0],
            "delivered_at": START.isoformat(), "fulfilment": "delivered", "packages": 1, "sealed_packages": 1,
            "seal_state": "intact", "evidence_level": 2, "code": REFUSED_CODE,
        },
    )  # fmt: skip
    log |= push(stack, [ahead._replace(reason="sink_refused")])
    check(stack, log)


def test_orders_of_many_months_land_though_they_come_at_once(make_stack: StackMaker) -> None:
    stack = make_stack()
    orders = Orders(4)
    worker = stack.workers[0]
    worker.end(signal.SIGTERM)  # one block for all of them, and a partition for each of their months
    months = [f"{2021 + number // 12}-{number % 12 + 1:02d}-15T12:00:00Z" for number in range(120)]
    log = push(stack, [one for month in months for one in orders.some(1, delivered_at=month)])
    worker.start()
    check(stack, log)


@pytest.mark.parametrize("more", [True, False], ids=["more-comes", "nothing-more-comes"])
def test_a_worker_without_its_table_stops_says_so_and_commits_nothing(make_stack: StackMaker, more: bool) -> None:
    stack = make_stack()
    orders = Orders(3)
    worker = stack.workers[0]
    log = push(stack, orders.some(500))
    stack.wait_committed()
    before = stack.progress()[SEAL].committed
    stack.command("RENAME TABLE yangguang.raw_orders TO yangguang.put_away")
    log |= push(stack, orders.some(500))

    def ended() -> bool:
        if more:
            log.update(push(stack, orders.some(20)))
        return not worker.running

    wait_for(ended, 30, f"the worker stops: {worker.text()[-3000:]}")
    assert worker.exit_status not in {0, None}
    assert stack.progress()[SEAL].committed == before
    said = [line for line in worker.text().splitlines() if "CRITICAL" in line]
    assert len(said) == 1, said
    assert "raw_orders" in said[0], said
    assert "UNKNOWN_TABLE" in said[0], said

    worker.start()  # the table is still away
    wait_for(ended, 30, "the worker stops again")
    assert stack.progress()[SEAL].committed == before
    stack.command("RENAME TABLE yangguang.put_away TO yangguang.raw_orders")
    worker.start()
    log |= push(stack, orders.some(100))
    check(stack, log)
    assert stack.rows("SELECT count() AS count FROM rejected") == [{"count": 0}]
