"""What comes from outside is JSON of a size that a mapping is done with in no time, or it is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.vendors.message import MESSAGE_MAX_BYTES, TEXT_MAX, VALUES_MAX, read_message
from schemas.reject import Reason, Rejection


def refused(raw: bytes) -> Rejection:
    outcome = read_message(raw)
    assert isinstance(outcome, Rejection), outcome
    assert outcome.detail.startswith(": ")
    return outcome


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b'{"a":1,}', b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":NaN}', b"<xml/>",
        b'{"a":Infinity}', b"{} {}", b"alarm=605", b"[" * 1000 + b"]" * 1000, b'{"a":01}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_is_not_json(raw: bytes) -> None:
    assert refused(raw).reason is Reason.NOT_JSON


@pytest.mark.parametrize("raw", [b"3", b'"secret"', b"null", b"true"])
def test_a_message_is_an_object_or_a_list(raw: bytes) -> None:
    assert refused(raw) == Rejection(Reason.NOT_MAPPED, ": the message is no object and no list")


def test_a_whole_number_that_a_double_cannot_hold_keeps_its_digits_as_text() -> None:
    raw = b'{"camera": 33068100001320000001, "list": [9007199254740992, 9007199254740991, -9007199254740992]}'
    assert read_message(raw) == {
        "camera": "33068100001320000001",
        "list": ["9007199254740992", 9007199254740991, "-9007199254740992"],
    }


def test_a_number_beyond_all_numbers_is_refused() -> None:
    assert refused(b'{"a":[{"b":1e999}]}') == Rejection(
        Reason.NOT_MAPPED, ": the message has a number that is too great"
    )


def test_a_picture_sent_along_is_not_seen_by_the_mapping() -> None:
    message = {"picture": "x" * (TEXT_MAX + 1), "list": ["y" * (TEXT_MAX + 1)], "text": "z" * TEXT_MAX}
    assert read_message(json.dumps(message).encode()) == {"picture": None, "list": [None], "text": "z" * TEXT_MAX}


def test_a_message_is_bounded_in_bytes_and_in_values() -> None:
    full = b"[" + b"1," * (VALUES_MAX - 1) + b"1]"
    assert read_message(full) == [1] * VALUES_MAX
    assert refused(b"[1," + full[1:]) == Rejection(
        Reason.NOT_MAPPED, f": the message has more than {VALUES_MAX} values"
    )
    assert read_message(b"{}" + b" " * (MESSAGE_MAX_BYTES - 2)) == {}
    assert refused(b"{}" + b" " * (MESSAGE_MAX_BYTES - 1)).reason is Reason.TOO_LARGE


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    outcome = read_message(raw)
    assert isinstance(outcome, dict | list | Rejection)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=20)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=30,
    ).filter(lambda value: isinstance(value, dict | list))
)
def test_what_is_within_the_bounds_reaches_the_mapping_as_it_is(message: Any) -> None:
    assert read_message(json.dumps(message).encode()) == message
