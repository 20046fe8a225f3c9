"""Events for the gateway, as texts that differ in how they are written."""

import json
from typing import Any

SEAL = "yangguang.seal"
REJECTED = "yangguang.rejected"


def order(number: int, **data: Any) -> dict[str, Any]:
    """An order's event that is accepted."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/platform/meituan",
        "type": "yangguang.seal.order.v1",
        "time": "2026-11-23T12:00:31.250+08:00",
        "data": {
            "order_id": f"o-{number}",
            "operator_id": "op-1",
            "platform": "meituan",
            "town_code": "330681001",
            "delivered_at": "2026-11-23T12:00:31.250+08:00",
            "fulfilment": "delivered",
            "packages": 1,
            "sealed_packages": 1,
            "seal_state": "intact",
            "evidence_level": 2,
        }
        | data,
    }


def text(number: int, **data: Any) -> bytes:
    """The same as compact JSON."""
    return json.dumps(order(number, **data), ensure_ascii=False, separators=(",", ":")).encode()
