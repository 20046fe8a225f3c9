"""Of two events with one identity and one time the one with the greater content counts, compared as canonical JSON."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tests.system.broken import dump
from tests.system.compare import differences
from tests.system.oracle import Oracle
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
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]
Json = dict[str, Any]

_TOWN: Final = "330681001"
_WHOLE: Final[dict[str, Json]] = {
    OPERATOR: {"operator_id": "", "kind": "takeaway", "name": "小吃", "town_code": _TOWN, "status": "active"},
    KITCHEN: {"operator_id": "", "town_code": _TOWN, "state": "active"},
    FINDING: {
        "finding_id": "", "camera_id": "c-1", "operator_id": "op-1", "town_code": _TOWN, "finding": "NO_MASK",
        "vendor": "海康", "review": "raw", "found_at": "2025-11-20T12:00:00+08:00",
    },
    ORDER: {
        "order_id": "", "operator_id": "op-1", "platform": "jd", "town_code": _TOWN,
        "delivered_at": "2025-11-20T12:00:00+08:00", "fulfilment": "delivered", "packages": 10, "sealed_packages": 9,
        "seal_state": "intact", "evidence_level": 2,
    },
    RECORD: {
        "banquet_id": "", "town_code": _TOWN, "venue": "home", "status": "held", "diners": 100,
        "declared_at": "2025-11-10T12:00:00+08:00", "held_at": "2025-11-20T11:00:00+08:00", "host": {},
    },
    HEARTBEAT: {
        "camera_id": "", "operator_id": "op-1", "town_code": _TOWN, "online": True, "advancing": True, "picture": "ok",
    },
    VILLAGE: {"village_id": "", "name": "枫桥村", "town_code": _TOWN},
    MEASURE: {"measure_id": "", "measure": "pledge", "town_code": _TOWN, "status": "done"},
}  # fmt: skip
_PAIRS: Final[dict[str, tuple[str, Json, Json]]] = {
    "text": (KITCHEN, {"state": "active"}, {"state": "degraded"}),
    "text-prefix": (KITCHEN, {"reason": "cut"}, {"reason": "cut!"}),
    "text-unicode": (KITCHEN, {"reason": "断网"}, {"reason": "z"}),
    "text-quote": (KITCHEN, {"reason": 'a"b'}, {"reason": "aZb"}),
    "slash": (ORDER, {"photo_uri": "https://a/b"}, {"photo_uri": "https://aXb"}),
    "absent": (ORDER, {}, {"code": "c"}),
    "number": (ORDER, {"sealed_packages": 9}, {"sealed_packages": 10}),
    "first-field": (ORDER, {"code": "a", "platform": "other"}, {"code": "b", "platform": "jd"}),
    "moment": (ORDER, {"delivered_at": "2025-11-20T12:00:00+08:00"}, {"delivered_at": "2025-11-20T11:59:00+08:00"}),
    "list": (OPERATOR, {"platforms": ["jd", "meituan"]}, {"platforms": ["eleme", "meituan", "eleme"]}),
    "objects": (
        OPERATOR,
        {"certificates": [{"scheme": "HACCP", "valid_until": "2026-05-01"}]},
        {"certificates": [{"valid_until": "2026-06-01", "scheme": "HACCP"}]},
    ),
    "true": (OPERATOR, {"director": True}, {"director": False}),
    "extensions": (OPERATOR, {"extensions": {"b": 1, "a": 2}}, {"extensions": {"a": 1, "b": 2}}),
    "extensions-text": (OPERATOR, {"extensions": {"a": "x/y"}}, {"extensions": {"a": "xZy"}}),
    "alias": (FINDING, {"finding": "MICE"}, {"finding": "NO_MASK"}),
    "alias-same": (FINDING, {"finding": "605"}, {"finding": "CHEF_HAT"}),
    "measure": (MEASURE, {"measure": "guarantee_relation"}, {"measure": "pledge", "status": "due"}),
    "measure-moment": (
        MEASURE,
        {"measure": "supervision_visit", "due_at": "2025-11-20T11:00:00Z"},
        {"measure": "supervision_visit", "due_at": "2025-11-20T12:00:00+08:00"},
    ),
    "diners": (RECORD, {"diners": 100}, {"diners": 99}),
    "samples": (RECORD, {"samples_retained": None}, {"samples_retained": False}),
    "held-elsewhere": (RECORD, {"held_at": "2025-11-20T03:30:00Z"}, {"held_at": "2025-11-20T11:31:00+08:00"}),
    "host": (RECORD, {"host": {"name": "赵六"}}, {"host": {"name": "钱七"}}),
    "phone": (OPERATOR, {"person": {"phone": "13812345678"}}, {"person": {"phone": "13912345678"}}),
    "online": (HEARTBEAT, {"online": False}, {"online": True, "advancing": False}),
    "served": (VILLAGE, {}, {"served_by": "x-0"}),
    "confidence": (FINDING, {"confidence": 0.25}, {"confidence": 0.5}),
}


_EMPTY: Final[dict[str, tuple[str, Json, Json]]] = {
    "no-hours": (OPERATOR, {"open_hours": []}, {"open_hours": [{"from": "22:00", "to": "02:30"}]}),
    "no-certificates": (
        OPERATOR,
        {"certificates": []},
        {"certificates": [{"scheme": "HACCP", "valid_until": "2026-05-01"}]},
    ),
    "no-platforms": (OPERATOR, {"platforms": []}, {"platforms": ["jd"]}),
    "empty-or-absent": (OPERATOR, {"open_hours": [], "status": "suspended"}, {"status": "active"}),
}


def _record(number: int, kind: str, change: Json) -> Record:
    entity = next(iter(_WHOLE[kind]))
    event = {
        "specversion": "1.0", "id": f"e-{number}", "source": "/one", "type": kind, "time": "2025-11-20T12:00:00+08:00",
        "data": _WHOLE[kind] | {entity: f"x-{number}"} | change,
    }  # fmt: skip
    return Record(STREAM_OF[kind], dump(event))


def _check(stack: Stack, pairs: Mapping[str, tuple[str, Json, Json]], turn: int) -> None:
    log = []
    for number, (kind, *changes) in enumerate(pairs.values()):
        log += [_record(number, kind, change) for change in changes[::turn]]
    stack.push(log)
    stack.wait_committed()
    oracle = Oracle(log)
    found = differences(stack, oracle, {})
    assert not found, "\n".join([*found, *(f"x-{number} is {name}" for number, name in enumerate(pairs))])


@pytest.mark.parametrize("turn", [1, -1], ids=["one-way", "other-way"])
def test_the_greater_content_counts_whatever_comes_first(make_stack: StackMaker, turn: int) -> None:
    _check(make_stack(), _PAIRS, turn)


def test_an_empty_list_is_as_if_absent(make_stack: StackMaker) -> None:
    _check(make_stack(), _EMPTY, 1)


def test_an_operator_whose_only_record_was_taken_over_counts_no_more(make_stack: StackMaker) -> None:
    stack = make_stack()

    def event(kind: str, name: str, time: str, data: Json) -> Record:
        attributes = {"specversion": "1.0", "id": name, "source": "/one", "type": kind, "time": time}
        return Record(STREAM_OF[kind], dump(attributes | {"data": data}))

    operator = _WHOLE[OPERATOR] | {"operator_id": "op-1", "platforms": ["jd"]}
    order = _WHOLE[ORDER] | {"order_id": "o-1"}
    log = [
        event(OPERATOR, "r-1", "2025-11-01T00:00:00Z", operator),
        event(ORDER, "o-1", "2025-11-20T04:00:00Z", order),
        event(KITCHEN, "k-1", "2025-11-20T05:00:00Z", _WHOLE[KITCHEN] | {"operator_id": "op-1"}),
    ]
    stack.push(log)
    stack.wait_committed()
    stack.wait_as_of(Oracle(log).as_of)
    log.append(event(OPERATOR, "r-1", "2025-11-02T00:00:00Z", operator | {"operator_id": "op-2"}))
    stack.push(log[-1:])
    stack.wait_committed()
    found = differences(stack, Oracle(log), {})
    assert not found, "\n".join(found)
