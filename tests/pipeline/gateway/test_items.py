"""Cutting bodies into the events' own bytes, and what is no body of events."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway.binary import attributes_of, structured
from pipeline.gateway.bodies import Gunzip
from pipeline.gateway.items import BrokenTextError, Form, NotEventsError, array_items, form_of, items
from pipeline.gateway.limits import Budget, BusyError
from pipeline.gateway.problems import ProblemError
from schemas.reject import Reason

_SPACES = st.text(" \t\r\n", max_size=3)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(_VALUES, st.booleans(), _SPACES, _SPACES), min_size=1, max_size=6), _SPACES, _SPACES)
def test_a_list_is_cut_into_the_texts_that_were_joined(
    values: list[tuple[Any, bool, str, str]], before: str, after: str
) -> None:
    texts = [json.dumps(value, ensure_ascii=ascii_only) for value, ascii_only, _, _ in values]
    spaced = [f"{left}{text}{right}" for text, (_, _, left, right) in zip(texts, values, strict=True)]
    assert list(array_items(f"{before}[{','.join(spaced)}]{after}")) == texts


@given(st.lists(_VALUES, min_size=1, max_size=4), st.data())
def test_a_list_that_is_cut_off_never_ends_well(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    end = data.draw(st.integers(1, len(text) - 1))
    with pytest.raises(BrokenTextError):
        list(array_items(text[:end]))


def test_numbers_of_any_length_stay_as_they_were_written() -> None:
    digits = "9" * 10_000
    assert list(array_items(f"[{digits}, -0.{digits}e99999]")) == [digits, f"-0.{digits}e99999"]


def test_an_item_nested_too_deep_does_not_hide_those_beside_it() -> None:
    deep = '{"a":[' * 3000 + r'"]\"}"' + "]}" * 3000
    assert list(array_items(f"[1,{deep} , 2]")) == ["1", deep, "2"]
    with pytest.raises(BrokenTextError):
        list(array_items("[" * 5000))


@pytest.mark.parametrize("body", [b"", b" \r\n", b"[]", b" [ ] ", b"5", b'"text"', b"null"])
def test_json_without_events_is_no_list_of_events(body: bytes) -> None:
    with pytest.raises(NotEventsError):
        list(items(Form.ONE_OR_LIST, body))


def test_one_event_is_no_list_where_a_list_was_announced() -> None:
    with pytest.raises(NotEventsError):
        list(items(Form.LIST, b'{"a":1}'))
    with pytest.raises(NotEventsError):
        list(items(Form.LINES, b"\n \r\n"))
    assert list(items(Form.ONE, b"[1]")) == [b"[1]"]


@given(st.lists(st.binary(min_size=1).filter(lambda line: line.strip(b" \t\r\n") and b"\n" not in line), min_size=1))
def test_lines_keep_their_bytes(lines: list[bytes]) -> None:
    kept = [line.removesuffix(b"\r") for line in lines]
    assert list(items(Form.LINES, b"\n".join(lines))) == kept
    assert list(items(Form.LINES, b"\r\n\n".join(kept) + b"\r\n")) == kept


@pytest.mark.parametrize(
    ("content_type", "attributes", "form"),
    [
        ("application/json", False, Form.ONE_OR_LIST),
        ("Application/JSON; charset=UTF-8", False, Form.ONE_OR_LIST),
        ("application/json; charset=gbk", False, None),
        ("application/cloudevents+json", True, Form.ONE),
        ("application/cloudevents-batch+json", True, Form.LIST),
        ("application/x-ndjson", True, Form.LINES),
        ("application/json", True, Form.BINARY),
        ("application/vnd.x+json", True, Form.BINARY),
        ("application/vnd.x+json", False, None),
        ("text/plain", True, None),
        ("", True, None),
    ],
)
def test_the_content_type_says_the_form(content_type: str, attributes: bool, form: Form | None) -> None:
    assert form_of(content_type, attributes) is form


def test_attributes_are_unquoted_and_percent_decoded_once() -> None:
    headers = [
        (b"CE-Id", b"a%2520b"),
        (b"ce-source", b'"/quoted \\"x\\""'),
        (b"ce-subject", b"%E8%AF%B8%e6%9a%a8"),
        (b"ce-data", b"1"),
        (b"x-other", b"1"),
    ]
    assert attributes_of(headers) == {"id": "a%20b", "source": '/quoted "x"', "subject": "诸暨"}


def test_binary_mode_becomes_structured_around_the_data_as_they_were_sent() -> None:
    raw, rejection = structured({"id": '"1'}, "application/json", b' {"n": 1.10, "n": 2e0}\n')
    assert raw == b'{"id": "\\"1", "datacontenttype": "application/json","data":{"n": 1.10, "n": 2e0}}'
    assert rejection is None


@pytest.mark.parametrize("body", [b'{},"id":"other"', b"{", b"\xff", b"{} {}"])
def test_binary_data_that_are_no_json_cannot_add_attributes(body: bytes) -> None:
    raw, rejection = structured({"id": "1", "source": "s", "type": "t"}, "application/json", body)
    assert rejection is not None
    assert rejection == (Reason.NOT_JSON, "/data: the body is not JSON", "s", "1", "t")
    assert json.loads(raw).keys() == {"id", "source", "type", "datacontenttype", "data_base64"}


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.integers(1, 500))
def test_gunzip_gives_back_what_was_compressed_in_any_pieces(members: list[bytes], piece: int) -> None:
    sent = b"".join(gzip.compress(one) for one in members)
    stream = Gunzip(10_000)
    assert b"".join(stream.feed(sent[at : at + piece]) for at in range(0, len(sent), piece)) == b"".join(members)
    stream.finish()


def test_gunzip_stops_just_over_its_limit() -> None:
    assert len(Gunzip(1000).feed(gzip.compress(bytes(50_000_000)))) == 1001


def test_gunzip_refuses_what_is_no_gzip_or_has_no_end() -> None:
    with pytest.raises(ProblemError, match="not gzip"):
        Gunzip(1000).feed(b"plain")
    cut = Gunzip(1000)
    cut.feed(gzip.compress(b"whole")[:-1])
    with pytest.raises(ProblemError, match="its end is missing"):
        cut.finish()
    with pytest.raises(ProblemError, match="more than 1000 members"):
        Gunzip(1000).feed(gzip.compress(b"") * 1001)


def test_a_lease_gives_back_all_that_it_took() -> None:
    budget = Budget(10)
    lease = budget.lease()
    lease.take(6)
    with pytest.raises(BusyError):
        budget.lease().take(5)
    lease.close()
    assert budget.held == 0
