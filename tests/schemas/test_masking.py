"""What of a refused event may be seen by those who look after it: nothing that could be about a person."""

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import EVENT_TYPES
from schemas.masking import HIDDEN, Shown, masked
from tests.schemas.events import BANQUET, FINDING, HEARTBEAT, OPERATOR, OPTIONAL, ORDER, to_bytes, whole

ANY_VALUE = st.recursive(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
KINDS = st.sampled_from(list(EVENT_TYPES))
NAMES = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=2, max_size=4)
MOBILES = st.builds(
    lambda head, tail, sign, code: code + sign.join((head, tail[:4], tail[4:])),
    st.sampled_from(["138", "139", "150", "177", "199"]),
    st.text("0123456789", min_size=8, max_size=8),
    st.sampled_from(["", "-", " ", ".", "_"]),
    st.sampled_from(["", "+86", "86 ", "0086-", "+86 "]),
)


def shown(event: Any) -> Any:
    return masked(to_bytes(event)).event


def places(kind: str) -> list[tuple[str, ...]]:
    """Personal and free places of an event of that type: paths into it, the last step a field or none of the model."""
    inside: list[tuple[str, ...]] = [("wechat",), ("extensions",), ("extensions", "note")]
    if kind == OPERATOR:
        inside += [("person",), ("person", "name"), ("person", "phone"), ("person", "qq"), ("name",), ("license_no",)]
    if kind == BANQUET:
        inside += [("host",), ("host", "name"), ("host", "phone"), ("host", "address")]
    if kind == FINDING:
        inside += [("zone",), ("vendor_code",), ("snapshot_uri",), ("vendor",)]
    return [("data", *path) for path in inside] + [("traceparent",)]


