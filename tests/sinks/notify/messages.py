"""Messages to send."""

from typing import Any

from sinks.notify.envelope import Line, Link, Message

LINK = Link("查看", "https://food.example.gov.cn/alerts/5b1f6c0e")


def message(**given: Any) -> Message:
    """A rate that fires, with what is given instead."""
    usual: dict[str, Any] = {
        "id": "5b1f6c0e9d3a4f2784c1e0a9b6d75f32",
        "kind": "alert",
        "state": "firing",
        "severity": "critical",
        "title": "诸暨市阳光厨房建设率低于要求",
        "text": "诸暨市外卖商家阳光厨房建设率当前87.8%（3160/3599），目标90.0%，低于要求。",
        "lines": (Line("目标", "90.0%"), Line("当前", "87.8%（3160/3599）")),
        "links": (LINK,),
        "body": {
            "alert_id": "kitchen_build.city.330681.now",
            "transition_id": "5b1f6c0e9d3a4f2784c1e0a9b6d75f32",
            "kind": "rate",
            "indicator": "kitchen_build",
            "scope": "city",
            "scope_id": "330681",
            "window": "now",
            "subject": "",
            "to_state": "firing",
            "since": "2026-11-23T12:11:00+08:00",
            "as_of": "2026-11-23T12:11:00+08:00",
        },
    }
    return Message(**{**usual, **given})
