"""What a mapping makes of a message: events, a reason, or its word that there is nothing in it."""

import json
import threading
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.vendors import Ignored
from schemas.camera import Finding
from schemas.decode import Decoder
from schemas.event import Event
from schemas.reject import Reason, Rejection
from tests.pipeline.vendors.samples import (
    BOX,
    CAMERA,
    MESSAGE,
    NOON_TEXT,
    encoded,
    ignored,
    made,
    vendor,
    why_not,
)

NOON: Final = datetime.fromisoformat(NOON_TEXT)
ANY_JSON: Final = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=40),
        st.sampled_from(["box-7/1", CAMERA, NOON_TEXT, "2026-03-01 12:00:00", 605, "[1]", 1e308]),
    ),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["a", "b", "alarm", "box", "no", "at", "code"]), inner)
    ),
    max_leaves=20,
)
EXPRESSIONS: Final = [
    BOX, "$", "a", "**", "a.b", "$$.alarm.{'id': $string(no)}", "$map(a, function($v) { {'v': $v.b} })", "$sort(a)",
    "$merge(a)", "a ~> $string", "$toMillis(at)", "$fromMillis(no)", "{a: b}", "[a..b]", "$substring(a, b)", "a / b",
    "$match(a, /(a+)+$/)", "$json(a)", "$digest($)", "$id(a, b)", "$device(a)", "$moment(a)", "$ignore(a)",
    "$error(a)", "$assert(a = b, b)", "$formatNumber(a, '0.0')", "$replace(a, 'x', b)", "a^(b)", "$zip(a, b)",
]  # fmt: skip


def test_a_message_becomes_an_event_that_is_accepted() -> None:
    texts = vendor(BOX).events(encoded(MESSAGE))
    assert isinstance(texts, list)
    event = Decoder("yangguang.camera").decode(texts[0], NOON)
    assert isinstance(event, Event)
    assert (len(texts), event.id, event.source, event.time) == (1, "4711", "/vendor/box", NOON)
    assert isinstance(event.data, Finding)
    assert (event.data.camera_id, event.data.operator_id, event.data.town_code) == (CAMERA, "op-1", "330681001")
    assert (event.data.finding, event.data.vendor_code, event.data.confidence) == ("605", "605", 0.93)


def test_the_text_of_an_event_is_compact_json_in_utf_8() -> None:
    assert vendor("{'name': n, 'list': [1, 2]}").events(encoded({"n": "阳光"})) == [
        '{"name":"阳光","list":[1,2]}'.encode()
    ]


def test_the_same_message_sent_twice_is_the_same_event() -> None:
    first, second = (vendor(BOX).events(encoded(MESSAGE)) for _ in range(2))
    assert first == second


def test_a_mapping_may_make_several_events_of_a_message() -> None:
    assert made("alarms.{'id': $id($$.box, no)}", {"box": "b", "alarms": [{"no": 1}, {"no": 2}]}) == [
        {"id": "b/1"},
        {"id": "b/2"},
    ]


def test_whole_numbers_stay_whole_and_what_is_missing_in_the_message_is_missing_in_the_event() -> None:
    assert made("{'a': 6 / 2, 'b': n * 1.5, 'c': missing, 'd': null}", {"n": 2}) == [{"a": 3, "b": 3, "d": None}]
    assert json.dumps(made("{'a': 6 / 2}", {})) == '[{"a": 3}]'


def test_a_message_that_gives_no_event_is_refused_and_does_not_disappear() -> None:
    said = ": the mapping failed: it made no event of this message, and did not say $ignore"
    for events in ("missing", "[]", "[items.{'id': no}]", "null", "items[no = 7]"):
        assert why_not(events, {"items": [{"no": 1}] if "no = 7" in events else []}) == said


def test_a_mapping_can_say_that_there_is_nothing_for_us_in_a_message_and_why() -> None:
    events = "kind = 'alarm' ? {'id': 'x'} : $ignore('the box says that it lives')"
    assert ignored(events, {"kind": "alive"}) == "the box says that it lives"
    assert made(events, {"kind": "alarm"}) == [{"id": "x"}]


def test_what_is_ignored_in_a_list_does_not_take_the_others_with_it() -> None:
    events = "items.(no = 1 ? $ignore('one') : {'id': $id(no)})"
    assert made(events, {"items": [{"no": 1}, {"no": 2}]}) == [{"id": "2"}]
    assert ignored(events, {"items": [{"no": 1}]}) == "one"


def test_what_one_message_ignored_says_nothing_of_the_next() -> None:
    one = vendor("kind = 'alive' ? $ignore('alive') : missing")
    assert one.events(encoded({"kind": "alive"})) == Ignored("alive")
    assert isinstance(one.events(encoded({"kind": "?"})), Rejection)


@pytest.mark.parametrize("events", ["a", "[a, {'id': 'x'}]", "true", "0", "[[{'id': 'x'}], 1]"])
def test_an_event_is_an_object(events: str) -> None:
    assert why_not(events, {"a": "secret"}) == (
        ": the mapping failed: it made something that is no object, where an event is one"
    )