def put(event: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The event with the value at that place."""
    made = json.loads(to_bytes(event))
    inner = made
    for step in path[:-1]:
        if not isinstance(inner.get(step), dict):
            inner[step] = {}
        inner = inner[step]
    inner[path[-1]] = value
    return dict(made)


@given(st.data(), KINDS, ANY_VALUE, ANY_VALUE)
def test_what_stands_in_a_personal_or_unknown_place_changes_nothing_that_is_shown(
    data: st.DataObject, kind: str, one: Any, other: Any
) -> None:
    path = data.draw(st.sampled_from(places(kind)))
    event = whole(kind)
    assert shown(put(event, path, one)) == shown(put(event, path, other))


@given(KINDS, st.text(), st.text(), st.sampled_from(["data", "root"]))
def test_the_name_of_an_unknown_field_is_not_shown_either(kind: str, one: str, other: str, place: str) -> None:
    known = {"specversion", "id", "source", "type", "subject", "time", "data"}
    event = whole(kind)
    if {one, other} & (set(event["data"]) | known | {"extensions", *OPTIONAL[kind]}):
        return
    if place == "data":
        assert shown(put(event, ("data", one), 1)) == shown(put(event, ("data", other), 1))
    else:
        assert shown(put(event, (one,), 1)) == shown(put(event, (other,), 1))


@given(st.data(), KINDS, st.one_of(NAMES, MOBILES))
def test_a_name_or_a_phone_is_shown_nowhere_whatever_field_a_bug_put_it_into(
    data: st.DataObject, kind: str, secret: str
) -> None:
    event = whole(kind)
    leaves = [("data", name) for name in event["data"]] + [(name,) for name in event]
    path = data.draw(st.sampled_from(leaves))
    value = data.draw(st.sampled_from([secret, f"o-{secret}", [secret], {secret: secret}, {"name": [secret]}]))
    assert secret not in masked(to_bytes(put(event, path, value))).text()


@given(st.data(), KINDS, st.integers(13_000_000_000, 19_999_999_999).filter(lambda phone: phone % 10))
def test_a_phone_that_is_written_as_a_number_is_shown_nowhere(data: st.DataObject, kind: str, phone: int) -> None:
    event = whole(kind)
    path = data.draw(st.sampled_from([("data", name) for name in event["data"]] + [(name,) for name in event]))
    value = data.draw(st.sampled_from([phone, -phone, float(phone), phone / 1e11, [phone]]))
    assert str(phone) not in masked(to_bytes(put(event, path, value))).text()


@given(st.binary())
def test_bytes_that_are_no_json_are_not_shown_at_all(raw: bytes) -> None:
    found = masked(raw)
    assert found.size == len(raw)
    if found.sha256 is None:
        json.loads(raw)
    else:
        assert found.event is None
        assert found.text() == f"{len(raw)} bytes that are no JSON, SHA-256 {sha256(raw).hexdigest()}"


@pytest.mark.parametrize("raw", [b"NaN", b'{"id": Infinity}', b"", b"\xff", "{'id': '张三'}".encode()])
def test_what_only_looks_like_json_is_none(raw: bytes) -> None:
    assert masked(raw).sha256 == sha256(raw).hexdigest()


@given(ANY_VALUE)
def test_what_is_no_object_or_of_no_known_type_is_hidden_whole(value: Any) -> None:
    assert masked(json.dumps([value]).encode()).event == HIDDEN
    assert shown({"type": "acme.alarm", "data": value})["data"] == HIDDEN


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_field_of_a_closed_form_is_shown(kind: str) -> None:
    free = {"name", "vendor", "vendor_code", "zone", "snapshot_uri", "photo_uri", "reason", "license_no", "code",
            "person", "host"}  # fmt: skip
    event = whole(kind)
    seen = shown(event)["data"]
    for name, value in event["data"].items():
        if name not in free:
            assert seen[name] == value, name
        else:
            assert seen[name] == HIDDEN, name


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("delivered_at", "2026/11/23 12:00", "*** (9999/99/99 99:99)"),
        ("delivered_at", "2026-11-23 12:00", "2026-11-23 12:00"),
        ("packages", "3", "*** (9)"),
        ("packages", 3.5, 3.5),
        ("packages", 51, 51),
        ("packages", 10**400, HIDDEN),
        ("packages", 1e300, 1e300),
        ("packages", True, True),
        ("seal_state", "Intact", "*** (Aaaaaa)"),
        ("platform", "大众点评", "*** (xxxx)"),
        ("town_code", "330100000", "330100000"),
        ("order_id", "o 1001", "*** (a 9999)"),
        ("order_id", "o-13800138000", "*** (a-99999999999)"),
        ("order_id", None, None),
        ("order_id", {"no": 1}, HIDDEN),
    ],
)
def test_a_value_that_is_wrong_shows_how_it_is_written_and_not_what(field: str, value: Any, seen: Any) -> None:
    assert shown(put(whole(ORDER), ("data", field), value))["data"][field] == seen


def test_a_resident_number_is_no_credit_code() -> None:
    valid = put(whole(OPERATOR), ("data", "uscc"), "11010519491231002X")
    assert shown(valid)["data"]["uscc"] == "*** (99999999999999999A)"


def test_a_camera_of_twenty_digits_is_no_phone() -> None:
    event = whole(HEARTBEAT)
    event["id"] = "33068100001320000001/2026-11-23T12:01"
    assert shown(event)["data"]["camera_id"] == event["data"]["camera_id"]
    assert shown(event)["id"] == event["id"]


def test_a_word_of_a_vendor_that_no_table_knows_is_hidden() -> None:
    assert shown(put(whole(FINDING), ("data", "finding"), "605"))["data"]["finding"] == "605"
    assert shown(put(whole(FINDING), ("data", "finding"), "张三没戴帽"))["data"]["finding"] == HIDDEN


def test_the_shape_of_a_long_text_ends_somewhere() -> None:
    event = put(whole(ORDER), ("data", "seal_state"), "a" * 10_000)
    assert shown(event)["data"]["seal_state"] == f"*** ({'a' * 40}...)"


def test_nesting_too_deep_to_read_is_not_shown() -> None:
    found = masked(b"[" * 100_000)
    assert found == Shown(100_000, None, found.sha256)
