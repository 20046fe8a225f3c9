"""Who exists: operators, villages and cameras of the city as they are at the start of its life.

Every entity is drawn from a generator of its own, so the city does not change when one kind gets more members.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from pipeline.simulator.chance import chance, split
from pipeline.simulator.moments import date_text, day_number
from pipeline.simulator.names import (
    business_name,
    camera_number,
    credit_code,
    licence_number,
    person,
    registration_number,
    village_name,
)
from pipeline.simulator.options import OPERATORS, SimulationOptions
from schemas.towns import TOWNS

TOWN_WEIGHTS: Final = (
    # The streets of the town centre and the two big industrial towns have most of the people.
    (
        22.0,
        9.0,
        11.0,
        5.0,
        8.0,
        3.5,
        2.5,
        9.0,
        3.5,
        2.8,
        5.0,
        1.5,
        0.9,
        1.1,
        3.6,
        1.2,
        2.2,
        2.4,
        1.0,
        0.9,
        1.2,
        1.4,
        1.3,
    )
)
VENDORS: Final = ("vendor-a", "vendor-b", "vendor-c", "vendor-d")
PREFIXES: Final = {
    "takeaway": "tw",
    "school_canteen": "sc",
    "eldercare_canteen": "ec",
    "workplace_canteen": "wc",
    "caring_canteen": "cc",
    "delivery_unit": "du",
    "school_supplier": "ss",
    "banquet_centre": "bc",
    "banquet_cook": "ck",
    "cook_company": "co",
    "dining_street": "ds",
}
PLATFORM_SHARES: Final = (("meituan", 0.92), ("eleme", 0.68), ("jd", 0.22), ("douyin", 0.15), ("other", 0.05))
"""The share of merchants that each platform lists."""

_HOURS: Final = (
    # opening hours of merchants and how common they are; the last two pass midnight, one never closes
    ([("09:30", "21:00")], 0.34),
    ([("10:00", "14:00"), ("16:30", "21:00")], 0.20),
    ([("06:00", "13:30")], 0.10),
    ([("09:00", "22:30")], 0.18),
    ([("16:30", "02:00")], 0.10),
    ([("10:30", "00:30")], 0.06),
    ([("00:00", "00:00")], 0.02),
)
_COMPANY: Final = ("delivery_unit", "school_supplier", "cook_company", "banquet_centre", "workplace_canteen")
_CANTEENS: Final = ("school_canteen", "eldercare_canteen", "workplace_canteen", "caring_canteen")
_KITCHEN_KINDS: Final = ("takeaway", "school_canteen", "eldercare_canteen", "caring_canteen", "delivery_unit")


@dataclass(slots=True)
class Operator:
    """One operator as it is at the start. `record` is the data of its registry event; `kitchen` its kitchen's state,
    None where no kitchen event was ever sent; `weight` its share of the orders."""

    operator_id: str
    kind: str
    town: str
    record: dict[str, Any]
    kitchen: str | None = None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera: `always_on` ones send through the night, the others say at night that they are off."""

    camera_id: str
    vendor: str
    operator: Operator
    always_on: bool
    second: int
    open_minutes: bytes


@dataclass(slots=True)
class City:
    """The whole city at the start."""

    operators: list[Operator] = field(default_factory=list)
    villages: list[dict[str, Any]] = field(default_factory=list)
    cameras: list[Camera] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Operator]:
        """The operators of one kind, in their order."""
        return [one for one in self.operators if one.kind == kind]


def build_city(options: SimulationOptions) -> City:
    """The city of these options; equal options build equal cities."""
    city = City()
    today = day_number(options.origin)
    for kind in OPERATORS:
        number = 0
        for town, count in _places(kind, options.count(kind)).items():
            for place in range(count):
                city.operators.append(make_operator(options.seed, kind, town, number, today))
                _set_kitchen(options, city.operators[-1], place, count)
                number += 1
    _set_standing(options, city)
    _settle_villages(options, city)
    _mount_cameras(options, city)
    return city


