"""Lists that need no scan: where they are cut, and that they are scanned where that cut would be wrong."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway.items import Form, array_items, likely_items
from tests.pipeline.gateway.samples import REJECTED, order, text
from tests.pipeline.gateway.stack import Tape

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
_SPACES = st.text(" \t\r\n", max_size=2)
_TEXTS = st.sampled_from(["", "}", "},{", '"},{"', "\\", "a"])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


def is_json(piece: bytes) -> bool:
    try:
        json.loads(piece)
    except ValueError:
        return False
    return True


@given(
    st.lists(st.tuples(st.dictionaries(_TEXTS, _VALUES, max_size=3), _SPACES, _SPACES), min_size=1, max_size=5), _SPACES
)
def test_a_likely_cut_whose_pieces_are_all_json_is_the_right_one(
    values: list[tuple[dict[str, Any], str, str]], around: str
) -> None:
    body = f"{around}[{','.join(left + json.dumps(value) + right for value, left, right in values)}]{around}"
    pieces = likely_items(Form.LIST, body.encode())
    assert pieces is not None
    cut = list(pieces)
    if all(map(is_json, cut)):
        assert cut == [one.encode() for one in array_items(body)]
    else:
        assert any("},{" in json.dumps(value, separators=(",", ":")) for value, _, _ in values)


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[]", b"[5]", b"[{}", b"[{}] x", b"[{},5]", b"[5,{}]", b"[[{}]]"])
def test_what_does_not_look_like_a_list_of_objects_has_no_likely_cut(body: bytes) -> None:
    assert likely_items(Form.ONE_OR_LIST, body) is None


def test_only_lists_are_cut() -> None:
    assert [form for form in Form if likely_items(form, b"[{}]") is not None] == [Form.LIST, Form.ONE_OR_LIST]


def test_events_that_hold_what_looks_like_a_border_keep_their_own_bytes(http: httpx.Client, tape: Tape) -> None:
    nested = json.dumps(order(2, extensions={"a": [{"b": 1}, {"c": 2}]}), separators=(",", ":")).encode()
    texts = [text(1), nested, text(3, code="},{"), text(4)]
    answer = http.post("/v1/events", content=b"[%s]" % b" , ".join(texts), headers=BATCH)
    assert answer.status_code == 202
    assert sorted(one.value for one in tape.new()) == sorted(texts)


def test_refused_events_of_a_list_are_refused_alone(http: httpx.Client, tape: Tape) -> None:
    wrong = [text(11, packages=0), b'{"id":"x"}', b"{}", text(12).replace(b"2026", b"2999")]
    answer = http.post("/v1/events", content=b"[%s,%s]" % (text(10), b",".join(wrong)), headers=BATCH)
    assert answer.status_code == 207
    assert [one.get("reason") for one in answer.json()["results"]] == [
        None,
        "bad_value",
        "not_cloudevent",
        "not_cloudevent",
        "bad_value",
    ]
    assert [one.value for one in tape.new() if one.topic == REJECTED] == wrong
