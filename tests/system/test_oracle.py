"""The oracle itself, where a pencil can check it. Times are Shanghai's, on 20 November 2025 unless said."""

from typing import Any, Final

import pytest

from tests.system.broken import dump
from tests.system.oracle import Oracle
from tests.system.oracle_events import moment
from tests.system.oracle_indicators import INDICATORS, Rate, status, wilson
from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    MEASURE,
    OPERATOR,
    ORDER,
    RECORD,
    STREAM_OF,
    VILLAGE,
    Record,
)

Json = dict[str, Any]

TOWN: Final = "330681001"
_WHOLE: Final[dict[str, Json]] = {
    OPERATOR: {"operator_id": "op", "kind": "takeaway", "name": "小吃", "status": "active", "platforms": ["jd"]},
    VILLAGE: {"village_id": "v", "name": "枫桥村"},
    MEASURE: {"measure_id": "m", "measure": "supervision_visit", "status": "done"},
    KITCHEN: {"operator_id": "op", "state": "active"},
    HEARTBEAT: {"camera_id": "c", "operator_id": "op", "online": True, "advancing": True, "picture": "ok"},
    FINDING: {"finding_id": "f", "camera_id": "c", "operator_id": "op", "finding": "NO_MASK", "vendor": "海康",
              "review": "closed", "found_at": "2025-11-19T12:00:00+08:00"},
    RECORD: {"banquet_id": "b", "venue": "home", "status": "held", "declared_at": "2025-11-17T12:00:00+08:00",
             "held_at": "2025-11-20T12:00:00+08:00", "diners": 100, "host": {}},
    ORDER: {"order_id": "o", "operator_id": "op", "platform": "jd", "delivered_at": "2025-11-20T12:00:00+08:00",
            "fulfilment": "delivered", "packages": 2, "sealed_packages": 2, "seal_state": "intact",
            "evidence_level": 2},
}  # fmt: skip


def at(text: str) -> str:
    """A time of the day, or with its date, as an event has it."""
    return f"{text if 'T' in text else '2025-11-20T' + text}+08:00"


