"""Which bytes are an event at all, and what its CloudEvents attributes may be."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.catalogue import STREAMS
from schemas.decode import Decoder
from schemas.event import Event, latest_acceptable
from schemas.reject import Reason, Rejection
from tests.schemas.events import (
    ABSENT,
    HEARTBEAT,
    LATEST,
    ORDER,
    TOPICS,
    VILLAGE,
    accepted,
    attributes,
    judge,
    least,
    reason,
    to_bytes,
    whole,
)


@pytest.mark.parametrize("kind", TOPICS)
def test_an_event_is_accepted_on_its_topic_with_all_fields_and_with_required_ones_only(kind: str) -> None:
    for event in (whole(kind), least(kind)):
        for topic in (TOPICS[kind], None):
            assert accepted(event, topic).type == kind


@pytest.mark.parametrize("kind", TOPICS)
def test_an_event_on_another_stream_is_wrong_topic(kind: str) -> None:
    for topic in set(STREAMS) - {TOPICS[kind]}:
        assert reason(whole(kind), topic) is Reason.WRONG_TOPIC


def test_a_decoder_of_a_topic_without_events_is_refused() -> None:
    with pytest.raises(ValueError, match=r"yangguang\.nothing"):
        Decoder("yangguang.nothing")


@pytest.mark.parametrize("raw", [None, b"", b" ", b"\n"], ids=["tombstone", "empty", "space", "line break"])
def test_an_empty_record_is_not_json(raw: bytes | None) -> None:
    outcome = Decoder("yangguang.seal").decode(raw, LATEST)
    assert isinstance(outcome, Rejection)
    assert outcome.reason is Reason.NOT_JSON


_VALID = to_bytes(whole(ORDER))


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + _VALID,
        _VALID.decode().encode("utf-16"),
        json.dumps(whole(ORDER, code="诸暨"), ensure_ascii=False).encode("gb18030"),
        _VALID.replace(b"S-77", b"S-\xff"),
        _VALID.replace(b"S-77", b"\xed\xa0\x80"),
        _VALID[:-1],
        _VALID + b"}",
        _VALID + _VALID,
        _VALID.replace(b'"packages": 2', b'"packages": 02'),
        _VALID.replace(b'"packages": 2', b'"packages": +2'),
        _VALID.replace(b"S-77", b"S-\n77"),
        _VALID.replace(b"S-77", b"\\ud800"),
        _VALID.replace(b'"code"', b'"\\udc00"'),
        b"'" + _VALID + b"'",
        b"{" + b'"a":{' * 10_000,
        b"[" * 60_000,
    ],
    ids=["byte-order mark", "utf-16", "gb18030", "a byte that is no UTF-8", "an encoded surrogate", "cut off",
         "a brace too much", "two events", "leading zero", "plus sign", "line break in a string", "lone surrogate",
         "lone surrogate in a name", "quoted", "cut off in the deep", "brackets only"],
)  # fmt: skip
def test_what_is_no_utf8_json_is_not_json(raw: bytes) -> None:
    assert reason(raw, "yangguang.seal") is Reason.NOT_JSON
    assert reason(raw) is Reason.NOT_JSON


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ["attribute", "field", "extensions", "root"])
def test_a_number_that_json_does_not_know_is_not_json_anywhere(number: str, place: str) -> None:
    event: Any = whole(ORDER, extensions={})
    if place == "attribute":
        event["vendorattribute"] = 4711
    elif place == "field":
        event["data"]["packages"] = 4711
    elif place == "extensions":
        event["data"]["extensions"] = {"deep": [{"x": 4711}]}
    else:
        event = 4711
    assert reason(json.dumps(event).replace("4711", number).encode()) is Reason.NOT_JSON


def test_text_that_names_such_a_number_is_text() -> None:
    assert accepted(whole(ORDER, code="NaN Infinity")).data.__dict__["code"] == "NaN Infinity"


def test_bytes_that_are_no_utf8_are_seen_in_ignored_attributes_too() -> None:
    for broken in (b'"extra": "\xff",', b'"\xff": 1,', b'"extra": ["\xed\xa0\x80"],'):
        assert reason(b"{" + broken + _VALID[1:]) is Reason.NOT_JSON


def test_a_record_has_at_most_65536_bytes() -> None:
    event = attributes(whole(ORDER), padding="")
    event["padding"] = "x" * (65_536 - len(to_bytes(event)))
    assert len(to_bytes(event)) == 65_536
    accepted(event)
    event["padding"] += "x"
    assert reason(event) is Reason.TOO_LARGE


@pytest.mark.parametrize("root", [[], [whole(ORDER)], 1, None, "text", True, {}])
def test_json_that_is_no_event_object_is_not_a_cloudevent(root: object) -> None:
    assert reason(root) is Reason.NOT_CLOUDEVENT


def test_data_alone_as_binary_mode_sends_it_is_not_a_cloudevent() -> None:
    assert reason(whole(ORDER)["data"], "yangguang.seal") is Reason.NOT_CLOUDEVENT


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", [ABSENT, None, "", 1, True, [], {}])
def test_the_four_attributes_are_required_strings(name: str, value: object) -> None:
    assert reason(attributes(whole(ORDER), **{name: value})) is Reason.NOT_CLOUDEVENT


@pytest.mark.parametrize("version", ["1.1", "0.3", "1", " 1.0", 1.0])
def test_only_cloudevents_1_0_is_read(version: object) -> None:
    assert reason(attributes(whole(ORDER), specversion=version)) is Reason.NOT_CLOUDEVENT


@pytest.mark.parametrize("event_id", ["x", " ", "诸暨 1", "x" * 128, "诸" * 128, " x "])
def test_an_event_id_of_1_to_128_characters_is_kept_as_it_is(event_id: str) -> None:
    assert accepted(attributes(whole(ORDER), id=event_id)).id == event_id


@pytest.mark.parametrize("event_id", ["x" * 129, "a\nb", "\x00", "a\x7f", "a\u0085b", "a\t"])
def test_an_event_id_that_is_too_long_or_has_controls_is_not_a_cloudevent(event_id: str) -> None:
    assert reason(attributes(whole(ORDER), id=event_id)) is Reason.NOT_CLOUDEVENT


def test_a_source_has_1_to_256_characters_and_is_kept_as_it_is() -> None:
    for source in ("s", "诸" * 256, " e\u0301 "):
        assert accepted(attributes(whole(ORDER), source=source)).source == source
    assert reason(attributes(whole(ORDER), source="s" * 257)) is Reason.NOT_CLOUDEVENT


def test_unknown_attributes_are_accepted_whatever_they_are() -> None:
    event = attributes(whole(ORDER), datacontenttype="application/json", traceparent="00-1", vendor={"a": [None, 1.5]})
    assert accepted(event, "yangguang.seal").data == accepted(whole(ORDER)).data


@pytest.mark.parametrize(
    "kind", ["yangguang.seal.order.v2", "yangguang.seal.order.V1", " yangguang.seal.order.v1", "x"]
)
def test_a_type_that_nobody_published_is_unknown_type(kind: str) -> None:
    assert reason(attributes(whole(ORDER), type=kind)) is Reason.UNKNOWN_TYPE
    assert reason(attributes(whole(ORDER), type=kind), "yangguang.camera") is Reason.UNKNOWN_TYPE


def test_of_doubled_keys_the_last_counts_at_every_depth() -> None:
    village = to_bytes(whole(VILLAGE)).decode()
    doubled = village.replace('"type": ', '"type": "yangguang.registry.operator.v1", "type": ')
    assert accepted(doubled.encode(), "yangguang.registry").type == VILLAGE
    doubled = village.replace('"data": ', '"data": 3, "data": ').replace('"id": ', '"id": "", "id": ')
    assert accepted(doubled.encode()).id == "01JD9ZK3-7"
    order = to_bytes(whole(ORDER)).decode()
    doubled = order.replace('"packages": 2', '"packages": "x", "packages": 7, "packages": 3')
    assert accepted(doubled.encode()).data.__dict__["packages"] == 3
    assert reason(order.replace('"packages": 2', '"packages": 2, "packages": "x"').encode()) is Reason.BAD_VALUE
    doubled = order.replace('"code": "S-77"', '"extensions": {"a": {"b": 1, "b": 2}, "c": 1, "c": 3}')
    assert accepted(doubled.encode()).data.extensions == {"a": {"b": 2}, "c": 3}
    operator = to_bytes(whole("yangguang.registry.operator.v1")).decode()
    doubled = operator.replace('"scheme": "HACCP"', '"scheme": "none", "scheme": "ISO22000"')
    assert accepted(doubled.encode()).data.__dict__["certificates"][0].scheme == "ISO22000"


@pytest.mark.parametrize("depth", [50, 150, 250, 900, 2000])
def test_nesting_however_deep_is_judged_and_never_raises(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for event in (
        to_bytes(whole(ORDER, extensions={"x": 4711})),
        to_bytes(attributes(whole(ORDER), subject=4711)),
        to_bytes(attributes(whole(ORDER), vendor=4711)),
        to_bytes(whole(ORDER, code=4711)),
    ):
        for topic in (None, "yangguang.seal"):
            assert isinstance(judge(event.replace(b"4711", nested.encode()), topic), Event | Rejection)
            if depth <= 150 and b'"code": 4711' not in event:
                accepted(event.replace(b"4711", nested.encode()), topic)


def test_a_rejection_says_source_id_and_type_where_they_can_be_read() -> None:
    outcome = judge(whole(ORDER, packages="3"))
    assert isinstance(outcome, Rejection)
    assert outcome[2:] == ("/platform/meituan", "01JD9ZK3-7", ORDER)
    outcome = judge(attributes(whole(ORDER), id=7, source="a\x00b"))
    assert isinstance(outcome, Rejection)
    assert outcome[2:] == ("ab", "", ORDER)


def test_the_greatest_acceptable_time_is_five_minutes_ahead_of_the_clock() -> None:
    clock = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    assert latest_acceptable(clock) == clock + timedelta(minutes=5) == LATEST
    for at, expected in (
        ("2026-11-23T12:05:00+08:00", None),
        ("2026-11-23T04:05:00.0000009Z", None),
        ("2026-11-23T04:05:00.000001Z", Reason.FUTURE_TIME),
        ("2026-11-23T23:00:00-08:00", Reason.FUTURE_TIME),
    ):
        outcome = judge(attributes(whole(HEARTBEAT), time=at))
        assert (outcome.reason if isinstance(outcome, Rejection) else None) is expected, at


def test_times_inside_data_are_not_judged_against_the_clock() -> None:
    accepted(whole(ORDER, delivered_at="2030-01-01T00:00:00Z"))
