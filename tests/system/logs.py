"""Random logs of a small city: every event type, and everything that makes counting hard.

Times lie in the past and end with a moment that the log names, so as_of and the edges of all windows are known while
the log is being made.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final, NamedTuple

from tests.system.broken import broken, dump
from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    OPERATOR,
    ORDER,
    RECORD,
    STREAM_OF,
    VILLAGE,
    Record,
)

Json = dict[str, Any]
TOWNS: Final = ("330681001", "330681002", "330681003", "330681004", "330681005")
PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin", "other")
SOURCES: Final = ("/platform/meituan", "/platform/eleme", "/licensing", "/box/海康")
_ZONES: Final = (timezone(timedelta(hours=8)), UTC, timezone(timedelta(hours=-5, minutes=-30)))
_MICRO: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_WINDOWS: Final = (timedelta(hours=1), _DAY, 7 * _DAY, 30 * _DAY)


class Log(NamedTuple):
    """Records in the order of their events, and the moment that the last event has."""

    records: list[Record]
    end: datetime


class Maker:
    """Makes one log.

    :param size: events; duplicates, rivals and invalid records come on top.
    :param towns: codes of the towns to use.
    """

    def __init__(self, seed: int, size: int, towns: Sequence[str] = TOWNS) -> None:
        self.chance = Random(seed)
        self.size = size
        self.towns = towns
        self.end = datetime(2025, 11, 20, 4, 31, 17, 123456, UTC) + timedelta(seconds=self.chance.randrange(40 * 86400))
        self.as_of = (self.end - _MINUTE).replace(second=0, microsecond=0)
        self.window_end = self.as_of - 15 * _MINUTE
        self._count = 0
        self._identities: set[tuple[str, str, str]] = set()
        self._operators = [f"op-{number}" for number in range(1, 25)]
        self._orders: dict[str, Json] = {}

    def log(self) -> Log:
        """The whole log: the events, then what repeats, contradicts and breaks them."""
        events = list(self._events())
        told = Counter(event["data"].get("order_id") for event in events)
        once = frozenset(order for order, count in told.items() if count == 1)
        some = self.chance.sample(events, len(events) // 8)
        half = len(some) // 2
        events += [self._rival(event, once) for event in some[:half]]
        events += [self._twin(event) for event in some[half:]]
        records = [self._record(event) for event in events]
        records += [self._record(event) for event in self.chance.sample(events, len(events) // 12)]
        records += self.chance.choices(records, k=len(records) // 12)
        bad = [broken(event, self.chance) for event in self.chance.choices(events, k=len(events) // 10)]
        records += [self._placed(one) for one in bad]
        return Log(records, self.end)

    def _events(self) -> Iterator[Json]:
        yield self._event(HEARTBEAT, self._heartbeat(), self.end)
        yield from self._edges()
        makers = (
            (ORDER, self._order, 10), (OPERATOR, self._operator, 3), (KITCHEN, self._kitchen, 3),
            (HEARTBEAT, self._heartbeat, 2), (FINDING, self._finding, 1), (RECORD, self._banquet, 1),
            (VILLAGE, self._village, 1),
        )  # fmt: skip
        kinds = self.chance.choices(makers, [weight for _, _, weight in makers], k=self.size)
        for kind, make, _ in kinds:
            data = make()
            yield self._event(kind, data, self._moment(data))

    def _edges(self) -> Iterator[Json]:
        """Operators of one order each, delivered or known just inside or just outside a window."""
        edges = [self.as_of - 30 * _DAY, self.as_of, *(self.window_end - one for one in _WINDOWS), self.window_end]
        moments = [edge + step for edge in edges for step in (-_MICRO, timedelta(0), _MICRO)]
        cases = [(one, one - _DAY) for one in moments] + [(self.as_of - 2 * _DAY, one) for one in moments[:6]]
        for number, (delivered, known) in enumerate(cases):
            operator = f"edge-{number}"
            registry = self._operator(operator) | {"kind": "takeaway", "status": "active", "platforms": ["jd", "eleme"]}
            yield self._event(OPERATOR, registry, self.as_of - 50 * _DAY)
            yield self._event(KITCHEN, self._kitchen(operator), min(known, self.as_of))
            order = self._order(f"edge-{number}") | {
                "operator_id": operator,
                "delivered_at": self._text(delivered),
                "fulfilment": self.chance.choice(("delivered", "pickup")),
            }
            yield self._event(ORDER, order, min(known, self.end))
        for number in range(6):  # cancelled, so that nothing that is not promised has to be known
            order = self._order(f"torn-{number // 2}") | {"fulfilment": "cancelled"}
            yield self._event(ORDER, order, self._moment(order))

    # events

    def _event(self, kind: str, data: Json, time: datetime) -> Json:
        self._count += 1
        source, name = self.chance.choice(SOURCES), f"e{self._count}"
        if self.chance.random() < 0.2:  # ids are unique in their source and type only
            name = f"e{self.chance.randrange(1, self._count + 1)}"
        while (kind, source, name) in self._identities:
            name += "-"
        self._identities.add((kind, source, name))
        event = {
            "specversion": "1.0",
            "id": name,
            "source": source,
            "type": kind,
            "time": self._text(time),
            "data": data,
        }
        if self.chance.random() < 0.5:
            event["subject"] = f"s-{self._count}"
        if self.chance.random() < 0.1:
            event |= {"datacontenttype": "application/json", "traceparent": "00-1"}
        return event

    def _moment(self, data: Json) -> datetime:
        """When it became true: often on the minute, often the same as another's, up to 45 days ago."""
        chance = self.chance
        if "delivered_at" in data and chance.random() < 0.7:
            delivered = datetime.fromisoformat(data["delivered_at"].replace("Z", "+00:00"))
            later = chance.choice((timedelta(0), _MINUTE, timedelta(seconds=chance.randrange(3600)), 10 * _DAY))
            return min(delivered + later, self.end)
        back = chance.choice((timedelta(hours=3), 2 * _DAY, 30 * _DAY, 45 * _DAY)) * chance.random()
        moment = self.end - back
        if chance.random() < 0.3:
            moment = moment.replace(second=0, microsecond=0)
        if chance.random() < 0.1:
            moment = self.as_of - chance.choice((timedelta(0), _MICRO, _MINUTE, 10 * _DAY))
        return moment

    def _text(self, moment: datetime) -> str:
        """The moment with one of several offsets and numbers of digits; never another microsecond."""
        local = moment.astimezone(self.chance.choice(_ZONES))
        text = local.isoformat(timespec="microseconds" if local.microsecond else "seconds")
        if local.microsecond and self.chance.random() < 0.3:
            head, offset = text[:26], text[26:]
            text = f"{head}{self.chance.choice(('0', '999', '500'))}{offset}"
        return text.replace("+00:00", "Z") if self.chance.random() < 0.7 else text

    def _operator(self, operator: str | None = None) -> Json:
        chance = self.chance
        kind = chance.choice(["takeaway"] * 6 + ["banquet_cook", "school_canteen", "caring_canteen", "delivery_unit"])
        data: Json = {
            "operator_id": operator or chance.choice(self._operators[:-4]),
            "kind": kind,
            "name": chance.choice(("张三丰", "欧阳锋")) if kind == "banquet_cook" else f"小吃店{chance.randrange(9)}",
            "town_code": chance.choice(self.towns),
            "status": chance.choice(("active", "active", "active", "suspended", "closed")),
            "platforms": chance.choices(PLATFORMS, k=chance.randrange(4)),
            "license_kind": chance.choice(("food_license", "small_catering", None)),
            "license_no": chance.choice(("JY23306810001236", "JY33306810004560")),
            "uscc": chance.choice(("92330681MA2ABCDE1T", None)),
            "grade": chance.choice(("A", "B", "C", "ungraded", None)),
            "certificates": chance.choices(
                [{"scheme": "HACCP", "valid_until": "2026-05-01"}, {"valid_until": "2025-12-01", "scheme": "ISO22000"}],
                k=chance.randrange(3),
            ),
            "director": chance.choice((True, False, None)),
            "officers": chance.choice((0, 1, 7, None)),
            "accepted": chance.choices(("6H", "model", "nutrition"), k=chance.randrange(3)),
            "open_hours": [{"from": "22:00", "to": "02:30"}] * chance.randrange(3),
            "training_valid_until": chance.choice(("2025-12-31", None)),
            "health_valid_until": chance.choice(("2025-12-31", None)),
            "person": chance.choice((None, {}, {"name": "王小明"}, {"name": "李四", "phone": "13812345678"})),
            "extensions": chance.choice((None, {"门": [1, {"b": None}], "a": 1.5})),
        }
        return self._some(data, ("operator_id", "kind", "name", "town_code", "status"))

    def _some(self, data: Json, required: tuple[str, ...]) -> Json:
        """Without some of the optional fields, in any order of fields."""
        kept = [name for name in data if name in required or self.chance.random() < 0.8]
        self.chance.shuffle(kept)
        return {name: data[name] for name in kept}

    def _kitchen(self, operator: str | None = None) -> Json:
        data = {
            "operator_id": operator or self.chance.choice(self._operators),
            "town_code": self.chance.choice(self.towns),
            "state": self.chance.choice(("active", "active", "none", "pending", "degraded", "withdrawn")),
            "reason": self.chance.choice((None, " 断网 ", "cafe\u0301")),
        }
        return self._some(data, ("operator_id", "town_code", "state"))

    def _order(self, order: str | None = None) -> Json:
        chance = self.chance
        if order is None and self._orders and chance.random() < 0.4:
            known = chance.choice(list(self._orders.values()))
            kept = {name: known[name] for name in ("order_id", "delivered_at")}
            moved = chance.random() < 0.3
            same = {} if moved else {name: known[name] for name in ("operator_id", "platform", "town_code")}
            return self._fields() | same | kept | ({} if chance.random() < 0.4 else {"fulfilment": known["fulfilment"]})
        data = self._fields() | {"order_id": order or f"o-{len(self._orders) + 1}"}
        if order is None:
            self._orders[data["order_id"]] = data
        return data

    def _fields(self) -> Json:
        chance = self.chance
        packages = chance.choice((1, 2, 3, 50))
        delivered = self.end - chance.choice(
            (timedelta(minutes=90), timedelta(hours=30), 8 * _DAY, 33 * _DAY, 40 * _DAY)
        ) * (chance.random())
        if chance.random() < 0.2:
            delivered = delivered.replace(second=0, microsecond=0)
        if chance.random() < 0.03:
            delivered = self.end + chance.choice((_MINUTE, 40 * _DAY)) * chance.random()
        return {
            "order_id": "",
            "operator_id": chance.choice(self._operators),
            "platform": chance.choice(PLATFORMS),
            "town_code": chance.choice(self.towns),
            "delivered_at": self._text(delivered),
            "fulfilment": chance.choice(("delivered",) * 6 + ("pickup", "cancelled")),
            "packages": packages,
            "sealed_packages": chance.choice((packages, packages, packages, 0, packages - 1)),
            "seal_state": chance.choice(("intact",) * 5 + ("broken", "absent", "unknown")),
            "evidence_level": chance.choice((0, 1, 2, 2, 3, 3, 4)),
            "code": chance.choice((None, "c-1", " c-2 ")),
            "photo_uri": chance.choice((None, "https://a/b.jpg", "https://aXb.jpg")),
        }

    def _heartbeat(self) -> Json:
        return {
            "camera_id": f"3306810000132000{self.chance.randrange(4):04d}",
            "operator_id": self.chance.choice(self._operators),
            "town_code": self.chance.choice(self.towns),
            "online": self.chance.random() < 0.9,
            "advancing": self.chance.random() < 0.9,
            "picture": self.chance.choice(("ok", "black", "covered", "blurred", "frozen")),
        }

    def _finding(self) -> Json:
        chance = self.chance
        data = {
            "finding_id": f"f-{chance.randrange(15)}",
            "camera_id": "33068100001320000001",
            "operator_id": chance.choice(self._operators),
            "town_code": chance.choice(self.towns),
            "finding": chance.choice(("NO_CHEF_HAT", "CHEF_HAT", "605", "MICE", "INTRUSION", "who knows", "SMOKING")),
            "vendor": "海康",
            "vendor_code": chance.choice(("605 ", None)),
            "confidence": chance.choice((0, 1, 0.75, None)),
            "review": chance.choice(("raw", "confirmed", "false_positive", "closed")),
            "found_at": self._text(self.end - 3 * _DAY * chance.random()),
            "due_at": chance.choice((None, self._text(self.end))),
            "closed_at": chance.choice((None, self._text(self.as_of))),
            "zone": chance.choice((None, "热厨")),
            "snapshot_uri": chance.choice((None, "https://box/1.jpg")),
        }
        needed = ("finding_id", "camera_id", "operator_id", "town_code", "finding", "vendor", "review", "found_at")
        return self._some(data, needed)

    def _banquet(self) -> Json:
        chance = self.chance
        data = {
            "banquet_id": f"b-{chance.randrange(12)}",
            "town_code": chance.choice(self.towns),
            "village_id": chance.choice((None, "v-1")),
            "venue": chance.choice(("home", "banquet_centre", "temporary")),
            "status": chance.choice(("draft", "declared", "filed", "guided", "held", "closed", "cancelled")),
            "declared_at": self._text(self.end - 20 * _DAY * chance.random()),
            "held_at": self._text(self.end - 10 * _DAY * chance.random()),
            "diners": chance.choice((1, 99, 100, 20_000)),
            "tables": chance.choice((None, 0, 12)),
            "cook_id": chance.choice((None, "op-3")),
            "guided_at": chance.choice((None, self._text(self.end))),
            "samples_retained": chance.choice((True, False, None)),
            "host": chance.choice(({}, {"name": "赵六", "phone": "13987654321"}, {"phone": "13912345678"})),
        }
        needed = ("banquet_id", "town_code", "venue", "status", "declared_at", "held_at", "diners", "host")
        return self._some(data, needed)

    def _village(self) -> Json:
        data = {
            "village_id": f"v-{self.chance.randrange(8)}",
            "name": self.chance.choice(("枫桥村", " 枫桥村 ", "e\u0301村")),
            "town_code": self.chance.choice(self.towns),
            "served_by": self.chance.choice((None, "op-2", "nobody")),
        }
        return self._some(data, ("village_id", "name", "town_code"))

    # what contradicts and repeats

    def _rival(self, event: Json, once: frozenset[str]) -> Json:
        """Another event with the same identity: another time, or the same one and other content, or both.

        :param once: orders of one event, which may move to another time of delivery."""
        rival: Json = json.loads(json.dumps(event))
        case = self.chance.randrange(3)
        if case != 1:
            rival["time"] = self._text(self.end - 45 * _DAY * self.chance.random())
        if case != 0:
            self._change(rival["type"], rival["data"])
            if rival["data"].get("order_id") in once and self.chance.random() < 0.5:
                rival["data"]["delivered_at"] = self._fields()["delivered_at"]
        return rival

    def _twin(self, event: Json) -> Json:
        """An event of the same entity at the same time, from another source, often with the same id."""
        twin: Json = json.loads(json.dumps(event))
        twin["source"] = f"{event['source']}/{self.chance.choice('12')}"
        if self.chance.random() < 0.5:
            twin["id"] = self.chance.choice((f"{event['id']}0", "e10", "e9"))
        self._change(twin["type"], twin["data"])
        return twin

    def _change(self, kind: str, data: Json) -> None:
        """Changes some fields."""
        chance = self.chance
        changes: Json = {"town_code": chance.choice(self.towns)}
        if kind == ORDER:
            changes |= {
                "operator_id": chance.choice(self._operators), "platform": chance.choice(PLATFORMS),
                "evidence_level": chance.randrange(5), "seal_state": chance.choice(("intact", "broken")),
                "photo_uri": chance.choice(("https://a/b.jpg", "https://aXb.jpg")),
            }  # fmt: skip
            if not data["order_id"].startswith("torn"):
                changes["fulfilment"] = chance.choice(("delivered", "pickup", "cancelled"))
        elif kind == KITCHEN:
            changes |= {"state": chance.choice(("active", "degraded", "none")), "operator_id": "op-5"}
        elif kind == OPERATOR:
            changes |= {"status": "closed", "platforms": ["jd"], "operator_id": "op-6"}
        for name in chance.sample(sorted(changes), chance.randrange(1, len(changes) + 1)):
            data[name] = changes[name]

    # records

    def _record(self, event: Json) -> Record:
        """As a producer writes it: fields in another order, spaces, keys that stand twice of which the last counts."""
        chance = self.chance
        names = list(event)
        chance.shuffle(names)
        value = dump({name: event[name] for name in names})
        if chance.random() < 0.1:
            value = b'{"id":"not-this-one",' + value[1:]
        if chance.random() < 0.1:
            value = json.dumps(event, indent=1).encode()
        return self._placed(Record(STREAM_OF[event["type"]], value))

    def _placed(self, record: Record) -> Record:
        """With the entity as key, with another key, or with none; on any partition now and then."""
        case = self.chance.randrange(4)
        if case == 0 and record.value is not None:
            return record._replace(partition=self.chance.randrange(4))
        key = (None, b"k%d" % self.chance.randrange(20), b"")[case - 1]
        return record._replace(key=key if record.value is not None else b"tombstone")  # the client wants one of them
