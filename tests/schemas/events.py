"""Sample events of every type, and a short way to say what one test changes in one."""

import copy
import json
from datetime import UTC, datetime
from typing import Any, Final

from schemas.decode import Decoder
from schemas.event import Event
from schemas.reject import Reason, Rejection

LATEST: Final = datetime(2026, 11, 23, 4, 5, tzinfo=UTC)
"""The greatest acceptable time: five minutes after the clock of these tests, 2026-11-23 12:00 in Shanghai."""

TIME: Final = "2026-11-23T12:00:31.250+08:00"

OPERATOR: Final = "yangguang.registry.operator.v1"
VILLAGE: Final = "yangguang.registry.village.v1"
MEASURE: Final = "yangguang.registry.measure.v1"
HEARTBEAT: Final = "yangguang.camera.heartbeat.v1"
FINDING: Final = "yangguang.camera.finding.v1"
KITCHEN: Final = "yangguang.camera.kitchen.v1"
BANQUET: Final = "yangguang.banquet.record.v1"
ORDER: Final = "yangguang.seal.order.v1"

TOPICS: Final = {
    OPERATOR: "yangguang.registry",
    VILLAGE: "yangguang.registry",
    MEASURE: "yangguang.registry",
    HEARTBEAT: "yangguang.camera",
    FINDING: "yangguang.camera",
    KITCHEN: "yangguang.camera",
    BANQUET: "yangguang.banquet",
    ORDER: "yangguang.seal",
}

REQUIRED: Final[dict[str, dict[str, Any]]] = {
    OPERATOR: {
        "operator_id": "op-1",
        "kind": "takeaway",
        "name": "同山烧饼店",
        "town_code": "330681001",
        "status": "active",
    },
    VILLAGE: {"village_id": "v-1", "name": "斯宅村", "town_code": "330681124"},
    MEASURE: {"measure_id": "m-1", "measure": "supervision_visit", "town_code": "330681001", "status": "due"},
    HEARTBEAT: {
        "camera_id": "33068100001320000001",
        "operator_id": "op-1",
        "town_code": "330681001",
        "online": True,
        "advancing": True,
        "picture": "ok",
    },
    FINDING: {
        "finding_id": "f-1",
        "camera_id": "c-1",
        "operator_id": "op-1",
        "town_code": "330681001",
        "finding": "NO_MASK",
        "vendor": "海康",
        "review": "raw",
        "found_at": TIME,
    },
    KITCHEN: {"operator_id": "op-1", "town_code": "330681001", "state": "active"},
    BANQUET: {
        "banquet_id": "b-1",
        "town_code": "330681001",
        "venue": "home",
        "status": "filed",
        "declared_at": TIME,
        "held_at": "2026-11-28T18:00:00+08:00",
        "diners": 180,
        "host": {"name": "张三丰", "phone": "13800138000"},
    },
    ORDER: {
        "order_id": "o-1001",
        "operator_id": "op-1",
        "platform": "meituan",
        "town_code": "330681001",
        "delivered_at": TIME,
        "fulfilment": "delivered",
        "packages": 2,
        "sealed_packages": 2,
        "seal_state": "intact",
        "evidence_level": 2,
    },
}
"""Of every type the data with its required fields only."""

OPTIONAL: Final[dict[str, dict[str, Any]]] = {
    OPERATOR: {
        "platforms": ["meituan", "jd"],
        "license_kind": "food_license",
        "license_no": "JY23306810001236",
        "uscc": "92330681MA2ABCDE1T",
        "grade": "B",
        "certificates": [{"scheme": "HACCP", "valid_until": "2027-01-31"}],
        "director": True,
        "officers": 2,
        "accepted": ["6H", "nutrition"],
        "open_hours": [{"from": "10:00", "to": "02:00"}],
        "training_valid_until": "2027-01-31",
        "health_valid_until": "2026-12-31",
        "person": {"name": "李四光", "phone": "13900139000"},
    },
    VILLAGE: {"served_by": "op-9"},
    MEASURE: {
        "operator_id": "op-1",
        "due_at": "2026-11-30T18:00:00+08:00",
        "done_at": "2026-11-23T11:40:00+08:00",
    },
    HEARTBEAT: {},
    FINDING: {
        "vendor_code": "606",
        "confidence": 0.93,
        "due_at": "2026-11-24T12:00:00+08:00",
        "closed_at": "2026-11-24T11:00:00+08:00",
        "zone": "切配间",
        "snapshot_uri": "https://pictures.example/1",
    },
    KITCHEN: {"reason": "首次审核通过"},
    BANQUET: {
        "village_id": "v-1",
        "tables": 18,
        "cook_id": "op-7",
        "guided_at": "2026-11-28T15:00:00+08:00",
        "samples_retained": True,
    },
    ORDER: {"code": "S-77", "photo_uri": "https://pictures.example/2"},
}
"""Of every type all optional fields but `extensions`."""

ABSENT: Final = object()
"""As a value: the field is left out."""


def whole(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A valid event of this type with all its fields. Changes replace, add or (ABSENT) leave out fields of `data`."""
    return _event(kind, {**REQUIRED[kind], **OPTIONAL[kind]}, changes)


def least(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A valid event of this type with its required fields only, changed likewise."""
    return _event(kind, REQUIRED[kind], changes)


def _event(kind: str, data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    data = {name: value for name, value in (copy.deepcopy(data) | changes).items() if value is not ABSENT}
    return {"specversion": "1.0", "id": "01JD9ZK3-7", "source": "/platform/meituan", "type": kind, "time": TIME,
            "data": data}  # fmt: skip


def attributes(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The event with other CloudEvents attributes; ABSENT leaves one out."""
    return {name: value for name, value in (event | changes).items() if value is not ABSENT}


def to_bytes(event: object) -> bytes:
    """The event as it goes over the wire."""
    return json.dumps(event, ensure_ascii=False).encode()


def judge(event: object, topic: str | None = None) -> Event | Rejection:
    """What becomes of an event, given as an object or as bytes, at the clock of these tests."""
    raw = event if isinstance(event, bytes) else to_bytes(event)
    return Decoder(topic).decode(raw, LATEST)


def accepted(event: object, topic: str | None = None) -> Event:
    """The accepted event; fails where it is rejected."""
    outcome = judge(event, topic)
    assert isinstance(outcome, Event), outcome
    return outcome


def reason(event: object, topic: str | None = None) -> Reason:
    """Why the event is rejected; fails where it is accepted."""
    outcome = judge(event, topic)
    assert isinstance(outcome, Rejection), f"accepted: {outcome!r}"
    return outcome.reason


def kept(kind: str, /, **changes: Any) -> Any:
    """The value of the one changed field of a valid event after it was accepted."""
    (name,) = changes
    return getattr(accepted(whole(kind, **changes)).data, name)
