"""Records that must not be accepted, each with the first reason that holds."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    MEASURE,
    OPERATOR,
    ORDER,
    RECORD,
    STREAM_OF,
    STREAMS,
    Record,
)

MAX_BYTES: Final = 65_536
Json = dict[str, Any]


def dump(event: Any) -> bytes:
    """An event as a producer writes it."""
    return json.dumps(event, ensure_ascii=False).encode()


def broken(event: Json, chance: Random) -> Record:
    """The event with one fault, or with several of which the first is known."""
    copy: Json = json.loads(json.dumps(event))
    reason, fault = chance.choice(_FAULTS)
    value = fault(copy, chance)
    topic = STREAM_OF.get(str(copy.get("type")), STREAM_OF[event["type"]])
    if reason == "wrong_topic":
        topic = chance.choice([one for one in STREAMS if one != topic])
    return Record(topic, dump(copy) if value is _AS_CHANGED else value, reason)


_AS_CHANGED: Final = b"as changed"
Fault = Callable[[Json, Random], bytes | None]


def _set(*path: str, to: Any) -> Fault:
    def fault(event: Json, _: Random) -> bytes:
        place = event
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = to
        return _AS_CHANGED

    return fault


def _without(*path: str) -> Fault:
    def fault(event: Json, _: Random) -> bytes:
        place = event
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]
        return _AS_CHANGED

    return fault


def _both(*faults: Fault) -> Fault:
    def fault(event: Json, chance: Random) -> bytes | None:
        values = [one(event, chance) for one in faults]
        return next((value for value in values if value is not _AS_CHANGED), _AS_CHANGED)

    return fault


def _value(make: Callable[[Json, Random], bytes | None]) -> Fault:
    return make


def _of(kind: str, data: Json) -> Fault:
    """Another event of a known kind, for faults of its own fields."""

    def fault(event: Json, _: Random) -> bytes:
        event["type"], event["data"] = kind, json.loads(json.dumps(data))
        return _AS_CHANGED

    return fault


_TOWN: Final = "330681001"
_OPERATOR: Final = {
    "operator_id": "op-bad", "kind": "takeaway", "name": "坏记录小吃", "town_code": _TOWN, "status": "active",
    "platforms": ["meituan"],
}  # fmt: skip
_ORDER: Final = {
    "order_id": "o-bad", "operator_id": "op-1", "platform": "meituan", "town_code": _TOWN,
    "delivered_at": "2025-11-20T12:00:00+08:00", "fulfilment": "delivered", "packages": 2, "sealed_packages": 2,
    "seal_state": "intact", "evidence_level": 2,
}  # fmt: skip
_BANQUET: Final = {
    "banquet_id": "b-bad", "town_code": _TOWN, "venue": "home", "status": "filed",
    "declared_at": "2025-11-01T12:00:00+08:00", "held_at": "2025-11-20T12:00:00+08:00", "diners": 120,
    "host": {"name": "戚继光", "phone": "13900001111"},
}  # fmt: skip
_KITCHEN: Final = {"operator_id": "op-1", "town_code": _TOWN, "state": "active"}
_MEASURE: Final = {"measure_id": "m-bad", "measure": "pledge", "town_code": _TOWN, "status": "done"}
_HEARTBEAT: Final = {
    "camera_id": "c-bad", "operator_id": "op-1", "town_code": _TOWN, "online": True, "advancing": True, "picture": "ok",
}  # fmt: skip
_FINDING: Final = {
    "finding_id": "f-bad", "camera_id": "c-bad", "operator_id": "op-1", "town_code": _TOWN, "finding": "NO_MASK",
    "vendor": "海康", "review": "closed", "found_at": "2025-11-20T12:00:00+08:00",
}  # fmt: skip


def _operator(**change: Any) -> Fault:
    return _of(OPERATOR, _OPERATOR | change)


def _order(**change: Any) -> Fault:
    return _of(ORDER, _ORDER | change)


def _banquet(**change: Any) -> Fault:
    return _of(RECORD, _BANQUET | change)


_FAULTS: Final[list[tuple[str, Fault]]] = [
    ("too_large", _value(lambda event, _: dump(event).ljust(MAX_BYTES + 1))),
    ("too_large", _value(lambda _, __: b"{" * (MAX_BYTES + 1))),
    ("not_json", _value(lambda _, __: None)),
    ("not_json", _value(lambda _, __: b"")),
    ("not_json", _value(lambda event, chance: dump(event)[: chance.randrange(1, 40)])),
    ("not_json", _value(lambda event, _: b"\xef\xbb\xbf" + dump(event))),
    ("not_json", _value(lambda event, _: dump(event).replace(b'"specversion"', b'"\xff\xfe":1,"specversion"'))),
    ("not_json", _value(lambda event, _: dump({**event, "trace": 0.5}).replace(b"0.5", b"NaN"))),
    ("not_json", _value(lambda event, _: dump({**event, "trace": 0.5}).replace(b"0.5", b"-Infinity"))),
    ("not_cloudevent", _value(lambda event, _: dump([event]))),
    ("not_cloudevent", _value(lambda _, __: b'"text"')),
    ("not_cloudevent", _value(lambda event, _: dump(event["data"]))),
    ("not_cloudevent", _without("id")),
    ("not_cloudevent", _without("source")),
    ("not_cloudevent", _without("type")),
    ("not_cloudevent", _set("specversion", to="0.3")),
    ("not_cloudevent", _set("id", to="")),
    ("not_cloudevent", _set("id", to=7)),
    ("not_cloudevent", _set("id", to="x" * 129)),
    ("not_cloudevent", _set("id", to="a\u0007b")),
    ("not_cloudevent", _set("source", to="s" * 257)),
    ("not_cloudevent", _both(_set("source", to=None), _set("type", to="nobody.knows.v9"), _set("time", to="never"))),
    ("unknown_type", _set("type", to="yangguang.seal.order.v2")),
    ("unknown_type", _both(_set("type", to="com.example.other"), _set("time", to="never"))),
    ("wrong_topic", _set("subject", to="elsewhere")),
    ("missing_field", _without("time")),
    ("missing_field", _without("data")),
    ("bad_value", _set("time", to="2025-11-20T12:00:00")),
    ("bad_value", _set("time", to="1999-12-31T23:59:59Z")),
    ("bad_value", _set("time", to=1_763_611_200)),
    ("bad_value", _set("time", to="2025-02-30T12:00:00Z")),
    ("bad_value", _set("data", to=[1])),
    ("bad_value", _both(_set("data", "typo", to=1), _set("time", to="2025-11-20 noon"))),
    ("future_time", _set("time", to="2094-01-01T00:00:00Z")),
    ("future_time", _both(_set("data", "typo", to=1), _set("time", to="2094-01-01T00:00:00+08:00"))),
    ("unknown_field", _set("data", "typo", to=1)),
    ("unknown_field", _both(_order(order_id="", packages="2"), _set("data", "Platform", to="jd"))),
    ("unknown_field", _banquet(host={"name": "戚继光", "mobile": "13900001111"})),
    ("unknown_field", _operator(certificates=[{"scheme": "HACCP", "valid_until": "2026-01-01", "by": "x"}])),
    ("unknown_field", _of(MEASURE, _MEASURE | {"count": 3})),
    ("missing_field", _both(_operator(town_code="nowhere", status=3), _without("data", "kind"))),
    ("missing_field", _both(_order(), _without("data", "evidence_level"))),
    ("missing_field", _operator(open_hours=[{"from": "09:00"}])),
    ("missing_field", _both(_of(MEASURE, _MEASURE), _without("data", "measure"))),
    ("bad_value", _operator(status=None)),
    ("bad_value", _operator(director=1)),
    ("bad_value", _operator(officers="3")),
    ("bad_value", _operator(officers=-1)),
    ("bad_value", _operator(platforms=["meituan", "amazon"])),
    ("bad_value", _operator(name="   ")),
    ("bad_value", _operator(name="长" * 257)),
    ("bad_value", _operator(extensions={"note": "x" * 4090})),
    ("bad_value", _operator(extensions="text")),
    ("bad_value", _operator(open_hours=[{"from": "9:00", "to": "25:00"}])),
    ("bad_value", _operator(training_valid_until="2026-13-01")),
    ("bad_value", _order(packages=3.0)),
    ("bad_value", _order(packages=0, sealed_packages=0)),
    ("bad_value", _order(packages=51, sealed_packages=1)),
    ("bad_value", _order(sealed_packages=3)),
    ("bad_value", _order(evidence_level=5)),
    ("bad_value", _order(fulfilment="Delivered")),
    ("bad_value", _order(seal_state="")),
    ("bad_value", _order(delivered_at="2025-11-20T12:00:00")),
    ("bad_value", _order(platform="amazon", town_code="330681999")),
    ("bad_value", _banquet(diners=20_001)),
    ("bad_value", _banquet(host={"name": 3})),
    ("bad_value", _of(KITCHEN, _KITCHEN | {"state": "built"})),
    ("bad_value", _of(MEASURE, _MEASURE | {"status": "finished"})),
    ("bad_value", _of(MEASURE, _MEASURE | {"due_at": "2025-11-20"})),
    ("bad_value", _of(HEARTBEAT, _HEARTBEAT | {"online": 1})),
    ("bad_value", _of(HEARTBEAT, _HEARTBEAT | {"picture": "fine"})),
    ("bad_value", _of(FINDING, _FINDING | {"closed_at": "soon"})),
    ("bad_value", _banquet(samples_retained="yes")),
    ("bad_value", _operator(certificates=[{"scheme": "ISO9001", "valid_until": "2026-01-01"}])),
    ("bad_identifier", _order(order_id="")),
    ("bad_identifier", _order(order_id="o 1")),
    ("bad_identifier", _order(order_id="订单-1")),
    ("bad_identifier", _order(operator_id="x" * 65)),
    ("bad_identifier", _order(town_code="330681999")),
    ("bad_identifier", _of(MEASURE, _MEASURE | {"measure_id": "m 1"})),
    ("bad_identifier", _operator(uscc="92330681MA2ABCDE1X")),
    ("bad_identifier", _operator(license_kind="food_license", license_no="JY4330681000123")),
    ("bad_identifier", _operator(license_kind="food_license", license_no="JY2330681000123")),
]

REASONS: Final = sorted({reason for reason, _ in _FAULTS})
