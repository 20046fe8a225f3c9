"""An event with several faults is rejected for the one that is looked for first."""

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any, Final, NamedTuple

import pytest

from schemas.decode import Decoder
from schemas.reject import Reason, Rejection
from tests.schemas.events import BANQUET, LATEST, OPERATOR, ORDER, TOPICS, to_bytes, whole

Change = Callable[[dict[str, Any]], None]


class Fault(NamedTuple):
    """One fault of a valid event: the reason for it, and how to make it. Faults of one `place` exclude each other."""

    reason: Reason
    place: str
    change: Change


def _set(name: str, value: object) -> Change:
    return lambda event: event.__setitem__(name, value)


def _unset(name: str) -> Change:
    return lambda event: event.__delitem__(name)


def _data(name: str, value: object) -> Change:
    return lambda event: event["data"].__setitem__(name, value) if isinstance(event.get("data"), dict) else None


def _no_data(name: str) -> Change:
    return lambda event: event["data"].pop(name) if isinstance(event.get("data"), dict) else None


IN_ORDER: Final = [
    Fault(Reason.TOO_LARGE, "size", _set("padding", "x" * 65_536)),
    Fault(Reason.NOT_JSON, "number", _set("number", 4711)),
    Fault(Reason.NOT_CLOUDEVENT, "id", _unset("id")),
    Fault(Reason.UNKNOWN_TYPE, "type", _set("type", "yangguang.seal.parcel.v1")),
    Fault(Reason.WRONG_TOPIC, "topic", lambda _: None),
    Fault(Reason.MISSING_FIELD, "time", _unset("time")),
    Fault(Reason.MISSING_FIELD, "data", _unset("data")),
    Fault(Reason.BAD_VALUE, "time", _set("time", "2026-11-23T12:00:00")),
    Fault(Reason.BAD_VALUE, "data", _set("data", None)),
    Fault(Reason.FUTURE_TIME, "time", _set("time", "2026-11-23T04:05:01Z")),
    Fault(Reason.UNKNOWN_FIELD, "unknown", _data("pakages", 1)),
    Fault(Reason.MISSING_FIELD, "operator_id", _no_data("operator_id")),
    Fault(Reason.BAD_VALUE, "name", _data("extensions", [])),
    Fault(Reason.BAD_IDENTIFIER, "town", _data("town_code", "330681999")),
]
"""Reasons in the order in which they are looked for, in events that have data with `operator_id` and `town_code`."""


def _judged(kind: str, *faults: Fault) -> Rejection:
    event = whole(kind)
    for fault in faults:
        fault.change(event)
    wrong = any(fault.reason is Reason.WRONG_TOPIC for fault in faults)
    topic = next(one for one in TOPICS.values() if (one != TOPICS[kind]) is wrong)
    raw = to_bytes(event).replace(b"4711", b"NaN")
    outcome = Decoder(topic).decode(raw, LATEST)
    assert isinstance(outcome, Rejection), "accepted"
    return outcome


@pytest.mark.parametrize("kind", [ORDER, OPERATOR])
@pytest.mark.parametrize("fault", IN_ORDER, ids=lambda fault: f"{fault.reason} {fault.place}")
def test_every_fault_alone_has_its_reason(kind: str, fault: Fault) -> None:
    assert _judged(kind, fault).reason is fault.reason


_PAIRS = [(a, b) for a, b in combinations(IN_ORDER, 2) if a.place != b.place]


@pytest.mark.parametrize("kind", [ORDER, OPERATOR])
@pytest.mark.parametrize(
    ("earlier", "later"), _PAIRS, ids=[f"{a.reason} {a.place}, {b.reason} {b.place}" for a, b in _PAIRS]
)
def test_of_two_faults_the_earlier_reason_is_given(kind: str, earlier: Fault, later: Fault) -> None:
    assert _judged(kind, earlier, later).reason is earlier.reason
    assert _judged(kind, later, earlier).reason is earlier.reason


_SEALED = Fault(Reason.BAD_VALUE, "sealed", _data("sealed_packages", 3))


def test_more_sealed_packages_than_packages_is_a_bad_value_whatever_else_is_wrong_later() -> None:
    assert _judged(ORDER, _SEALED).reason is Reason.BAD_VALUE
    for fault in IN_ORDER[10:12]:
        assert _judged(ORDER, _SEALED, fault).reason is fault.reason
    assert _judged(ORDER, _SEALED, IN_ORDER[13]).reason is Reason.BAD_VALUE


def test_a_licence_number_of_another_form_comes_after_every_other_fault() -> None:
    licence = Fault(Reason.BAD_IDENTIFIER, "licence", _data("license_no", "JY1"))
    assert _judged(OPERATOR, licence).reason is Reason.BAD_IDENTIFIER
    for fault in IN_ORDER[10:13]:
        assert _judged(OPERATOR, licence, fault).reason is fault.reason


@pytest.mark.parametrize(
    ("deep", "expected"),
    [
        ({"certificates": [{"scheme": "HACCP", "valid_until": "2027-01-31", "x": 1}], "grade": "D"}, "unknown_field"),
        ({"certificates": [{"scheme": "HACCP", "x": 1}]}, "unknown_field"),
        ({"certificates": [{"scheme": "BRC"}]}, "missing_field"),
        ({"open_hours": [{"from": "25:00", "to": "26:00"}], "town_code": "1"}, "bad_value"),
        ({"person": {"phone": 1}, "uscc": "1", "operator_id": "店"}, "bad_value"),
        ({"operator_id": 1, "town_code": "1"}, "bad_value"),
        ({"operator_id": "x" * 65}, "bad_identifier"),
    ],
)
def test_the_order_holds_at_every_depth_of_data(deep: dict[str, Any], expected: str) -> None:
    fault = Fault(Reason(expected), "data", lambda event: event["data"].update(deep))
    assert _judged(OPERATOR, fault).reason == expected


@pytest.mark.parametrize(
    ("kind", "change", "pointer"),
    [
        (ORDER, _unset("time"), "/time"),
        (ORDER, _set("id", 1), "/id"),
        (ORDER, _data("packages", "3"), "/data/packages"),
        (ORDER, _data("a/b~c", 1), "/data/a~1b~0c"),
        (OPERATOR, _data("certificates", [{"scheme": "HACCP"}]), "/data/certificates/0/valid_until"),
        (OPERATOR, _data("open_hours", [{"from": "x", "to": "10:00"}]), "/data/open_hours/0/from"),
        (OPERATOR, _data("platforms", ["jd", "uber"]), "/data/platforms/1"),
        (BANQUET, _data("host", {"name": 5}), "/data/host/name"),
        (BANQUET, _data("host", {"张三丰": 5}), "/data/host"),
    ],
)
def test_a_detail_begins_with_the_json_pointer_from_the_events_root(kind: str, change: Change, pointer: str) -> None:
    event = whole(kind)
    change(event)
    outcome = Decoder(None).decode(to_bytes(event), LATEST)
    assert isinstance(outcome, Rejection)
    assert outcome.detail.split(": ")[0] == pointer
    assert json.dumps(outcome.detail)


def test_the_reasons_are_the_published_ones() -> None:
    assert [one.value for one in Reason if one is not Reason.FUTURE_TIME] == [
        "too_large", "not_json", "not_mapped", "not_cloudevent", "unknown_type", "wrong_topic", "unknown_field",
        "missing_field", "bad_value", "bad_identifier", "not_permitted", "sink_refused",
    ]  # fmt: skip
    assert Reason.FUTURE_TIME.value == "future_time"
