"""Random operators, orders and all the rest of a small city: the `data` of events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from tests.system.records import KITCHEN, OPERATOR, ORDER

Json = dict[str, Any]
TOWNS: Final = ("330681001", "330681002", "330681003", "330681004", "330681005")
PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin", "other")
_ZONES: Final = (timezone(timedelta(hours=8)), UTC, timezone(timedelta(hours=-5, minutes=-30)))
_MICRO: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class Entities:
    """Makes `data` at random, around a last moment.

    :param towns: codes of the towns to use.
    """

    def __init__(self, chance: Random, towns: Sequence[str]) -> None:
        self.chance = chance
        self.towns = towns
        self.end = datetime(2025, 11, 20, 4, 31, 17, 123456, UTC) + timedelta(seconds=chance.randrange(40 * 86400))
        self.as_of = (self.end - _MINUTE).replace(second=0, microsecond=0)
        self._operators = [f"op-{number}" for number in range(1, 25)]
        self._orders: dict[str, Json] = {}

    def text(self, moment: datetime) -> str:
        """The moment with one of several offsets and numbers of digits; never another microsecond."""
        local = moment.astimezone(self.chance.choice(_ZONES))
        text = local.isoformat(timespec="microseconds" if local.microsecond else "seconds")
        if local.microsecond and self.chance.random() < 0.3:
            head, offset = text[:26], text[26:]
            text = f"{head}{self.chance.choice(('0', '999', '500'))}{offset}"
        return text.replace("+00:00", "Z") if self.chance.random() < 0.7 else text

    def operator(self, operator: str | None = None) -> Json:
        """Of a registry entry, now and then of one that is there already."""
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

    def kitchen(self, operator: str | None = None) -> Json:
        """Of a kitchen's state."""
        data = {
            "operator_id": operator or self.chance.choice(self._operators),
            "town_code": self.chance.choice(self.towns),
            "state": self.chance.choice(("active", "active", "none", "pending", "degraded", "withdrawn")),
            "reason": self.chance.choice((None, " 断网 ", "cafe\u0301")),
        }
        return self._some(data, ("operator_id", "town_code", "state"))

    def order(self, order: str | None = None) -> Json:
        """Of an order: a new one, or more about a known one."""
        chance = self.chance
        if order is None and self._orders and chance.random() < 0.4:
            known = chance.choice(list(self._orders.values()))
            kept = {name: known[name] for name in ("order_id", "delivered_at")}
            moved = chance.random() < 0.3
            same = {} if moved else {name: known[name] for name in ("operator_id", "platform", "town_code")}
            return self.fields() | same | kept | ({} if chance.random() < 0.4 else {"fulfilment": known["fulfilment"]})
        data = self.fields() | {"order_id": order or f"o-{len(self._orders) + 1}"}
        if order is None:
            self._orders[data["order_id"]] = data
        return data

    def fields(self) -> Json:
        """All fields of an order but its id."""
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
            "delivered_at": self.text(delivered),
            "fulfilment": chance.choice(("delivered",) * 6 + ("pickup", "cancelled")),
            "packages": packages,
            "sealed_packages": chance.choice((packages, packages, packages, 0, packages - 1)),
            "seal_state": chance.choice(("intact",) * 5 + ("broken", "absent", "unknown")),
            "evidence_level": chance.choice((0, 1, 2, 2, 3, 3, 4)),
            "code": chance.choice((None, "c-1", " c-2 ")),
            "photo_uri": chance.choice((None, "https://a/b.jpg", "https://aXb.jpg")),
        }

    def heartbeat(self) -> Json:
        """Of one camera."""
        return {
            "camera_id": f"3306810000132000{self.chance.randrange(4):04d}",
            "operator_id": self.chance.choice(self._operators),
            "town_code": self.chance.choice(self.towns),
            "online": self.chance.random() < 0.9,
            "advancing": self.chance.random() < 0.9,
            "picture": self.chance.choice(("ok", "black", "covered", "blurred", "frozen")),
        }

    def finding(self) -> Json:
        """Of one finding."""
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
            "found_at": self.text(self.end - 3 * _DAY * chance.random()),
            "due_at": chance.choice((None, self.text(self.end))),
            "closed_at": chance.choice((None, self.text(self.as_of))),
            "zone": chance.choice((None, "热厨")),
            "snapshot_uri": chance.choice((None, "https://box/1.jpg")),
        }
        needed = ("finding_id", "camera_id", "operator_id", "town_code", "finding", "vendor", "review", "found_at")
        return self._some(data, needed)

    def banquet(self) -> Json:
        """Of one banquet."""
        chance = self.chance
        data = {
            "banquet_id": f"b-{chance.randrange(12)}",
            "town_code": chance.choice(self.towns),
            "village_id": chance.choice((None, "v-1")),
            "venue": chance.choice(("home", "banquet_centre", "temporary")),
            "status": chance.choice(("draft", "declared", "filed", "guided", "held", "closed", "cancelled")),
            "declared_at": self.text(self.end - 20 * _DAY * chance.random()),
            "held_at": self.text(self.end - 10 * _DAY * chance.random()),
            "diners": chance.choice((1, 99, 100, 20_000)),
            "tables": chance.choice((None, 0, 12)),
            "cook_id": chance.choice((None, "op-3")),
            "guided_at": chance.choice((None, self.text(self.end))),
            "samples_retained": chance.choice((True, False, None)),
            "host": chance.choice(({}, {"name": "赵六", "phone": "13987654321"}, {"phone": "13912345678"})),
        }
        needed = ("banquet_id", "town_code", "venue", "status", "declared_at", "held_at", "diners", "host")
        return self._some(data, needed)

    def village(self) -> Json:
        """Of one village."""
        data = {
            "village_id": f"v-{self.chance.randrange(8)}",
            "name": self.chance.choice(("枫桥村", " 枫桥村 ", "e\u0301村")),
            "town_code": self.chance.choice(self.towns),
            "served_by": self.chance.choice((None, "op-2", "nobody")),
        }
        return self._some(data, ("village_id", "name", "town_code"))

    def change(self, kind: str, data: Json) -> None:
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
