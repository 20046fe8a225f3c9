"""Random operators, orders and all the rest of a small city: the `data` of events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from tests.system.records import FINDING, HEARTBEAT, KITCHEN, MEASURE, OPERATOR, ORDER, RECORD, VILLAGE

Json = dict[str, Any]
TOWNS: Final = ("330681001", "330681002", "330681003", "330681004", "330681005")
PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin", "other")
SHANGHAI: Final = timezone(timedelta(hours=8))
MICRO: Final = timedelta(microseconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
LEAD: Final = 72 * HOUR
"""By which a banquet is to be declared before the meal."""

_ZONES: Final = (SHANGHAI, UTC, timezone(timedelta(hours=-5, minutes=-30)))
_BASE: Final = datetime(2025, 11, 20, 4, 31, 17, 123456, UTC)
KINDS: Final = {
    "op": ("takeaway", 24), "kit": ("takeaway", 4), "school": ("school_canteen", 4), "elder": ("eldercare_canteen", 3),
    "work": ("workplace_canteen", 1), "canteen": ("caring_canteen", 3), "unit": ("delivery_unit", 3),
    "supplier": ("school_supplier", 3), "centre": ("banquet_centre", 1), "cook": ("banquet_cook", 5),
    "company": ("cook_company", 2), "street": ("dining_street", 4),
}  # fmt: skip
"""What an operator mostly is by the first part of its id, and how many of them there are."""


class Entities:
    """Makes `data` at random, around a last moment.

    :param towns: codes of the towns to use.
    :param prefix: of every id, so that several cities can stand side by side.
    """

    def __init__(self, chance: Random, towns: Sequence[str], prefix: str = "") -> None:
        self.chance = chance
        self.towns = towns
        self.prefix = prefix
        self.end = _BASE + timedelta(seconds=chance.randrange(40 * 86400))
        if chance.random() < 0.2:  # as_of is a midnight of Shanghai
            self.end = self.end.replace(hour=16, minute=1)
        self.as_of = (self.end - MINUTE).replace(second=0, microsecond=0)
        self.ids = {
            stem: [f"{prefix}{stem}-{number}" for number in range(1, many + 1)] for stem, (_, many) in KINDS.items()
        }
        self._known: dict[str, dict[str, Json]] = {}

    def text(self, moment: datetime) -> str:
        """The moment with one of several offsets and numbers of digits; never another microsecond."""
        local = moment.astimezone(self.chance.choice(_ZONES))
        text = local.isoformat(timespec="microseconds" if local.microsecond else "seconds")
        if local.microsecond and self.chance.random() < 0.3:
            text = f"{text[:26]}{self.chance.choice(('0', '999', '500'))}{text[26:]}"
        return text.replace("+00:00", "Z") if self.chance.random() < 0.7 else text

    def day(self, moment: datetime, days: int = 0) -> str:
        """The day of a moment in Shanghai, or one some days from it."""
        return (moment.astimezone(SHANGHAI) + days * DAY).date().isoformat()

    def _day(self) -> str:
        """A last day of validity: often just over, today or tomorrow."""
        return self.day(self.as_of, self.chance.choice((-1, 0, 1, 40, self.chance.randrange(-12, 4))))

    def accounted(self) -> datetime:
        """When something counts: in one of the windows, before them, on the minute now and then, or still to come."""
        chance = self.chance
        spans = (1.5 * HOUR, 30 * HOUR, 8 * DAY, 33 * DAY, 33 * DAY, 370 * DAY)
        to_come = chance.random() < 0.08
        moment = self.as_of - chance.choice((-2 * MINUTE, -9 * DAY) if to_come else spans) * chance.random()
        return moment.replace(second=0, microsecond=0) if chance.random() < 0.2 else moment

    def near(self, moment: datetime) -> str:
        """At a moment, or just or well before or after it."""
        steps = (timedelta(0), timedelta(0), -MICRO, MICRO, -3 * HOUR, HOUR, -9 * DAY * self.chance.random())
        return self.text(moment + self.chance.choice(steps))

    def hours(self, now: bool = False) -> list[Json]:
        """Business hours, often some that begin or end about as_of; `now` for some that hold the hours before it."""
        local = self.as_of.astimezone(SHANGHAI)
        times = [f"{local + minutes * MINUTE:%H:%M}" for minutes in (-240, -95, -33, 41, 180)]
        around = (times[0], times[3])
        spans = (
            around, ("00:00", "00:00"), ("22:00", "02:30"), ("08:02", "13:58"), (times[1], times[2]),
            (times[2], times[4]), (times[4], times[0]),
        )  # fmt: skip
        some = self.chance.sample(spans, self.chance.choice((1, 1, 2))) + [around] * now
        return [{"from": begin, "to": end} for begin, end in some]

    def _some(self, data: Json, required: str) -> Json:
        """Without some of the optional fields, in any order of fields."""
        kept = [name for name in data if name in required.split() or self.chance.random() < 0.8]
        self.chance.shuffle(kept)
        return {name: data[name] for name in kept}

    def _told(self, kind: str, key: str, stem: str, data: Json, required: str) -> Json:
        """Of an entity that is new, or of a known one all anew, or but for some fields as it was told before."""
        chance, known = self.chance, self._known.setdefault(kind, {})
        entity = f"{self.prefix}{stem}-{len(known) + 1}"
        if known and chance.random() < 0.4:
            entity = chance.choice(list(known))
            if chance.random() < 0.6:
                data = known[entity] | {
                    name: data[name] for name in chance.sample(sorted(data), chance.randrange(1, 4))
                }
        known[entity] = data = data | {key: entity}
        return self._some(data, f"{key} {required}")

    def operator(self, operator: str | None = None) -> Json:
        """Of a registry entry, now and then of one that is there already."""
        chance = self.chance
        stem = chance.choice(("op", *KINDS))
        name = operator or chance.choice(self.ids[stem][:20])  # the last operators of orders stand in no registry
        usual, _ = KINDS.get(name.removeprefix(self.prefix).split("-", maxsplit=1)[0], ("", 0))
        kind = usual if usual and chance.random() < 0.85 else chance.choice(list(KINDS.values()))[0]
        data: Json = {
            "operator_id": name,
            "kind": kind,
            "name": chance.choice(("张三丰", "欧阳锋")) if kind == "banquet_cook" else f"小吃店{chance.randrange(9)}",
            "town_code": chance.choice(self.towns),
            "status": chance.choice(("active",) * 5 + ("suspended", "closed")),
            "platforms": chance.choices(PLATFORMS, k=chance.randrange(4)),
            "license_kind": chance.choice(("food_license", "small_catering", None)),
            "license_no": chance.choice(("JY23306810001236", "JY33306810004560")),
            "uscc": chance.choice(("92330681MA2ABCDE1T", None)),
            "grade": chance.choice(("A", "B", "C", "ungraded", None)),
            "certificates": [
                {"scheme": chance.choice(("HACCP", "ISO22000")), "valid_until": self._day()}
                for _ in range(chance.randrange(3))
            ],
            "director": chance.choice((True, True, True, False, None)),
            "officers": chance.choice((0, 1, 1, 7, None)),
            "accepted": chance.choices(("6H", "model", "nutrition"), k=chance.randrange(3)),
            "open_hours": chance.choice((None, [], self.hours(), self.hours(), self.hours())),
            "training_valid_until": chance.choice((self._day(), self._day(), None)),
            "health_valid_until": chance.choice((self._day(), self._day(), None)),
            "person": chance.choice((None, {}, {"name": "王小明"}, {"name": "李四", "phone": "13812345678"})),
            "extensions": chance.choice((None, {"门": [1, {"b": None}], "a": 1.5})),
        }
        return self._some(data, "operator_id kind name town_code status")

    def village(self) -> Json:
        """Of one village."""
        chance = self.chance
        data = {
            "name": chance.choice(("枫桥村", " 枫桥村 ", "e\u0301村")),
            "town_code": chance.choice(self.towns),
            "served_by": chance.choice((None, "nobody", self.ids["op"][1], *self.ids["canteen"], *self.ids["canteen"])),
        }
        return self._told(VILLAGE, "village_id", "v", data, "name town_code")

    def measure(self) -> Json:
        """Of one measure: a relation, a pledge, a visit, or something that no rate asks for."""
        chance = self.chance
        due = self.accounted()
        data = {
            "measure": chance.choice(("guarantee_relation", "pledge", *["supervision_visit"] * 4, "drill")),
            "town_code": chance.choice(self.towns),
            "operator_id": chance.choice((None, "nobody", self.ids["school"][0])),
            "status": chance.choice(("due", "done", "done", "done", "void")),
            "due_at": self.text(due) if chance.random() < 0.9 else None,
            "done_at": chance.choice((self.near(due), self.near(due), None)),
            "extensions": chance.choice((None, {"by": "所长"})),
        }
        return self._told(MEASURE, "measure_id", "m", data, "measure town_code status")

    def kitchen(self, operator: str | None = None) -> Json:
        """Of a kitchen's state."""
        chance = self.chance
        data = {
            "operator_id": operator or chance.choice(self.ids[chance.choice(("op", "op", "op", "elder", "kit"))]),
            "town_code": chance.choice(self.towns),
            "state": chance.choice(("active", "active", "none", "pending", "degraded", "withdrawn")),
            "reason": chance.choice((None, " 断网 ", "cafe\u0301")),
        }
        return self._some(data, "operator_id town_code state")

    def order(self, order: str | None = None) -> Json:
        """Of an order: a new one, or more about a known one."""
        chance, orders = self.chance, self._known.setdefault(ORDER, {})
        if order is None and orders and chance.random() < 0.4:
            known = chance.choice(list(orders.values()))
            kept = {name: known[name] for name in ("order_id", "delivered_at")}
            moved = chance.random() < 0.3
            same = {} if moved else {name: known[name] for name in ("operator_id", "platform", "town_code")}
            return self.fields() | same | kept | ({} if chance.random() < 0.4 else {"fulfilment": known["fulfilment"]})
        data = self.fields() | {"order_id": f"{self.prefix}{order or f'o-{len(orders) + 1}'}"}
        if order is None:
            orders[data["order_id"]] = data
        return data

    def fields(self) -> Json:
        """All fields of an order but its id."""
        chance = self.chance
        packages = chance.choice((1, 2, 3, 50))
        delivered = self.end - chance.choice((1.5 * HOUR, 30 * HOUR, 8 * DAY, 33 * DAY, 40 * DAY)) * chance.random()
        if chance.random() < 0.2:
            delivered = delivered.replace(second=0, microsecond=0)
        if chance.random() < 0.03:
            delivered = self.end + chance.choice((MINUTE, 40 * DAY)) * chance.random()
        return {
            "order_id": "",
            "operator_id": chance.choice(self.ids["op"]),
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

    def heartbeat(self, camera: str | None = None) -> Json:
        """Of one camera, of one of a few when none is named."""
        chance = self.chance
        return {
            "camera_id": f"{self.prefix}{camera or f'3306810000132000{chance.randrange(2):04d}'}",
            "operator_id": chance.choice(self.ids[chance.choice(("op", "kit", "school"))]),
            "town_code": chance.choice(self.towns), "online": chance.random() < 0.9, "advancing": chance.random() < 0.9,
            "picture": chance.choice(("ok", "black", "covered", "blurred", "frozen")),
        }  # fmt: skip

    def finding(self) -> Json:
        """Of one finding."""
        chance = self.chance
        due = self.accounted()
        data = {
            "camera_id": "33068100001320000001",
            "operator_id": chance.choice(self.ids["op"]),
            "town_code": chance.choice(self.towns),
            "finding": chance.choice(("NO_CHEF_HAT", "CHEF_HAT", "605", "MICE", "INTRUSION", "who knows", "SMOKING")),
            "vendor": "海康",
            "vendor_code": chance.choice(("605 ", None)),
            "confidence": chance.choice((0, 1, 0.75, None)),
            "review": chance.choice(("raw", "confirmed", "confirmed", "false_positive", "closed", "closed", "closed")),
            "found_at": self.text(due - 3 * DAY * chance.random()),
            "due_at": self.text(due) if chance.random() < 0.9 else None,
            "closed_at": chance.choice((self.near(due), self.near(due), self.near(due), None)),
            "zone": chance.choice((None, "热厨")),
            "snapshot_uri": chance.choice((None, "https://box/1.jpg")),
        }
        needed = "camera_id operator_id town_code finding vendor review found_at"
        return self._told(FINDING, "finding_id", "f", data, needed)

    def banquet(self) -> Json:
        """Of one banquet."""
        chance = self.chance
        held = self.accounted()
        statuses = ("draft", "declared", "returned", "filed", "assigned", "guided", "rectifying", "cancelled")
        data = {
            "town_code": chance.choice(self.towns),
            "village_id": chance.choice((None, "v-1")),
            "venue": chance.choice(("home", "banquet_centre", "temporary")),
            "status": chance.choice((*statuses, *["held"] * 6, *["closed"] * 4)),
            "declared_at": self.near(held - LEAD),
            "held_at": self.text(held),
            "diners": chance.choice((1, 99, 100, 100, 101, 20_000)),
            "tables": chance.choice((None, 0, 12)),
            "cook_id": chance.choice((None, "nobody", self.ids["op"][2], *self.ids["cook"], *self.ids["cook"])),
            "guided_at": chance.choice((None, self.near(held), self.near(held))),
            "samples_retained": chance.choice((True, True, True, False, None)),
            "host": chance.choice(({}, {"name": "赵六", "phone": "13987654321"}, {"phone": "13912345678"})),
        }
        needed = "town_code venue status declared_at held_at diners host"
        return self._told(RECORD, "banquet_id", "b", data, needed)

    def change(self, kind: str, data: Json) -> None:
        """Changes some fields, now and then the one that says of which entity it is."""
        chance, ids, prefix, when = self.chance, self.ids, self.prefix, self.text(self.accounted())
        several: dict[str, Json] = {
            ORDER: {
                "operator_id": chance.choice(ids["op"]), "platform": chance.choice(PLATFORMS),
                "evidence_level": chance.randrange(5), "seal_state": chance.choice(("intact", "broken")),
                "photo_uri": chance.choice(("https://a/b.jpg", "https://aXb.jpg")),
                "fulfilment": chance.choice(("delivered", "pickup", "cancelled")),
                "order_id": f"{data.get('order_id')}-moved",
            },
            KITCHEN: {"state": chance.choice(("active", "degraded", "none")), "operator_id": ids["op"][4]},
            OPERATOR: {
                "status": "closed", "platforms": ["jd"], "operator_id": ids["op"][5], "grade": "B",
                "health_valid_until": self._day(), "open_hours": self.hours(),
            },
            RECORD: {"held_at": when, "diners": 100, "cook_id": ids["cook"][0], "banquet_id": f"{prefix}b-1"},
            FINDING: {"due_at": when, "review": "closed", "finding_id": f"{prefix}f-1"},
            MEASURE: {"due_at": when, "status": chance.choice(("done", "void")), "measure_id": f"{prefix}m-1"},
            HEARTBEAT: {"picture": chance.choice(("ok", "black")), "camera_id": f"{prefix}cam-{chance.randrange(4)}"},
            VILLAGE: {"served_by": chance.choice(ids["canteen"]), "village_id": f"{prefix}v-1"},
        }  # fmt: skip
        changes = several[kind] | {"town_code": chance.choice(self.towns)}
        kept = {"fulfilment", "order_id"} if "torn" in data.get("order_id", "") else set()
        kept |= {"open_hours"} if data.get("open_hours") == [] else set()  # test_rival_contents.py has such a pair
        for name in chance.sample(sorted(changes.keys() - kept), chance.randrange(1, len(changes.keys() - kept) + 1)):
            data[name] = changes[name]
