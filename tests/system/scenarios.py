"""A Friday of a small city, town by town: what is sent, and what has to come of it by the rules of alerts.

Minutes count from 10:00 in Shanghai. Each town has one story; what is expected of it was found with a pencil.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from tests.system.records import FINDING, HEARTBEAT, KITCHEN, OPERATOR, ORDER, RECORD, STREAM_OF, Record

START: Final = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
LAST: Final = 392
MINUTE: Final = timedelta(minutes=1)
LATE_AFTER: Final = 200
"""Late events are sent when this minute has been sent and judged."""

PERSONS: Final = ("欧阳明远", "司马小红", "诸葛大力", "13812345678", "13987654321", "13700001111")

Expected = tuple[str, int, str]
"""State, minute, and numerator/denominator/unknown: of events and conditions `0/0/0`."""


class Story(NamedTuple):
    """What happens to one alert, and what the message says when it fires; `sent` False: the city speaks for it."""

    alert: str
    expected: tuple[Expected, ...]
    says: tuple[str, ...] = ()
    sent: bool = True


def at(minute: float, second: int = 0) -> datetime:
    """A moment of the day."""
    return START + minute * MINUTE + timedelta(seconds=second)


class Sender:
    """Makes events, each with an id of its own."""

    def __init__(self) -> None:
        self._number = 0

    def event(self, kind: str, moment: datetime, data: dict[str, Any]) -> Record:
        """One event that became true at a moment."""
        self._number += 1
        keys = {"id": f"e-{self._number}", "source": "/platform/one", "type": kind, "time": moment.isoformat()}
        value = json.dumps({"specversion": "1.0", **keys, "data": data}, ensure_ascii=False).encode()
        entity = data.get("order_id") or data.get("banquet_id") or data.get("camera_id") or data["operator_id"]
        return Record(STREAM_OF[kind], value, key=str(entity).encode())

    def order(self, order: str, minute: int, town: str, *, good: bool = True, level: int = 2, **fields: Any) -> Record:
        """An order that is delivered in a minute."""
        moment = at(minute, 7)
        data = {
            "order_id": order, "operator_id": f"tw-{town}", "platform": "meituan", "town_code": town,
            "delivered_at": moment.isoformat(), "fulfilment": "delivered", "packages": 1, "sealed_packages": 1,
            "seal_state": "intact" if good else "broken", "evidence_level": level,
        }  # fmt: skip
        return self.event(ORDER, moment, data | fields)


Timed = tuple[float, Record]


def town(number: str) -> str:
    """Its code."""
    return f"330681{number}"


CALM, EXACT, UNDER, FLOOR, EDGE, BEYOND, TREMBLES, SHORT, GONE, UNSURE, TWICE, LATE, JD = map(
    town, ("001", "002", "003", "004", "005", "102", "103", "104", "106", "108", "109", "110", "111")
)
BUILT, SCHOOL, GRADED, BANQUETS, FOUND, SUPPLIED, STREETS = map(town, ("112", "115", "116", "117", "119", "120", "121"))


def orders(sender: Sender) -> Iterator[Timed]:
    """Of takeaway, by town; the calm one is so large that the city is never in breach."""
    for m in range(LAST):
        good = {
            EXACT: m % 10 != 3,
            EDGE: m < 120 or m % 6 != 0,
            BEYOND: m < 120 or m % 60 * 49 // 60 != (m % 60 + 1) * 49 // 60,
            TREMBLES: not 30 <= m < 60 if m < 60 else m % 12 != 0 or m >= 200,
            SHORT: True,
            GONE: not 60 <= m < 150,
            TWICE: True,
            LATE: True,
        }
        for index in range(45):
            yield m, sender.order(f"calm-{m}-{index}", m, CALM)
        for place, well in good.items():
            if place == GONE and 150 <= m < 330:
                continue
            one = sender.order(f"o-{place}-{m}", m, place, good=well and place != TWICE)
            yield m, one
            if place == TWICE:  # sent twice, told to be broken; what was scanned later says that it was intact
                yield m, one
                yield m, sender.order(f"o-{place}-{m}", m, place, level=3)._replace(key=None)
        if m % 3 == 0:
            yield m, sender.order(f"under-{m}", m, UNDER, good=False)
        if m % 2 == 0:
            yield m, sender.order(f"floor-{m}", m, FLOOR, good=not 100 <= m < 200)
        unsure = 100 <= m < 140
        yield m, sender.order(f"unsure-{m}", m, UNSURE, level=1 if unsure else 2)
        if m in (100, 105):
            for index in range(15 if m == 100 else 40):
                yield m, sender.order(f"short-{m}-{index}", m, SHORT, good=m == 105)


def late(sender: Sender) -> list[Record]:
    """What arrives after its minutes were judged: of one that no window has any more, and of one that windows have."""
    return [sender.order(f"late-{m}-{i}", m, LATE, good=False) for m in (60, 150) for i in range(60)]


SEALS: Final = tuple(
    Story(f"seal_coverage.town.{place}.1h", expected, says)
    for place, expected, says in (
        (FLOOR, (("pending", 128, "23/30/0"), ("firing", 138, "18/30/0"), ("resolved", 280, "30/30/0")), ("18/30",)),
        (BEYOND, (("pending", 190, "49/60/0"), ("firing", 200, "49/60/0")), ("81.7%（49/60）", "≥90.0%")),
        (TREMBLES, (("pending", 53, "30/38/0"), ("firing", 63, "30/48/0"), ("resolved", 230, "56/60/0")), ("30/48",)),
        (SHORT, (("pending", 116, "60/75/0"), ("ok", 121, "100/115/0")), ()),
        (GONE, (("pending", 86, "49/60/0"), ("firing", 96, "39/60/0"), ("resolved", 385, "40/40/0")), ("39/60",)),
        (
            UNSURE,
            (("pending", 126, "49/60/11"), ("firing", 136, "39/60/21"), ("resolved", 221, "60/60/0")),
            ("39/60，其中未知21",),
        ),
        (LATE, (("pending", 199, "60/120/0"), ("firing", 209, "60/120/0"), ("resolved", 236, "60/60/0")), ("60/120",)),
    )
)
"""Towns that are not named (exactly at the target, below the floor, within the error of their sample, told twice and
corrected) have no alert at all."""

SILENCE: Final = Story(
    f"no_data.town.{GONE}.2h.yangguang.seal",
    (("firing", 270, "0/0/0"), ("resolved", 331, "0/0/0")),
    ("外卖封签数据中断", "不要当作已恢复"),
)


def entities(sender: Sender) -> Iterator[Timed]:
    """Of operators, kitchens, cameras, findings and banquets."""

    def operator(minute: float, key: str, kind: str, place: str, **fields: Any) -> Timed:
        person = {"name": PERSONS[0], "phone": PERSONS[3]}
        data = {"operator_id": key, "kind": kind, "name": f"{key}店", "town_code": place, "status": "active"}
        return minute, sender.event(
            OPERATOR, at(minute), {**data, "director": True, "officers": 1, "person": person, **fields}
        )

    def kitchen(minute: float, name: str, state: str) -> Timed:
        return minute, sender.event(KITCHEN, at(minute), {"operator_id": name, "town_code": BUILT, "state": state})

    def banquet(minute: float, name: str, held: datetime, diners: int, **fields: Any) -> Timed:
        data = {"banquet_id": name, "town_code": BANQUETS, "venue": "home", "status": "filed", "diners": diners}
        times = {"declared_at": at(-9000).isoformat(), "held_at": held.isoformat()}
        host = {"name": PERSONS[2], "phone": PERSONS[4]}
        return minute, sender.event(RECORD, at(minute), {**data, **times, "host": host, **fields})

    def cook(minute: float, healthy: str) -> Timed:
        dates = {"training_valid_until": "2027-12-31", "health_valid_until": healthy}
        return operator(minute, "cook-1", "banquet_cook", BANQUETS, **dates | {"name": PERSONS[1]})

    def supplier(minute: float, until: str) -> Timed:
        certificates = [{"scheme": "HACCP", "valid_until": until}]
        return operator(minute, "sup-1", "school_supplier", SUPPLIED, name="越州配餐", certificates=certificates)

    def finding(minute: float, what: str, review: str, **fields: Any) -> Timed:
        data = {
            "finding_id": f"f-{what[:4]}", "camera_id": "cam-9", "operator_id": "tw-0", "town_code": FOUND,
            "finding": what, "vendor": "hik", "review": review, "found_at": at(60).isoformat(), "zone": "热厨",
        }  # fmt: skip
        return minute, sender.event(FINDING, at(minute), data | fields)

    for index in range(10):
        yield operator(-10, f"tw-{index}", "takeaway", BUILT, platforms=["jd"], name=f"小吃{index}号")
        if index < 9:
            yield kitchen(-9.9, f"tw-{index}", "active")
    yield kitchen(60.5, "tw-0", "degraded")
    yield kitchen(120.5, "tw-0", "active")  # 9 of 10: not below the target any more, and not recovered
    yield kitchen(180.5, "tw-9", "active")
    hours = [{"from": "10:00", "to": "16:00"}]
    yield operator(-10, "school-1", "school_canteen", SCHOOL, name="城东小学食堂", grade="A", open_hours=hours)
    for minute in range(-8, 300, 5):  # and then nothing is heard, which is no data and no bad rate
        beat = {"camera_id": "cam-school", "operator_id": "school-1", "town_code": SCHOOL, "online": True}
        picture = "black" if 80 <= minute < 110 else "ok"
        yield minute, sender.event(HEARTBEAT, at(minute), {**beat, "advancing": True, "picture": picture})
    for when, grade in ((-10, "B"), (180.5, "C"), (300.5, "A")):
        yield operator(when, "school-2", "school_canteen", GRADED, name="城西中学食堂", grade=grade)
    yield from (supplier(-10, "2026-12-10"), supplier(200.5, "2027-12-10"))
    for index in range(2):
        yield operator(-10, f"street-{index}", "dining_street", STREETS)
    yield operator(250.5, "street-2", "dining_street", STREETS)
    yield from (cook(-10, "2026-11-20"), cook(240.5, "2027-11-20"))
    tomorrow = at(1440 + 100)
    yield banquet(-9.5, "b-guided", tomorrow, 100, cook_id="cook-1")
    yield banquet(160.5, "b-guided", tomorrow, 100, cook_id="cook-1", status="guided", guided_at=at(160).isoformat())
    yield banquet(-9.5, "b-small", at(300), 99, cook_id="cook-1")
    yield banquet(-9.5, "b-missed", at(200), 120, cook_id="cook-1")
    yield banquet(-9.5, "b-great", at(2000), 300, cook_id="cook-1", guided_at=at(-100).isoformat())
    yield banquet(-9.5, "b-299", at(2000), 299, guided_at=at(-100).isoformat())
    yield from (finding(60.5, "RODENT", "raw"), finding(65.5, "RODENT", "confirmed"))
    yield finding(120.5, "RODENT", "closed", closed_at=at(120).isoformat())
    yield from (finding(70.5, "OPEN_FIRE", "confirmed"), finding(75.5, "OPEN_FIRE", "false_positive"))
    yield finding(70.5, "SMOKING", "confirmed")


def _city_and(code: str, place: str, window: str, expected: tuple[Expected, ...], says: tuple[str, ...]) -> list[Story]:
    """The city's story, which one town makes alone and so is held back."""
    return [
        Story(f"{code}.city.330681.{window}", expected, says),
        Story(f"{code}.town.{place}.{window}", expected, sent=False),
    ]


