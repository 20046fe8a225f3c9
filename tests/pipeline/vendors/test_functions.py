"""Times with an offset, identities that repeat, JSON inside a text."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.vendors.failure import MappingError
from pipeline.vendors.functions import digest, identity, json_inside, moment
from schemas.fields import Timestamp
from tests.pipeline.vendors.samples import NOON, NOON_TEXT

SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMES = st.datetimes(datetime(2000, 1, 2), datetime(2299, 12, 30))  # noqa: DTZ001 # vendors' local times have no zone


def failure(function: Any, *arguments: Any) -> str:
    with pytest.raises(MappingError) as caught:
        function(*arguments)
    return caught.value.detail


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01 12:00:00", "2026-03-01T12:00:00", "2026/03/01 12:00:00", "2026/3/1 12:00", "2026-03-01 12:00",
        " 2026-03-01 12:00:00 ", "20260301120000", "20260301T120000", "20260301120000000", 20260301120000,
        NOON, NOON * 1000, NOON * 1_000_000, float(NOON), str(NOON), str(NOON * 1000),
        NOON_TEXT, "2026-03-01 12:00:00 +0800", "2026-03-01T12:00:00.000+08",
    ],
)  # fmt: skip
def test_a_time_without_an_offset_is_shanghais_and_numbers_count_from_1970(written: str | float) -> None:
    assert moment(written) == NOON_TEXT


def test_a_time_with_an_offset_keeps_it() -> None:
    assert moment("2026-03-01T04:00:00Z") == "2026-03-01T04:00:00+00:00"
    assert moment("20260301T040000Z") == "2026-03-01T04:00:00+00:00"
    assert moment("2026-03-01 01:30:00 -02:30") == "2026-03-01T01:30:00-02:30"


def test_a_time_is_kept_to_the_microsecond_and_further_digits_are_cut() -> None:
    assert moment("2026-03-01 12:00:00.5") == "2026-03-01T12:00:00.500000+08:00"
    assert moment("2026-03-01 12:00:00,123456789") == "2026-03-01T12:00:00.123456+08:00"
    assert moment(NOON * 1000 + 7) == "2026-03-01T12:00:00.007000+08:00"
    assert moment(NOON + 0.550984) == "2026-03-01T12:00:00.550984+08:00"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (None, "the value is missing"),
        ("", "the value is no time"),
        ("secret", "the value is no time"),
        ("2026-13-01 12:00:00", "the value is no time that there is"),
        ("2026-02-29 12:00:00", "the value is no time that there is"),
        ("2026-03-01 24:00:00", "the value is no time that there is"),
        ("2026-03-01 12:00:00+25:00", "the value is no time that there is"),
        ("2026-03-01", "the value is no time"),
        ("0" * 5000, "the value is no time"),
        (0, "no time from 2000 to 2299"),
        (NOON * 10, "no time from 2000 to 2299"),
        (-NOON, "no time from 2000 to 2299"),
        (1e300, "no time from 2000 to 2299"),
        (True, "the value is no time"),
        ([], "the value is no time"),
        ({"a": "secret"}, "the value is no time"),
    ],
)
def test_what_is_no_time_is_an_error_that_does_not_repeat_it(written: Any, words: str) -> None:
    detail = failure(moment, written)
    assert detail.startswith("$moment: ")
    assert words in detail
    assert "secret" not in detail


@given(TIMES)
def test_all_ways_to_write_a_local_time_are_the_same_moment_and_an_event_takes_it(local: datetime) -> None:
    local = local.replace(microsecond=local.microsecond // 1000 * 1000)
    aware = local.replace(tzinfo=SHANGHAI)
    milliseconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    ways = [f"{local:%Y-%m-%d %H:%M:%S.%f}", f"{local:%Y/%m/%dT%H:%M:%S.%f}", milliseconds, str(milliseconds)]
    taken = {TypeAdapter(Timestamp).validate_python(moment(one)) for one in ways}
    assert taken == {aware}


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.text())))
def test_any_value_is_a_moment_or_an_error(value: Any) -> None:
    try:
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*[+-][0-9]{2}:[0-9]{2}", moment(value))
    except MappingError as error:
        assert error.detail.startswith("$moment: ")  # noqa: PT017 # either is right


def test_an_identity_is_its_parts_with_slashes() -> None:
    assert identity("box-7", 1, "605 ") == "box-7/1/605"


def test_a_part_that_is_missing_is_an_error_as_all_messages_without_it_would_be_one() -> None:
    assert failure(identity, "box-7", None) == "$id: part 2 is missing in the message"
    assert failure(identity, "") == "$id: part 1 is missing in the message"
    assert failure(digest, {"a": 1}, None) == "$digest: part 2 is missing in the message"
    assert failure(identity) == "$id: has no part"
    assert failure(digest) == "$digest: has no part"


@pytest.mark.parametrize("part", [True, 1.5, {"a": "secret"}, ["secret"]])
def test_a_part_of_an_identity_is_a_text_or_a_whole_number(part: Any) -> None:
    assert failure(identity, "x", part) == "$id: part 2 is no text and no whole number"


JSON_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(min_size=1)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(JSON_VALUES, min_size=1, max_size=3))
def test_a_digest_is_that_of_the_content_whatever_the_order_of_keys(parts: list[Any]) -> None:
    turned = [dict(reversed(one.items())) if isinstance(one, dict) else one for one in parts]
    assert digest(*parts) == digest(*turned)
    assert digest(*parts) != digest(*parts, "more")
    assert re.fullmatch(r"[0-9a-f]{32}", digest(*parts))


def test_json_inside_a_text_is_read_within_the_same_bounds() -> None:
    assert json_inside('{"no": 33068100001320000001, "l": [1]}') == {"no": "33068100001320000001", "l": [1]}
    assert json_inside(json.dumps({"picture": "x" * 20_000})) == {"picture": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "$json: the value is missing, or longer than a mapping may see"),
        (3, "$json: the value is no text"),
        ("secret", "$json: the value is no JSON"),
        ("[" * 300, "$json: the value is no JSON"),
        ("3", "$json: the text is no object and no list"),
        ("[1e999]", "$json: the text has a number that is too great"),
    ],
)
def test_what_is_no_json_inside_a_text_is_an_error(text: Any, words: str) -> None:
    assert failure(json_inside, text) == words
