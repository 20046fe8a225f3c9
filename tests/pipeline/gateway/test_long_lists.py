"""Lists that are longer than what is scanned at once, and items that are longer than that themselves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway import items as module
from pipeline.gateway.items import BrokenTextError, array_items, is_json

_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text('a\\"[]{}诸, ', max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"[]{}\\', max_size=4), inner, max_size=3),
    max_leaves=8,
)
_BLOCKS = st.integers(1, 60)


@contextmanager
def scanned_by(block: int) -> Iterator[None]:
    """Only so many characters are scanned at once."""
    before = module._BLOCK
    module._BLOCK = block  # type: ignore[misc] # so that short texts are long ones
    try:
        yield
    finally:
        module._BLOCK = before  # type: ignore[misc] # likewise


@given(st.lists(_VALUES, min_size=1, max_size=6), st.booleans(), _BLOCKS)
def test_a_list_is_cut_at_the_same_places_however_little_is_scanned_at_once(
    values: list[Any], ascii_only: bool, block: int
) -> None:
    texts = [json.dumps(value, ensure_ascii=ascii_only) for value in values]
    with scanned_by(block):
        assert list(array_items(f"[{' , '.join(texts)}]")) == texts


@given(st.lists(_VALUES, min_size=1, max_size=4), st.data(), _BLOCKS)
def test_a_list_that_is_cut_off_never_ends_well_however_little_is_scanned_at_once(
    values: list[Any], data: st.DataObject, block: int
) -> None:
    text = json.dumps(values)
    end = data.draw(st.integers(1, len(text) - 1))
    with scanned_by(block), pytest.raises(BrokenTextError):
        list(array_items(text[:end]))


@given(_VALUES, _BLOCKS)
def test_one_value_is_json_however_little_is_scanned_at_once(value: Any, block: int) -> None:
    with scanned_by(block):
        assert is_json(json.dumps(value).encode())
        assert not is_json(json.dumps([value]).encode()[:-1])


@pytest.mark.parametrize("broken", ['{"a":}', '{"a" 1}', "[1 2]", "tru", "nul", "'a'", "{1:2}"])
def test_an_item_that_is_no_json_breaks_a_list_of_any_length(broken: str) -> None:
    for before, after in (("1,", ""), ("1,", ",1" * 300_000), ("1," * 300_000, ""), ("1," * 300_000, ",1" * 300_000)):
        with pytest.raises(BrokenTextError):
            list(array_items(f"[{before}{broken}{after}]"))


def test_items_beside_one_that_is_far_too_long_are_found() -> None:
    for long in (
        '"' + "x" * 10**6 + '"',
        "9" * 10**6,
        "[" + "[]," * 300_000 + "1]",
        '{"a":"]}\\"' + "[" * 10**6 + '"}',
    ):
        assert list(array_items(f'["a",{long},{{"b":[]}}]')) == ['"a"', long, '{"b":[]}']


@pytest.mark.parametrize("begin", ["[" * 2000, '[{"a":' * 2000, "[1," * 2000])
def test_a_string_without_an_end_is_read_once_and_not_once_for_each_quote(begin: str) -> None:
    """Reading it anew from each of its four million quotes would take weeks."""
    with pytest.raises(BrokenTextError, match="the string has no end"):
        list(array_items(begin + '"' + '\\"' * 4_000_000))