_BUILT: Final = (("pending", 61, "8/10/1"), ("firing", 71, "8/10/1"), ("resolved", 191, "10/10/0"))
_ONLINE: Final = (
    ("pending", 85, "11/12/0"), ("firing", 95, "9/12/0"), ("resolved", 176, "11/11/0"), ("pending", 305, "11/12/0"),
)  # fmt: skip
_GRADED: Final = (("pending", 181, "1/0/0"), ("firing", 191, "1/0/0"), ("resolved", 311, "0/0/0"))
STATES: Final = (
    *_city_and("kitchen_build", BUILT, "now", _BUILT, ("80.0%（8/10，其中未知1）", "小吃0号", "小吃9号")),
    Story("kitchen_build.platform.jd.now", _BUILT, sent=False),
    *_city_and("camera_online", SCHOOL, "1h", _ONLINE, ("75.0%（9/12）", "城东小学食堂")),
    *_city_and("school_grade_c", GRADED, "now", _GRADED, ("1个", "≤0", "城西中学食堂")),
    *_city_and("no_data", SCHOOL, "10m.yangguang.camera", (("firing", 308, "0/0/0"),), ("阳光厨房摄像头数据中断",)),
    Story(
        "dining_streets.city.330681.now",
        (("pending", -9, "2/0/0"), ("firing", 1, "2/0/0"), ("resolved", 261, "3/0/0")),
        ("2个", "≥3"),
    ),
)


