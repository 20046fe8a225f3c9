"""Blocks that touch many places at once: nothing that the aggregate stage asks may grow without bound."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.records import OPERATOR, ORDER, REGISTRY, SEAL, Record
from tests.system.stack import Stack, wait_for

START = datetime(2026, 10, 25, tzinfo=UTC)
ORDERS = 12_000
OPERATORS = 5_000


def name_of(number: int) -> str:
    """An id of the greatest length."""
    return f"op-{number:05d}-".ljust(64, "x")


def event(kind: str, identity: str, time: datetime, data: dict[str, Any]) -> bytes:
    attributes = {"specversion": "1.0", "id": identity, "source": "/s", "type": kind, "time": time.isoformat()}
    return json.dumps({**attributes, "data": data}).encode()


def operator(number: int) -> Record:
    data = {
        "operator_id": name_of(number),
        "kind": "takeaway",
        "name": f"店{number}",
        "town_code": "330681001",
        "status": "active",
        "platforms": ["jd"],
    }
    return Record(REGISTRY, event(OPERATOR, f"r-{number}", START, data))


def order(number: int) -> Record:
    delivered = START + timedelta(minutes=3 * number)  # every order in a minute of its own
    data = {
        "order_id": f"o-{number}",
        "operator_id": name_of(number % OPERATORS),
        "platform": "jd",
        "town_code": "330681001",
        "delivered_at": delivered.isoformat(),
        "fulfilment": "delivered",
        "packages": 1,
        "sealed_packages": 1,
        "seal_state": "intact",
        "evidence_level": 2,
    }
    return Record(SEAL, event(ORDER, f"e-{number}", delivered, data))


def test_thousands_of_minutes_and_operators_in_one_block_are_counted(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(1)
    stack.push([operator(number) for number in range(OPERATORS)])
    stack.push([order(number) for number in range(ORDERS)])
    stack.wait_committed(120)
    history = "SELECT sum(denominator) AS n FROM rates_history WHERE indicator = 'seal_coverage' AND scope = 'city'"
    assert stack.rows(history)[0]["n"] == ORDERS
    build = "SELECT denominator FROM rates_now WHERE indicator = 'kitchen_build' AND scope = 'city'"
    wait_for(lambda: stack.rows(build)[0]["denominator"] == OPERATORS, 30, "every operator has a recent order")
    assert all(worker.running for worker in stack.workers)
