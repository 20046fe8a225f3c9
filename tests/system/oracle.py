"""What the tables must say about a log, worked out anew from the rules in plain Python, slowly and in the open.

Nothing of the project is used here. Times are integers, microseconds since 1970 UTC.
"""

import json
import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    OPERATOR,
    ORDER,
    RECORD,
    VILLAGE,
    Record,
    accepted,
)

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
LATENESS: Final = 60 * SECOND

ENTITY: Final = {
    OPERATOR: "operator_id", VILLAGE: "village_id", HEARTBEAT: "camera_id", FINDING: "finding_id",
    KITCHEN: "operator_id", RECORD: "banquet_id", ORDER: "order_id",
}  # fmt: skip
_MOMENTS: Final = frozenset({"delivered_at", "found_at", "due_at", "closed_at", "declared_at", "held_at", "guided_at"})
_SETS: Final = frozenset({"platforms", "accepted", "certificates", "open_hours"})
_AS_THEY_ARE: Final = frozenset({"extensions", "vendor_code", "finding"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


class Event(NamedTuple):
    """One accepted event. Of `data`, texts are trimmed and NFC, moments are integers, nulls are gone."""

    type: str
    source: str
    id: str
    time: int
    subject: str
    data: dict[str, Any]

    @property
    def order(self) -> tuple[int, str, str]:
        """By which events of one entity follow each other."""
        return self.time, self.id, self.source


def moment(text: str) -> int:
    """RFC 3339 to microseconds; further digits are cut."""
    match = _TIME.fullmatch(text)
    assert match, f"{text} is no time of the log maker"
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")) - _EPOCH
    return whole // timedelta(seconds=1) * SECOND + int((match[2] or "0")[:6].ljust(6, "0"))


def shown(microseconds: int) -> datetime:
    """A moment as datetime, for comparison with what a table shows."""
    return _EPOCH + timedelta(microseconds=microseconds)


def parse(value: bytes) -> Event:
    """Reads an event that is to be accepted."""
    raw = json.loads(value)
    data = {name: _normal(name, one) for name, one in raw["data"].items() if one is not None}
    return Event(raw["type"], raw["source"], raw["id"], moment(raw["time"]), raw.get("subject") or "", data)


def _normal(name: str, value: Any) -> Any:
    if name in _AS_THEY_ARE:
        return value
    if name in _MOMENTS:
        return moment(value)
    if name in _SETS:
        return sorted({json.dumps(one, sort_keys=True): one for one in value}.values(), key=_canonical)
    if isinstance(value, dict):
        return {inner: _normal(inner, one) for inner, one in value.items() if one is not None}
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def settle(events: Iterable[Event]) -> list[Event]:
    """One event of each identity: the greater time wins, then the greater content."""
    winners: dict[tuple[str, str, str], Event] = {}
    for event in events:
        identity = event.type, event.source, event.id
        known = winners.get(identity)
        if known is None or (known.time, _canonical(known.data)) < (event.time, _canonical(event.data)):
            winners[identity] = event
    return list(winners.values())


def by_entity(events: Iterable[Event], kind: str) -> dict[str, list[Event]]:
    """Events of one type by entity, each list in the order in which they follow each other."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.type == kind:
            found.setdefault(event.data[ENTITY[kind]], []).append(event)
    return {entity: sorted(several, key=lambda one: one.order) for entity, several in found.items()}


_EVIDENCE: Final = ("packages", "sealed_packages", "seal_state", "evidence_level", "code", "photo_uri")


def order_record(events: list[Event]) -> dict[str, Any]:
    """An order as its events, in their order, say together."""
    latest = events[-1].data
    best = max(events, key=lambda one: (one.data["evidence_level"], *one.order)).data
    kept = {name: value for name, value in latest.items() if name not in _EVIDENCE}
    return kept | {name: best[name] for name in _EVIDENCE if name in best}


class Rate(NamedTuple):
    """Units of one place."""

    numerator: int = 0
    denominator: int = 0
    unknown: int = 0

    @property
    def share(self) -> float | None:
        """The rate; None without units."""
        return self.numerator / self.denominator if self.denominator else None

    def plus(self, numerator: bool, unknown: bool) -> "Rate":
        """With one more unit in the denominator."""
        return Rate(self.numerator + numerator, self.denominator + 1, self.unknown + unknown)


Rates = dict[tuple[str, str, str], Rate]
"""By (indicator, scope, scope_id); a place that is missing has no units."""

CITY: Final = ("city", "330681")


class Oracle:
    """All that follows from a log.

    :param active_days: days for which an order makes a takeaway operator active.
    """

    def __init__(self, log: Iterable[Record], active_days: int = 30) -> None:
        came = [parse(one.value or b"") for one in accepted(log)]
        self.events = settle(came)
        self.clock = max((one.time for one in came), default=0)
        self.watermark = self.clock - LATENESS
        self.as_of = self.watermark // MINUTE * MINUTE
        self._active = active_days * DAY
        self._operators = _Timed(by_entity(self.events, OPERATOR))
        self._kitchens = _Timed(by_entity(self.events, KITCHEN))
        self._orders = _Timed(by_entity(self.events, ORDER))
        self.orders = {name: order_record(several) for name, several in by_entity(self.events, ORDER).items()}

    def current(self, kind: str) -> dict[str, Event]:
        """The current record of every entity of a type."""
        return {entity: several[-1] for entity, several in by_entity(self.events, kind).items()}

    def conflicts(self) -> dict[str, set[int]]:
        """Orders whose events disagree on the delivery, with what they say."""
        said = {
            order: {one.data["delivered_at"] for one in several}
            for order, several in by_entity(self.events, ORDER).items()
        }
        return {order: times for order, times in said.items() if len(times) > 1}

    # stock

    def stock(self, minute: int) -> Rates:
        """Build rates at a minute, by the events before it."""
        ordered = set()
        for events in self._orders.before(minute).values():
            order = events[-1].data
            recent = minute - self._active <= order["delivered_at"] < minute
            if recent and order["fulfilment"] in {"delivered", "pickup"}:
                ordered.add(order["operator_id"])
        kitchens = self._kitchens.before(minute)
        rates: Rates = {}
        for operator, events in self._operators.before(minute).items():
            data = events[-1].data
            platforms = data.get("platforms", [])
            if data["kind"] != "takeaway" or data["status"] != "active" or not platforms or operator not in ordered:
                continue
            state = kitchens[operator][-1].data["state"] if operator in kitchens else None
            places = [CITY, ("town", data["town_code"]), *(("platform", one) for one in platforms)]
            for code, built in (("kitchen_build", {"active"}), ("kitchen_build_loose", {"active", "degraded"})):
                for scope in places:
                    rates[code, *scope] = rates.get((code, *scope), Rate()).plus(state in built, state is None)
        return rates

    def stock_minutes(self) -> list[int]:
        """Every minute up to as_of at which a build rate may change."""
        minutes = set()
        for event in self.events:
            if event.type in (OPERATOR, KITCHEN, ORDER):
                moments = [event.time]
                if event.type == ORDER:
                    delivered = event.data["delivered_at"]
                    moments += [delivered, delivered + self._active]
                minutes |= {one // MINUTE * MINUTE + MINUTE for one in moments}
        return sorted(minute for minute in minutes if minute <= self.as_of)

    # flow

    def flow(self) -> dict[int, Rates]:
        """Seal rates of every minute with deliveries, as the orders stand now."""
        minutes: dict[int, Rates] = {}
        for order in self.orders.values():
            if order["fulfilment"] == "delivered":
                rates = minutes.setdefault(order["delivered_at"] // MINUTE * MINUTE, {})
                _count(rates, order)
        return minutes

    def flow_now(self, length: int, settle: int = 15 * MINUTE) -> Rates:
        """Seal rates of the window of this length that is complete now."""
        end = self.as_of - settle
        rates: Rates = {}
        for minute, of_minute in self.flow().items():
            if end - length <= minute < end:
                for place, one in of_minute.items():
                    known = rates.get(place, Rate())
                    rates[place] = Rate(*(a + b for a, b in zip(known, one, strict=True)))
        return rates


def _count(rates: Rates, order: Mapping[str, Any]) -> None:
    level, state = order["evidence_level"], order["seal_state"]
    sealed = state == "intact" and level >= 2 and order["sealed_packages"] >= order["packages"]
    for scope in (CITY, ("town", order["town_code"]), ("platform", order["platform"])):
        for code, numerator, unknown in (
            ("seal_coverage", sealed, state == "unknown" or level < 2),
            ("seal_evidence", level >= 1, False),
        ):
            rates[code, *scope] = rates.get((code, *scope), Rate()).plus(numerator, unknown)


def wilson(numerator: int, denominator: int, side: int) -> float:
    """Wilson's 95 % bound of a share; `side` is -1 for the lower and 1 for the upper."""
    z = 1.959963984540054
    share = numerator / denominator
    middle = share + z * z / (2 * denominator)
    half = z * math.sqrt(share * (1 - share) / denominator + z * z / (4 * denominator**2))
    return (middle + side * half) / (1 + z * z / denominator)


class _Timed:
    """Entities with their events in order, cut at a minute."""

    def __init__(self, entities: Mapping[str, list[Event]]) -> None:
        self._entities = [(entity, events, [one.time for one in events]) for entity, events in entities.items()]

    def before(self, minute: int) -> dict[str, list[Event]]:
        """The events of each entity with a time before the minute; entities without any are left out."""
        return {
            entity: events[:count] for entity, events, times in self._entities if (count := bisect_left(times, minute))
        }
