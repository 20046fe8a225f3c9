"""Personal data never leave the validating process in clear: only masked forms and keyed tokens are written."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas.catalogue import EVENT_TYPES
from schemas.columns import BlockEncoder
from schemas.event import Event
from schemas.personal import Masked, Tokeniser, mask_name, mask_phone
from schemas.reject import Rejection
from tests.schemas.events import BANQUET, OPERATOR, accepted, judge, whole

KEY = bytes(range(32))
TOKENISER = Tokeniser(KEY)


def columns_of(event: Event) -> dict[str, Any]:
    """What is written of one event, by column."""
    encoder = BlockEncoder(EVENT_TYPES[event.type], TOKENISER)
    columns = encoder.encode([encoder.row(event)])
    return {column.name: values[0] for column, values in zip(encoder.columns, columns, strict=True)}


NAMES = st.text(st.sampled_from("张王李赵诸葛欧阳明华丽娜ABxyz· "), min_size=2, max_size=12).map(str.strip)
MOBILES = st.builds("1{}{}".format, st.sampled_from("356789"), st.text("0123456789", min_size=9, max_size=9))
PHONES = st.one_of(
    MOBILES,
    st.builds("+86 {}".format, MOBILES),
    st.builds("0575-87{}".format, st.text("0123456789", min_size=6, max_size=6)),
    st.text(st.sampled_from("0123456789 -+张三abc"), min_size=3, max_size=20).map(str.strip),
)


def _written(columns: dict[str, Any]) -> str:
    return json.dumps(list(columns.values()), ensure_ascii=False, default=str)


@settings(max_examples=300)
@given(NAMES, PHONES, st.sampled_from([(OPERATOR, "person"), (BANQUET, "host")]))
@example("张三", "138 0013 8000", (BANQUET, "host"))
def test_no_column_holds_a_persons_name_or_phone(name: str, phone: str, place: tuple[str, str]) -> None:
    kind, field = place
    assume(len(name) >= 2 and sum(map(str.isalnum, phone)) >= 3)
    event = whole(kind, **{field: {"name": name, "phone": phone}})
    event["data"] |= {"name": "店"} if kind == OPERATOR else {}
    columns = columns_of(accepted(event))
    person = {one: columns.pop(f"{field}_{one}") for one in Masked._fields}
    for part, value in person.items():
        assert name not in value
        # three digits of a phone may stand in a token by chance
        assert phone not in value or (part == "token" and len(phone) < 7)
    without = whole(kind, **{field: {}})
    without["data"] |= {"name": "店"} if kind == OPERATOR else {}
    assert _written(columns) == _written({k: v for k, v in columns_of(accepted(without)).items() if k in columns})


@given(NAMES)
def test_the_name_of_a_banquet_cook_is_kept_masked(name: str) -> None:
    assume(len(name) >= 2)
    assume(name not in _written(columns_of(accepted(whole(OPERATOR, kind="banquet_cook", name="店")))))
    columns = columns_of(accepted(whole(OPERATOR, kind="banquet_cook", name=name)))
    assert columns["name"] == name[0] + "*"
    assert name not in _written(columns)
    assert columns_of(accepted(whole(OPERATOR, kind="cook_company", name=name)))["name"] == name


@settings(max_examples=200)
@given(
    st.one_of(NAMES, st.just("张三丰")),
    PHONES,
    st.sampled_from(["unknown", "name as key", "wrong type", "list", "too long", "elsewhere", "text"]),
    st.sampled_from([(OPERATOR, "person"), (BANQUET, "host")]),
)
def test_no_detail_of_a_rejection_holds_a_persons_name_or_phone(
    name: str, phone: str, how: str, place: tuple[str, str]
) -> None:
    kind, field = place
    assume(len(name) >= 3 and len(phone) >= 7)
    wrong: dict[str, Any] = {
        "unknown": {"name": name, "phone": phone, "wechat": phone},
        "name as key": {name: phone, phone: name},
        "wrong type": {"name": [name], "phone": {phone: name}},
        "list": [name, phone],
        "too long": {"name": name * 129, "phone": phone * 40},
        "elsewhere": {"name": name, "phone": phone},
        "text": f"{name} {phone}",
    }
    event = whole(kind, **{field: wrong[how]})
    if how == "elsewhere":
        event["data"] |= {"name": name, "kind": "banquet_cook", "town_code": "1"} if kind == OPERATOR else {"diners": 0}
    outcome = judge(event)
    assert isinstance(outcome, Rejection)
    assert name not in outcome.detail
    assert phone not in outcome.detail


def test_a_cooks_name_is_in_no_detail_whatever_is_wrong_with_it() -> None:
    for name in ("张三丰" * 100, ["张三丰"], {"张三丰": 1}):
        outcome = judge(whole(OPERATOR, kind="banquet_cook", name=name))
        assert isinstance(outcome, Rejection)
        assert "张三丰" not in outcome.detail


@pytest.mark.parametrize(
    "written",
    ["13800138000", "138 0013 8000", "138-0013-8000", "+8613800138000", "+86 138 0013 8000", "+86-138-0013-8000",
     "0086 138 0013 8000", " 13800138000 ", "１３８００１３８０００"],
)  # fmt: skip
def test_one_phone_has_one_token_and_one_mask_however_it_is_written(written: str) -> None:
    assert TOKENISER.person("张三", written).token == TOKENISER.person("李四", "13800138000").token
    assert mask_phone(written) == "138****8000"


@given(MOBILES, MOBILES)
def test_different_phones_have_different_tokens(one: str, other: str) -> None:
    assume(one != other)
    assert TOKENISER.person(None, one).token != TOKENISER.person(None, other).token


def test_numbers_of_different_countries_are_different_persons() -> None:
    assert TOKENISER.person(None, "+7 9123456789").token != TOKENISER.person(None, "+1 9123456789").token


def test_a_token_depends_on_the_key_and_cannot_be_made_without_one() -> None:
    assert Tokeniser(bytes(32)).person(None, "13800138000").token != TOKENISER.person(None, "13800138000").token
    with pytest.raises(ValueError, match="16"):
        Tokeniser(b"short")


@pytest.mark.parametrize(("name", "masked"), [("张三", "张*"), ("张三丰", "张*"), ("欧阳明华", "欧*"), ("Anna", "A*")])
def test_a_name_is_masked_to_its_first_character(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_without_a_phone_the_name_makes_the_token_and_without_both_there_is_none() -> None:
    by_name = TOKENISER.person("张三", None)
    assert by_name == Masked("张*", None, by_name.token)
    assert by_name.token not in (None, TOKENISER.person("张四", None).token)
    assert TOKENISER.person(None, None) == Masked(None, None, None)


def test_equal_names_have_equal_tokens_in_every_unicode_form() -> None:
    tokens = {
        columns_of(accepted(whole(BANQUET, host={"name": name})))["host_token"] for name in (" José", "Jose\u0301 ")
    }
    assert len(tokens) == 1


@pytest.mark.parametrize("phone", ["12", "张三", "7"])
def test_a_phone_that_is_too_short_to_mask_is_not_shown(phone: str) -> None:
    assert phone not in mask_phone(phone)