def _places(kind: str, total: int) -> dict[str, int]:
    weights = list(zip(TOWNS, TOWN_WEIGHTS, strict=True))
    if kind in ("delivery_unit", "school_supplier"):  # they stand in the two industrial parks
        weights = [("330681003", 3.0), ("330681104", 1.0)]
    elif kind in ("caring_canteen", "banquet_centre", "banquet_cook"):  # villages need them more than the centre does
        weights = [(town, weight**0.5) for town, weight in weights]
    return split(total, weights)


def make_operator(seed: int, kind: str, town: str, number: int, today: int, *, generation: int = 1) -> Operator:
    """One operator, active and in order. `generation` tells the successive shops of one place apart."""
    rng = chance(seed, "operator", kind, number, generation)
    operator_id = f"{PREFIXES[kind]}-{number + 1:05d}" + (f"-{generation}" if generation > 1 else "")
    serial = list(PREFIXES).index(kind) * 80_000 + number + 20_000 * (generation - 1)
    record: dict[str, Any] = {"operator_id": operator_id, "kind": kind, "town_code": town, "status": "active"}
    operator = Operator(operator_id, kind, town, record)
    if kind == "banquet_cook":
        record["person"] = person(rng)
        record["name"] = record["person"]["name"]
        record["training_valid_until"] = date_text(today + rng.randrange(16, 700))
        record["health_valid_until"] = date_text(today + rng.randrange(16, 360))
        return operator
    record["name"] = business_name(rng, kind, TOWNS[town].name)
    if kind == "dining_street":
        return operator
    _licence(rng, record, kind, serial)
    if kind == "cook_company":
        return operator
    record["director"] = True
    record["officers"] = 1 + (rng.random() < 0.3)
    record["open_hours"] = _open_hours(rng, kind)
    if rng.random() < 0.4:
        record["person"] = person(rng)
    if kind == "takeaway":
        record["platforms"] = [name for name, share in PLATFORM_SHARES if rng.random() < share] or ["meituan"]
        record["grade"] = rng.choices(("A", "B", "C", "ungraded"), (0.15, 0.55, 0.12, 0.18))[0]
        operator.weight = rng.lognormvariate(0, 1.0)
    elif kind in ("delivery_unit", "school_supplier"):
        scheme = rng.choice(("HACCP", "ISO22000"))
        record["certificates"] = [{"scheme": scheme, "valid_until": date_text(today + rng.randrange(40, 900))}]
        record["grade"] = rng.choice("AB")
    else:
        record["grade"] = rng.choice("AAB")
    return operator


def _licence(rng: Random, record: dict[str, Any], kind: str, serial: int) -> None:
    head = {"takeaway": "92", "school_canteen": "12"}.get(kind, "91" if kind in _COMPANY else "12")
    if rng.random() < 0.97:
        record["uscc"] = credit_code(serial * 7919 % 31**6, head)
    if kind == "takeaway" and rng.random() < 0.18:
        record["license_kind"] = "small_catering"
        record["license_no"] = registration_number(serial)
    else:
        record["license_kind"] = "food_license"
        right = rng.random() >= 0.005  # some licences in real registers carry a wrong check digit
        record["license_no"] = licence_number(3 if kind in _CANTEENS else 2, serial % 1_000_000, right=right)


def _open_hours(rng: Random, kind: str) -> list[dict[str, str]]:
    if kind == "takeaway":
        spans = rng.choices([hours for hours, _ in _HOURS], [weight for _, weight in _HOURS])[0]
    elif kind == "delivery_unit":
        spans = [("04:00", "13:00")]
    else:
        spans = [("06:00", "18:30")] if kind == "eldercare_canteen" else [("06:30", "13:30")]
    return [{"from": begin, "to": end} for begin, end in spans]