@pytest.mark.parametrize(
    ("events", "message", "words"),
    [
        (BOX, {**MESSAGE, "box": "box-8/1"}, "$device: the table of devices has no such device"),
        (BOX, {"alarm": MESSAGE["alarm"]}, "$device: the message names no device"),
        (BOX, {**MESSAGE, "box": {"secret": 1}}, "$device: the device is no text and no whole number"),
        (BOX, {**MESSAGE, "alarm": {"no": 4711}}, "$moment: the value is missing"),
        (BOX, {**MESSAGE, "alarm": {"at": "2026-03-01 12:00:00"}}, "$id: part 1 is missing in the message"),
        ("{'a': a + 1}", {"a": "secret"}, "T2001: The left side of the + operator must evaluate to a number"),
        ("{'a': $sum(a)}", {"a": ["secret"]}, "T0412: Argument 1 must be an array of Number"),
        ("{'a': $number(a)}", {"a": "secret"}, "$number was given what is no number (D3030)"),
        ("{'a': $toMillis(a)}", {"a": "secret"}, "$toMillis was given what is no time (D3110)"),
        ("{'a': $substing(a)}", {"a": "secret"}, "T1006: Attempted to invoke a non-function"),
        ("{'a': $moment(a, 1)}", {"a": "secret"}, "$moment: was called with other arguments than it takes"),
        ("{'a': 1 / a}", {"a": 0}, "it made an event that cannot be written as JSON"),
        ("$error('no alarm in it')", {}, "no alarm in it (D3137)"),
        ("$error('bad ' & a)", {"a": "secret"}, "$error (D3137)"),
        ("$assert(a = 'x', 'a is not x')", {"a": "secret"}, "a is not x (D3141)"),
        ("[1..2000].{'id': $}", {}, "it made more than 1000 events of one message"),
        ("[1..300].{'a': $$.a}", {"a": "x" * 16_000}, "it made more than 4194304 bytes of one message"),
    ],
)
def test_the_reason_says_where_the_mapping_failed_and_repeats_no_value(events: str, message: Any, words: str) -> None:
    detail = why_not(events, message)
    assert detail.startswith(": the mapping failed: ")
    assert words in detail
    assert "secret" not in detail


def test_those_who_write_a_mapping_are_told_the_value_too() -> None:
    assert "box-8/1" in vendor(BOX).explained(encoded({**MESSAGE, "box": "box-8/1"}))
    assert "secret" in vendor("{'a': $number(a)}").explained(encoded({"a": "secret"}))
    assert vendor(BOX).explained(encoded(MESSAGE)) == ""
    assert vendor(BOX).explained(b"") == "EOF while parsing a value at line 1 column 0"


def test_a_word_that_is_not_the_mappings_own_is_not_repeated_as_the_reason_to_ignore() -> None:
    assert ignored("$ignore(a)", {"a": "secret"}) == "the mapping does not say why"


@pytest.mark.parametrize(
    "events",
    [
        "($turn := function($n) { $turn($n + 1) }; $turn(1))",
        "$map([1..9000], function($a) { $map([1..9000], function($b) { $a * $b }) })",
    ],
)
def test_a_mapping_that_does_not_end_is_ended(events: str) -> None:
    assert why_not(events, {}) == ": the mapping failed: it took too long (D1012)"


@pytest.mark.parametrize(
    "events", ["($deep := function($n) { 1 + $deep($n + 1) }; $deep(1))", "[1..99999999].{'id': $}", "[a..b].{'id': $}"]
)
def test_depth_and_length_are_bounded(events: str) -> None:
    assert "the mapping failed: " in why_not(events, {"a": -(10**9), "b": 10**9})


def test_a_regular_expression_takes_linear_time() -> None:
    assert made("{'a': $contains(a, /^(a|aa)+$/)}", {"a": "a" * 16_000 + "!"}) == [{"a": False}]


def test_a_vendor_may_be_used_by_several_threads() -> None:
    one = vendor(BOX)
    seen: list[Any] = []

    def run(number: int) -> None:
        raw = encoded({**MESSAGE, "alarm": {**MESSAGE["alarm"], "no": number}})
        for _ in range(200):
            texts = one.events(raw)
            assert isinstance(texts, list)
            seen.append(json.loads(texts[0])["id"] == str(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 800


@given(st.sampled_from(EXPRESSIONS), ANY_JSON)
def test_any_message_has_an_outcome_and_never_raises(events: str, message: Any) -> None:
    outcome = vendor(events).events(json.dumps(message).encode())
    if isinstance(outcome, list):
        assert outcome
        assert all(isinstance(json.loads(text), dict) for text in outcome)
    elif isinstance(outcome, Rejection):
        assert outcome.reason in (Reason.NOT_JSON, Reason.NOT_MAPPED)
        assert outcome.detail
    else:
        assert outcome.why


@given(st.text(min_size=12, max_size=40), st.sampled_from(EXPRESSIONS))
def test_no_reason_ever_repeats_a_text_of_the_message(text: str, events: str) -> None:
    message = {"a": text, "b": text, "box": text, "at": text, "alarm": {"at": text, "no": text, "code": text}}
    outcome = vendor(events).events(json.dumps(message).encode())
    assert text not in (outcome.detail if isinstance(outcome, Rejection) else "")
    assert text not in (outcome.why if isinstance(outcome, Ignored) else "")