class Log:
    """Records one after the other, each under an id of its own unless it is named."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def tell(self, event_type: str, time: str, name: str = "", source: str = "/one", /, **change: Any) -> None:
        """One more event."""
        event = {
            "specversion": "1.0", "id": name or f"e-{len(self.records)}", "source": source, "type": event_type,
            "time": at(time), "data": _WHOLE[event_type] | {"town_code": TOWN} | change,
        }  # fmt: skip
        self.records.append(Record(STREAM_OF[event_type], dump(event)))

    def oracle(self, clock: str = "18:00:30") -> Oracle:
        """What follows when the clock is at a time, which a cancelled order tells."""
        self.tell(ORDER, clock, order_id="clock", fulfilment="cancelled")
        return Oracle(self.records)


def city(oracle: Oracle, code: str, start: str, end: str) -> Rate:
    """The rate of the city over a span."""
    return oracle.between(code, moment(at(start)), moment(at(end))).get((code, "city", "330681"), Rate())


def stock(oracle: Oracle, code: str, minute: str) -> Rate:
    """The rate of the city at a minute."""
    return city(oracle, code, minute, minute)


def test_as_of_is_the_minute_that_was_over_a_minute_ago() -> None:
    assert Log().oracle("18:00:30").as_of == moment(at("17:59:00"))
    assert Log().oracle("18:00:00").as_of == moment(at("17:59:00"))
    assert Log().oracle("17:59:59.999999").as_of == moment(at("17:58:00"))


def test_of_one_identity_the_later_event_counts_and_the_other_never_came() -> None:
    log = Log()
    log.tell(KITCHEN, "10:00:00", "k", state="active")
    log.tell(KITCHEN, "10:00:00", "k", state="degraded")
    log.tell(KITCHEN, "09:00:00", "k", state="withdrawn")
    log.tell(KITCHEN, "10:00:00", "k", "/another", state="none")
    oracle = log.oracle()
    assert [one.data["state"] for one in oracle.events if one.type == KITCHEN] == ["degraded", "none"]
    assert oracle.current(KITCHEN)["op"].data["state"] == "degraded"  # one time and one id: the greater source


COOK: Final = {"operator_id": "cook", "kind": "banquet_cook", "training_valid_until": "2025-11-20",
               "health_valid_until": "2025-11-21"}  # fmt: skip
SPANS: Final = {
    "an hour": ([("09:00", "10:00")], 11),  # the slot of the first heartbeat is not expected
    "off the grid": ([("09:01", "10:01")], 12),  # 09:05 to 10:00
    "two that overlap": ([("09:00", "09:30"), ("09:20", "10:00")], 11),
    "all day": ([("00:00", "00:00")], 11 + 12 * 8 - 1),  # to 17:55; the last slot is not over at 17:59
    "past midnight": ([("22:00", "09:15")], 2),  # 09:05, 09:10
    "none": ([], 0),
}


@pytest.mark.parametrize(("spans", "slots"), SPANS.values(), ids=SPANS)
def test_slots_are_expected_where_they_begin_in_business_hours(spans: list[tuple[str, str]], slots: int) -> None:
    log = Log()
    log.tell(OPERATOR, "08:00:00", open_hours=[{"from": one, "to": other} for one, other in spans])
    log.tell(HEARTBEAT, "09:02:00")
    assert city(log.oracle(), "camera_online", "00:00:00", "17:59:00") == Rate(0, slots, 0)


def _beats() -> Log:
    log = Log()
    log.tell(OPERATOR, "08:00:00", open_hours=[{"from": "09:00", "to": "10:00"}])
    log.tell(HEARTBEAT, "09:04:59.999999")  # the first
    log.tell(HEARTBEAT, "09:05:00")
    log.tell(HEARTBEAT, "09:14:59.999999", picture="blurred")
    log.tell(HEARTBEAT, "09:15:00", picture="frozen")
    log.tell(HEARTBEAT, "09:20:00", online=False)
    log.tell(HEARTBEAT, "09:21:00")
    log.tell(HEARTBEAT, "09:25:00", advancing=False)
    log.tell(HEARTBEAT, "10:00:00")  # out of hours
    return log


def test_a_slot_is_healthy_when_any_of_its_heartbeats_is() -> None:
    oracle = _beats().oracle()
    assert city(oracle, "camera_online", "09:00:00", "11:00:00") == Rate(3, 11, 0)  # 09:05, 09:10, 09:20
    assert city(oracle, "camera_online", "09:06:00", "09:25:00") == Rate(2, 3, 0)  # only what lies wholly inside
    assert city(oracle, "camera_online", "09:20:00", "09:24:00") == Rate()
    slots = {key[3]: rate for key, rate in oracle.history().items() if key[:2] == ("camera_online", "city")}
    assert len(slots) == 11
    assert slots[moment(at("09:20:00"))] == Rate(1, 1, 0)


def test_slots_follow_the_first_heartbeat_and_the_operator_and_town_of_the_last() -> None:
    log = _beats()
    log.tell(HEARTBEAT, "2025-11-19T09:40:00", town_code="330681002")  # late: 09:45 to 09:55 of that day, and 09:00
    span = ("camera_online", "2025-11-19T00:00:00", "17:59:00")
    assert city(log.oracle(), *span) == Rate(4, 3 + 12, 0)
    hours = [{"from": "09:00", "to": "09:30"}]
    log.tell(OPERATOR, "08:00:00", operator_id="other", open_hours=hours)
    log.tell(HEARTBEAT, "12:00:00", operator_id="other", town_code="330681003")
    oracle = log.oracle()
    (unit,) = oracle.units("camera_online", 0, oracle.as_of)
    assert unit.scopes == (("city", "330681"), ("town", "330681003"))
    assert city(oracle, *span) == Rate(4, 6, 0)
    log.tell(OPERATOR, "13:00:00", operator_id="other", status="closed", open_hours=hours)
    assert city(log.oracle(), *span) == Rate()
    log.tell(HEARTBEAT, "14:00:00", operator_id="nobody")
    assert city(log.oracle(), *span) == Rate()


def banquets(*changes: Json) -> dict[str, Rate]:
    """The four rates of banquets that are held at noon."""
    log = Log()
    for number, change in enumerate(changes):
        log.tell(RECORD, "08:00:00", **{"banquet_id": f"b-{number}", **change})
    log.tell(OPERATOR, "08:00:00", **COOK)
    oracle = log.oracle()
    codes = ("banquet_filed", "banquet_guided", "banquet_cook_certified", "banquet_samples")
    return {code.removeprefix("banquet_"): city(oracle, code, "11:00:00", "13:00:00") for code in codes}


BANQUETS: Final[dict[str, tuple[Json, dict[str, Rate]]]] = {
    "bare": ({}, {"filed": Rate(1, 1, 0), "guided": Rate(0, 1, 0), "samples": Rate(0, 1, 1)}),
    "72 hours": ({"declared_at": at("2025-11-17T12:00:00")}, {"filed": Rate(1, 1, 0)}),
    "a microsecond less": ({"declared_at": at("2025-11-17T12:00:00.000001")}, {"filed": Rate(0, 1, 0)}),
    "99 diners": ({"diners": 99}, {"filed": Rate(), "samples": Rate()}),
    "guided at the meal": ({"guided_at": at("12:00:00")}, {"guided": Rate(0, 1, 0)}),
    "guided just before": ({"guided_at": at("11:59:59.999999")}, {"guided": Rate(1, 1, 0)}),
    "no cook": ({}, {"cook_certified": Rate(0, 1, 1)}),
    "a cook": ({"cook_id": "cook"}, {"cook_certified": Rate(1, 1, 0)}),
    "a cook that nobody knows": ({"cook_id": "x"}, {"cook_certified": Rate(0, 1, 0)}),
    "retained": ({"samples_retained": True}, {"samples": Rate(1, 1, 0)}),
    "not retained": ({"samples_retained": False}, {"samples": Rate(0, 1, 0)}),
    "filed only": ({"status": "filed", "samples_retained": True}, {"filed": Rate(1, 1, 0), "samples": Rate()}),
    "draft": ({"status": "draft"}, {"filed": Rate(), "samples": Rate()}),
    "returned": ({"status": "returned"}, {"filed": Rate(1, 1, 0)}),
    "cancelled": ({"status": "cancelled"}, {"guided": Rate()}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rates"), BANQUETS.values(), ids=BANQUETS)
def test_a_banquet_counts_as_its_current_record_says(change: Json, rates: dict[str, Rate]) -> None:
    actual = banquets(change)
    assert {name: actual[name] for name in rates} == rates


def test_a_correction_moves_a_banquet_and_a_cook_is_judged_on_the_day_of_the_meal() -> None:
    moved = {"banquet_id": "b", "cook_id": "cook"}
    assert banquets(moved, moved | {"held_at": at("18:00:00")})["filed"] == Rate()
    log = Log()
    log.tell(RECORD, "08:00:00", cook_id="cook", held_at=at("2025-11-21T00:00:00"))
    log.tell(OPERATOR, "08:00:00", **COOK)
    code, span = "banquet_cook_certified", ("2025-11-20T23:59:00", "2025-11-21T00:01:00")
    assert city(log.oracle(), code, *span) == Rate(0, 1, 0)
    log.tell(RECORD, "09:00:00", cook_id="cook", held_at=at("2025-11-20T23:59:59.999999"))
    assert city(log.oracle(), code, *span) == Rate(1, 1, 0)


def test_what_is_due_counts_when_it_was_done_by_then() -> None:
    log = Log()
    due = at("12:00:00")
    for number, done in enumerate((None, due, at("12:00:00.000001"))):
        for review in ("raw", "confirmed", "false_positive", "closed"):
            finding = f"f-{number}-{review}"
            log.tell(FINDING, "13:00:00", finding_id=finding, review=review, due_at=due, closed_at=done)
        for state in ("due", "done", "void"):
            log.tell(MEASURE, "13:00:00", measure_id=f"m-{number}-{state}", status=state, due_at=due, done_at=done)
    log.tell(FINDING, "13:00:00", finding_id="without", closed_at=due)
    log.tell(MEASURE, "13:00:00", measure_id="without", done_at=due)
    log.tell(MEASURE, "13:00:00", measure_id="another", measure="pledge", due_at=due, done_at=due)
    oracle = log.oracle()
    assert city(oracle, "finding_closure", "12:00:00", "12:01:00") == Rate(1, 6, 0)
    assert city(oracle, "supervision_visits", "12:00:00", "12:01:00") == Rate(1, 6, 0)
    assert stock(oracle, "pledges_signed", "13:00:00") == Rate()
    assert stock(oracle, "pledges_signed", "13:01:00") == Rate(1, 1, 0)


def test_a_village_is_served_while_its_canteen_is_an_active_one() -> None:
    log = Log()
    for canteen in ("op", "nobody", None):
        log.tell(VILLAGE, "08:00:00", village_id=f"v-{canteen}", served_by=canteen)
    log.tell(OPERATOR, "09:00:00", kind="caring_canteen")
    log.tell(OPERATOR, "10:00:00", kind="caring_canteen", status="suspended")
    log.tell(OPERATOR, "11:00:00", kind="workplace_canteen")
    oracle = log.oracle()
    served = [stock(oracle, "caring_canteen_villages", f"{hour}:30:00").numerator for hour in ("08", "09", "10", "11")]
    assert served == [0, 1, 0, 0]
    assert stock(oracle, "caring_canteen_villages", "09:00:00") == Rate(0, 3, 0)  # the event at 09:00 is not before it


def test_a_certificate_holds_to_the_end_of_its_day_in_shanghai() -> None:
    log = Log()
    day = {"scheme": "HACCP", "valid_until": "2025-11-19"}
    log.tell(OPERATOR, "2025-11-10T08:00:00", kind="school_supplier", certificates=[day])
    oracle = log.oracle()
    assert stock(oracle, "supplier_certified", "2025-11-19T23:59:00") == Rate(1, 1, 0)
    assert stock(oracle, "supplier_certified", "2025-11-20T00:00:00") == Rate(0, 1, 0)
    assert moment(at("2025-11-20T00:00:00")) in oracle.stock_minutes


def test_an_order_makes_a_takeaway_operator_active_for_thirty_days() -> None:
    log = Log()
    log.tell(OPERATOR, "2025-10-01T08:00:00")
    log.tell(ORDER, "2025-10-20T12:00:00", delivered_at=at("2025-10-20T12:00:00"), fulfilment="pickup")
    oracle = log.oracle()
    minutes = ("2025-10-20T12:00:00", "2025-10-20T12:01:00", "2025-11-19T12:00:00", "2025-11-19T12:01:00")
    assert [stock(oracle, "kitchen_build", minute).denominator for minute in minutes] == [0, 1, 1, 0]
    assert stock(oracle, "kitchen_build", "2025-11-19T12:00:00") == Rate(0, 1, 1)
    assert stock(Oracle(log.records, active_days=0), "kitchen_build", "17:00:00") == Rate(0, 1, 1)


def test_an_order_takes_its_seal_from_the_best_evidence_and_the_rest_from_the_latest_event() -> None:
    log = Log()
    log.tell(ORDER, "12:00:00", platform="eleme", evidence_level=3, seal_state="broken")
    log.tell(ORDER, "12:05:00", platform="jd", evidence_level=1, seal_state="intact")
    (unit,) = log.oracle().units("seal_coverage", moment(at("11:00:00")), moment(at("13:00:00")))
    assert (unit.numerator, unit.denominator, unit.unknown) == (0, 1, 0)
    assert ("platform", "jd") in unit.scopes
    assert [one.data["platform"] for one in unit.events] == ["jd", "eleme"]


def test_staff_grades_and_kitchens_count_for_active_operators_of_the_kind() -> None:
    log = Log()
    kinds = {"elder": "eldercare_canteen", "unit": "delivery_unit", "cook": "banquet_cook", "street": "dining_street"}
    for name, kind in kinds.items():
        log.tell(OPERATOR, "08:00:00", operator_id=name, kind=kind, grade="B", director=True, officers=1)
        log.tell(KITCHEN, "08:00:00", operator_id=name)
        log.tell(OPERATOR, "08:00:00", operator_id=f"{name}-closed", kind=kind, status="closed")
    log.tell(OPERATOR, "08:00:00", operator_id="unit-2", kind="delivery_unit", director=True, officers=0)
    oracle = log.oracle()
    expected = {
        "eldercare_kitchens": Rate(1, 0, 0), "eldercare_grade_ab": Rate(1, 0, 0), "dining_streets": Rate(1, 0, 0),
        "delivery_unit_grade_b": Rate(1, 2, 1), "staffing": Rate(2, 3, 0), "cook_certified": Rate(0, 1, 0),
    }  # fmt: skip
    assert {code: stock(oracle, code, "09:00:00") for code in expected} == expected


STATUSES: Final = [
    ("kitchen_build", 9, 10, "ok"), ("kitchen_build", 8, 10, "below"), ("kitchen_build", 0, 0, ""),
    ("seal_coverage", 29, 29, "low_sample"), ("seal_coverage", 27, 30, "ok"), ("seal_evidence", 0, 30, "ok"),
    ("cook_companies", 0, 0, "ok"), ("school_grade_c", 0, 0, "ok"), ("school_grade_c", 1, 0, "below"),
    ("eldercare_kitchens", 0, 0, "below"), ("eldercare_kitchens", 14, 0, "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "numerator", "denominator", "word"), STATUSES)
def test_a_rate_is_judged_by_its_target_and_floor(code: str, numerator: int, denominator: int, word: str) -> None:
    assert status(INDICATORS[code], Rate(numerator, denominator)) == word


def test_wilson_bounds_are_those_of_the_tables() -> None:
    assert wilson(8, 10, -1) == pytest.approx(0.4902, abs=1e-4)
    assert wilson(8, 10, 1) == pytest.approx(0.9433, abs=1e-4)