def _set_kitchen(options: SimulationOptions, operator: Operator, place: int, count: int) -> None:
    """Kitchens are spread so that each town has about the same share of built ones, as the bureau sees to it."""
    if operator.kind == "takeaway":
        share = (place + 0.5) / count
        if (share * 617.0) % 1 < options.kitchens_active:
            operator.kitchen = "active"
        else:
            rng = chance(options.seed, "kitchen", operator.operator_id)
            states = (None, "none", "pending", "degraded", "withdrawn")
            operator.kitchen = rng.choices(states, (0.25, 0.15, 0.28, 0.25, 0.07))[0]
    elif operator.kind in _KITCHEN_KINDS:
        operator.kitchen = "active"


def _set_standing(options: SimulationOptions, city: City) -> None:
    """The exceptions: who is closed, suspended or asleep, and who falls short of a target."""
    for operator in city.of_kind("takeaway"):
        rng = chance(options.seed, "standing", operator.operator_id)
        fate = rng.random()
        if fate < 0.025:
            operator.record["status"] = "closed" if fate < 0.018 else "suspended"
        elif fate < 0.030:
            operator.record["platforms"] = []
        if fate < 0.045:  # up to 0.030 as above, the rest is listed but has had no order for a month
            operator.weight = 0.0
    for number, operator in enumerate(city.of_kind("school_canteen")):
        accepted = [name for name, reach in (("6H", 44), ("model", 6), ("nutrition", 1)) if number < reach]
        operator.record["accepted"] = accepted
    for operator in city.of_kind("eldercare_canteen")[-1:]:
        operator.kitchen, operator.record["grade"] = "pending", "C"
    for operator in city.of_kind("delivery_unit")[:1]:
        operator.record["grade"] = "ungraded"
        operator.record["certificates"] = []
    for operator in city.of_kind("banquet_cook")[:2]:
        operator.record["health_valid_until"] = date_text(day_number(options.origin) - 5)


def _settle_villages(options: SimulationOptions, city: City) -> None:
    canteens: dict[str, list[str]] = {}
    for operator in city.of_kind("caring_canteen"):
        canteens.setdefault(operator.town, []).append(operator.operator_id)
    number = 0
    weights = [(town, weight**0.7) for town, weight in zip(TOWNS, TOWN_WEIGHTS, strict=True)]
    for town, count in split(options.villages, weights).items():
        near = canteens.get(town, [])
        for place in range(count):
            rng = chance(options.seed, "village", number)
            number += 1
            village = {
                "village_id": f"v-{town}-{place + 1:03d}",
                "name": village_name(rng, TOWNS[town].name),
                "town_code": town,
                "served_by": rng.choice(near) if near and (place * 617) % 100 < 79 else None,
            }
            city.villages.append(village)


def _mount_cameras(options: SimulationOptions, city: City) -> None:
    """Canteens first, then merchants with a built kitchen by their orders, one each, then round again."""
    built = [one for one in city.operators if one.kitchen == "active" and one.record["status"] == "active"]
    built.sort(key=lambda one: (one.kind == "takeaway", -one.weight))
    masks: dict[str, bytes] = {}
    for number in range(options.cameras if built else 0):
        operator = built[number % len(built)]
        rng = chance(options.seed, "camera", number)
        hours = str(operator.record["open_hours"])
        if hours not in masks:
            masks[hours] = open_minutes(operator.record["open_hours"])
        city.cameras.append(
            Camera(
                camera_number(number + 1),
                VENDORS[number % len(VENDORS)],
                operator,
                rng.random() < 0.2,
                rng.randrange(58),
                masks[hours],
            )
        )


def open_minutes(hours: list[dict[str, str]]) -> bytes:
    """1 for each of the 1440 minutes of the day in which a business is open, else 0."""
    mask = bytearray(1440)
    for span in hours:
        begin, end = (int(span[key][:2]) * 60 + int(span[key][3:]) for key in ("from", "to"))
        for minute in range(begin, end if end > begin else end + 1440):
            mask[minute % 1440] = 1
    return bytes(mask)
