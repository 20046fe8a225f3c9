"""The oracle's stock: who counts at a minute, by the events before it."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from tests.system.oracle_events import MINUTE, Event, Timed, day_of, end_of, minute_of
from tests.system.oracle_indicators import CITY, Scope, Unit, counted, share
from tests.system.records import KITCHEN, MEASURE, OPERATOR, ORDER, VILLAGE

_WITHOUT_STAFF: Final = frozenset({"banquet_cook", "cook_company", "dining_street"})
_MEASURES: Final = {"guarantee_relation": "guarantee_relations", "pledge": "pledges_signed"}


class Stock:
    """Units of every stock indicator at any minute.

    :param active: microseconds for which an order makes a takeaway operator active; 0 does not ask.
    """

    def __init__(self, events: list[Event], active: int) -> None:
        self._events = events
        self._active = active
        self._operators = Timed(events, OPERATOR)
        self._kitchens = Timed(events, KITCHEN)
        self._villages = Timed(events, VILLAGE)
        self._measures = Timed(events, MEASURE)
        self._orders = Timed(events, ORDER)

    def units(self, minute: int) -> Iterator[tuple[str, Unit]]:
        """Who counts at a minute, by indicator."""
        operators, kitchens = self._operators.before(minute), self._kitchens.before(minute)
        ordered, day = self._with_orders(minute), day_of(minute)
        for operator, record in operators.items():
            if record.data["status"] == "active":
                kitchen = kitchens.get(operator)
                if not self._active or operator in ordered:
                    yield from _builds(operator, record, kitchen)
                yield from _counts(operator, record, kitchen)
                yield from _shares(operator, record, day)
        for village, record in self._villages.before(minute).items():
            canteen = operators.get(record.data.get("served_by", ""))
            served = canteen is not None and (canteen.data["kind"], canteen.data["status"]) == (
                "caring_canteen",
                "active",
            )
            yield "caring_canteen_villages", share(village, _places(record.data), (record,), served)
        for measure, record in self._measures.before(minute).items():
            code = _MEASURES.get(record.data["measure"])
            if code and record.data["status"] != "void":
                yield code, share(measure, _places(record.data), (record,), record.data["status"] == "done")

    def _with_orders(self, minute: int) -> set[str]:
        """Operators with an order in the last days before the minute, on any platform."""
        orders = (event.data for event in self._orders.before(minute).values())
        return {
            order["operator_id"]
            for order in orders
            if minute - self._active <= order["delivered_at"] < minute
            and order["fulfilment"] in {"delivered", "pickup"}
        }

    def minutes(self, until: int) -> list[int]:
        """Every minute, up to and with `until`, at which something may be other than at the one before."""
        found = set()
        for event in self._events:
            if event.type not in (OPERATOR, KITCHEN, VILLAGE, MEASURE, ORDER):
                continue
            moments = [event.time]
            if event.type == ORDER:
                moments += [event.data["delivered_at"], event.data["delivered_at"] + self._active]
            found |= {minute_of(one) + MINUTE for one in moments}
            if event.type == OPERATOR:
                found |= {end_of(day) for day in _last_days(event.data)}
        return sorted(minute for minute in found if minute <= until)


def _builds(operator: str, record: Event, kitchen: Event | None) -> Iterator[tuple[str, Unit]]:
    """Of an operator with an order."""
    platforms = record.data.get("platforms", [])
    if record.data["kind"] == "takeaway" and platforms:
        scopes = (*_places(record.data), *(("platform", one) for one in platforms))
        events = (record, kitchen) if kitchen else (record,)
        state = kitchen.data["state"] if kitchen else None
        yield "kitchen_build", share(operator, scopes, events, state == "active", kitchen is None)
        built = state in {"active", "degraded"}
        yield "kitchen_build_loose", share(operator, scopes, events, built, kitchen is None)


def _counts(operator: str, record: Event, kitchen: Event | None) -> Iterator[tuple[str, Unit]]:
    """The counts in which an active operator stands."""
    data = record.data
    kind, grade, accepted = data["kind"], data.get("grade"), data.get("accepted", [])
    unit = counted(operator, _places(data), (record,))
    if kind == "eldercare_canteen" and kitchen and kitchen.data["state"] == "active":
        yield "eldercare_kitchens", unit._replace(events=(record, kitchen))
    if kind == "eldercare_canteen" and grade in {"A", "B"}:
        yield "eldercare_grade_ab", unit
    if kind == "school_canteen" and grade == "C":
        yield "school_grade_c", unit
    if kind == "school_canteen" and "6H" in accepted:
        yield "school_6h", unit
    if kind == "school_canteen" and "model" in accepted:
        yield "school_model", unit
    if "nutrition" in accepted:
        yield "nutrition_canteens", unit
    if kind == "dining_street":
        yield "dining_streets", unit
    if kind == "cook_company":
        yield "cook_companies", unit


def _shares(operator: str, record: Event, day: date) -> Iterator[tuple[str, Unit]]:
    """The shares in which an active operator stands, on a day."""
    data = record.data
    kind, grade, places, events = data["kind"], data.get("grade", "ungraded"), _places(data), (record,)
    certified = any(_valid(one["valid_until"], day) for one in data.get("certificates", []))
    if kind == "school_supplier":
        yield "supplier_certified", share(operator, places, events, certified)
    if kind == "delivery_unit":
        yield "delivery_unit_certified", share(operator, places, events, certified)
        graded = grade in {"A", "B"}
        yield "delivery_unit_grade_b", share(operator, places, events, graded, grade == "ungraded")
    if kind not in _WITHOUT_STAFF:
        staffed = data.get("director", False) and data.get("officers", 0) >= 1
        yield "staffing", share(operator, places, events, staffed)
    if kind == "banquet_cook":
        yield "cook_certified", share(operator, places, events, cook_valid(data, day))


def cook_valid(operator: dict[str, Any], day: date) -> bool:
    """Whether training and health are valid on a day."""
    return all(_valid(operator.get(name), day) for name in ("training_valid_until", "health_valid_until"))


def _valid(until: str | None, day: date) -> bool:
    return until is not None and date.fromisoformat(until) >= day


def _last_days(operator: dict[str, Any]) -> list[str]:
    """The days with which something of an operator ends."""
    days = [one["valid_until"] for one in operator.get("certificates", [])]
    return days + [operator[name] for name in ("training_valid_until", "health_valid_until") if name in operator]


def _places(data: dict[str, Any]) -> tuple[Scope, ...]:
    return CITY, ("town", data["town_code"])
