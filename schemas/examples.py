"""One example event of every type, in one little story: a restaurant, its kitchen, a camera, an order, a banquet.

Everything in it is made up, and persons are made up such that they can be nobody: no mobile number begins with 10."""

import copy
from typing import Any, Final

from schemas.banquet import Banquet
from schemas.camera import Finding, Heartbeat, Kitchen
from schemas.event import EventData
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.seal import Order

_OPERATOR: Final = "op-example-1"
_CANTEEN: Final = "op-example-2"
_COOK: Final = "op-example-3"
_CAMERA: Final = "33068111601320000001"
_VILLAGE: Final = "village-example-1"
_TOWN: Final = "330681116"


def _event(
    model: type[EventData], identity: str, source: str, time: str, data: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    return model.type, {
        "specversion": "1.0",
        "id": identity,
        "source": source,
        "type": model.type,
        "time": time,
        "subject": data[model.entity],
        "data": data,
    }


_EXAMPLES: Final[dict[str, dict[str, Any]]] = dict(
    (
        _event(
            Operator,
            "op-example-1/7",
            "/registry/example",
            "2026-11-23T09:00:00+08:00",
            {
                "operator_id": _OPERATOR,
                "kind": "takeaway",
                "name": "示例餐馆",
                "town_code": _TOWN,
                "status": "active",
                "platforms": ["meituan", "eleme"],
                "license_kind": "food_license",
                "license_no": "JY23306810001236",
                "uscc": "92330681MA2ABCDE1T",
                "grade": "B",
                "certificates": [{"scheme": "HACCP", "valid_until": "2027-06-30"}],
                "director": True,
                "officers": 1,
                "open_hours": [{"from": "10:00", "to": "14:00"}, {"from": "16:30", "to": "01:00"}],
                "person": {"name": "张三", "phone": "10000000001"},
            },
        ),
        _event(
            Village,
            "village-example-1/2",
            "/registry/example",
            "2026-11-23T09:05:00+08:00",
            {"village_id": _VILLAGE, "name": "示例村", "town_code": _TOWN, "served_by": _CANTEEN},
        ),
        _event(
            Measure,
            "visit-example-1/done",
            "/registry/example",
            "2026-11-23T10:30:00+08:00",
            {
                "measure_id": "visit-example-1",
                "measure": "supervision_visit",
                "town_code": _TOWN,
                "operator_id": _OPERATOR,
                "status": "done",
                "due_at": "2026-11-30T18:00:00+08:00",
                "done_at": "2026-11-23T10:20:00+08:00",
            },
        ),
        _event(
            Heartbeat,
            "33068111601320000001/2026-11-23T12:00",
            "/vendor/box-example",
            "2026-11-23T12:00:00+08:00",
            {
                "camera_id": _CAMERA,
                "operator_id": _OPERATOR,
                "town_code": _TOWN,
                "online": True,
                "advancing": True,
                "picture": "ok",
            },
        ),
        _event(
            Finding,
            "finding-example-1/confirmed",
            "/vendor/box-example",
            "2026-11-23T12:10:00+08:00",
            {
                "finding_id": "finding-example-1",
                "camera_id": _CAMERA,
                "operator_id": _OPERATOR,
                "town_code": _TOWN,
                "finding": "CHEF_HAT",
                "vendor": "box-example",
                "vendor_code": "605",
                "confidence": 0.93,
                "review": "confirmed",
                "found_at": "2026-11-23T12:03:10+08:00",
                "due_at": "2026-11-24T12:00:00+08:00",
                "zone": "切配间",
                "snapshot_uri": "https://pictures.example/finding-example-1",
            },
        ),
        _event(
            Kitchen,
            "op-example-1/kitchen/3",
            "/platform/yangguang-kitchen",
            "2026-11-23T10:15:00+08:00",
            {"operator_id": _OPERATOR, "town_code": _TOWN, "state": "active", "reason": "首次画面审核通过"},
        ),
        _event(
            Banquet,
            "banquet-example-1/declared",
            "/app/example",
            "2026-11-23T08:30:00+08:00",
            {
                "banquet_id": "banquet-example-1",
                "town_code": _TOWN,
                "village_id": _VILLAGE,
                "venue": "home",
                "status": "declared",
                "declared_at": "2026-11-23T08:30:00+08:00",
                "held_at": "2026-11-28T17:30:00+08:00",
                "diners": 180,
                "tables": 18,
                "cook_id": _COOK,
                "host": {"name": "李四", "phone": "10000000002"},
            },
        ),
        _event(
            Order,
            "order-example-1/rider",
            "/platform/meituan",
            "2026-11-23T12:00:31.250+08:00",
            {
                "order_id": "order-example-1",
                "operator_id": _OPERATOR,
                "platform": "meituan",
                "town_code": _TOWN,
                "delivered_at": "2026-11-23T11:58:00+08:00",
                "fulfilment": "delivered",
                "packages": 2,
                "sealed_packages": 2,
                "seal_state": "intact",
                "evidence_level": 2,
                "photo_uri": "https://pictures.example/order-example-1",
                "extensions": {"rider_app": "8.2"},
            },
        ),
    )
)


def example(kind: str) -> dict[str, Any]:
    """The example of that event type, the caller's own to change. Raises KeyError for what is no event type."""
    return copy.deepcopy(_EXAMPLES[kind])


def examples() -> dict[str, dict[str, Any]]:
    """The example of every event type, the caller's own to change."""
    return copy.deepcopy(_EXAMPLES)
