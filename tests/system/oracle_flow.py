"""The oracle's flow: orders, banquets, findings and visits, each at the moment that it is accounted by."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.system.oracle_events import HOUR, Event, best_evidence, by_entity, current, day_of, order_record
from tests.system.oracle_indicators import CITY, Unit, share
from tests.system.oracle_stock import cook_valid
from tests.system.records import FINDING, MEASURE, OPERATOR, ORDER, RECORD

LEAD: Final = 72 * HOUR
"""By which a banquet is declared before the meal."""

DINERS: Final = 100
"""From which a banquet is to be filed."""


class Dated(NamedTuple):
    """One unit of an indicator and the moment that it is accounted by."""

    code: str
    at: int
    unit: Unit


def flow(events: list[Event]) -> list[Dated]:
    """Everything that counts, by all that has landed."""
    return [*_orders(events), *_banquets(events), *_findings(events), *_visits(events)]


def _orders(events: list[Event]) -> Iterator[Dated]:
    for name, several in by_entity(events, ORDER).items():
        order = order_record(several)
        if order["fulfilment"] != "delivered":
            continue
        level, state = order["evidence_level"], order["seal_state"]
        sealed = state == "intact" and level >= 2 and order["sealed_packages"] >= order["packages"]
        scopes = (CITY, ("town", order["town_code"]), ("platform", order["platform"]))
        deciding = (several[-1], best_evidence(several))
        unsure = state == "unknown" or level < 2
        yield Dated("seal_coverage", order["delivered_at"], share(name, scopes, deciding, sealed, unsure))
        yield Dated("seal_evidence", order["delivered_at"], share(name, scopes, deciding, level >= 1))


def _banquets(events: list[Event]) -> Iterator[Dated]:
    operators = current(events, OPERATOR)
    for name, record in current(events, RECORD).items():
        data = record.data
        held, status = data["held_at"], data["status"]
        if data["diners"] < DINERS:
            continue
        if status not in {"draft", "cancelled"}:
            cook = operators.get(data.get("cook_id", ""))
            certified = cook is not None and cook_valid(cook.data, day_of(held))
            guided = "guided_at" in data and data["guided_at"] < held
            yield Dated("banquet_filed", held, _one(name, record, data["declared_at"] <= held - LEAD))
            yield Dated("banquet_guided", held, _one(name, record, guided))
            yield Dated("banquet_cook_certified", held, _one(name, record, certified, "cook_id" not in data))
        if status in {"held", "closed"}:
            retained = data.get("samples_retained")
            yield Dated("banquet_samples", held, _one(name, record, retained is True, retained is None))


def _findings(events: list[Event]) -> Iterator[Dated]:
    for name, record in current(events, FINDING).items():
        data = record.data
        if data["review"] in {"confirmed", "closed"} and "due_at" in data:
            closed = data["review"] == "closed" and _by(data, "closed_at")
            yield Dated("finding_closure", data["due_at"], _one(name, record, closed))


def _visits(events: list[Event]) -> Iterator[Dated]:
    for name, record in current(events, MEASURE).items():
        data = record.data
        if data["measure"] == "supervision_visit" and data["status"] != "void" and "due_at" in data:
            done = data["status"] == "done" and _by(data, "done_at")
            yield Dated("supervision_visits", data["due_at"], _one(name, record, done))


def _by(data: dict[str, Any], name: str) -> bool:
    """Whether something was done at all, and by the time it was due."""
    return name in data and data[name] <= data["due_at"]


def _one(name: str, record: Event, good: bool, unknown: bool = False) -> Unit:
    return share(name, (CITY, ("town", record.data["town_code"])), (record,), good, unknown)