def _event(
    code: str, place: str, subject: str, fires: int, over: int, says: tuple[str, ...], fires_again: int | None = None
) -> Story:
    expected = (("firing", fires, "0/0/0"), ("resolved", over, "0/0/0"))
    more = () if fires_again is None else (("firing", fires_again, "0/0/0"),)
    return Story(f"{code}.town.{place}.{subject}", expected + more, says)


EVENTS: Final = (
    _event("finding_critical", FOUND, "f-RODE", 66, 121, ("小吃0号", "鼠患", "派人到现场")),
    _event("finding_critical", FOUND, "f-OPEN", 71, 76, ("小吃0号", "明火")),
    _event("banquet_unguided", BANQUETS, "b-guided", 100, 161, ("2026-11-21 11:40", "100")),
    _event("banquet_unguided", BANQUETS, "b-missed", -9, 200, ("2026-11-20 13:20", "120")),
    _event("banquet_cook_uncertified", BANQUETS, "b-great", -9, 241, ("cook-1", "健康证有效期至：2026-11-20")),
    _event("school_camera_dark", SCHOOL, "cam-school", 95, 115, ("城东小学食堂", "11:20"), fires_again=315),
    _event("supplier_certificate_ending", SUPPLIED, "sup-1", -9, 201, ("越州配餐", "2026-12-10")),
)
STORIES: Final = (*SEALS, SILENCE, *STATES, *EVENTS)
