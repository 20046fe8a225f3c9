"""Identifiers: ids inside `data`, towns, credit codes, licence numbers, and the names of findings."""

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_10

from schemas.findings import FINDINGS, finding_of
from schemas.registry import license_warning
from schemas.reject import Reason
from tests.schemas.events import (
    BANQUET,
    FINDING,
    KITCHEN,
    MEASURE,
    OPERATOR,
    ORDER,
    VILLAGE,
    accepted,
    kept,
    reason,
    whole,
)

_IDS = [(ORDER, "order_id"), (ORDER, "operator_id"), (OPERATOR, "operator_id"), (VILLAGE, "village_id"),
        (VILLAGE, "served_by"), (MEASURE, "measure_id"), (MEASURE, "measure"), (MEASURE, "operator_id"),
        (FINDING, "finding_id"), (FINDING, "camera_id"), (KITCHEN, "operator_id"), (BANQUET, "banquet_id"),
        (BANQUET, "village_id"), (BANQUET, "cook_id")]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), _IDS)
@pytest.mark.parametrize("text", ["x", "A-Za-z0-9._:-", "7" * 64, " x\u3000"])
def test_an_id_has_1_to_64_of_its_alphabet(kind: str, name: str, text: str) -> None:
    assert kept(kind, **{name: text}) == text.strip()


@pytest.mark.parametrize(("kind", "name"), _IDS)
@pytest.mark.parametrize("text", ["", " ", "x" * 65, "a b", "店", "a/b", "a\n b", "é", "a\x00", "１"])
def test_an_id_that_is_empty_too_long_or_outside_its_alphabet_is_a_bad_identifier(
    kind: str, name: str, text: str
) -> None:
    assert reason(whole(kind, **{name: text})) is Reason.BAD_IDENTIFIER


def test_an_id_is_nfc_so_the_kelvin_sign_is_a_k() -> None:
    assert kept(ORDER, order_id=" \u212a-1 ") == "K-1"
    assert kept(ORDER, order_id="\u212a" * 64) == "K" * 64


def test_there_are_23_towns_and_every_other_code_is_a_bad_identifier() -> None:
    with files("schemas").joinpath("data/towns.csv").open(encoding="utf-8") as source:
        codes = [row["town_code"] for row in csv.DictReader(source)]
    assert len(codes) == 23
    assert [kept(VILLAGE, town_code=code) for code in codes] == codes
    for code in ("330681", "330681999", "330682001", "暨阳", "", "33068100１"):
        assert reason(whole(VILLAGE, town_code=code)) is Reason.BAD_IDENTIFIER, code


@pytest.mark.parametrize("code", ["92330681MA2ABCDE1T", " 92330681MA2ABCDE1T "])
def test_a_valid_credit_code_is_kept(code: str) -> None:
    assert kept(OPERATOR, uscc=code) == "92330681MA2ABCDE1T"


@pytest.mark.parametrize(
    "code",
    ["92330681MA2ABCDE1X", "92330681MA2ABCDE1", "92330681MA2ABCDE1TT", "92330681MA2IBCDE1T", "92330681MA2OBCDE1T",
     "92330681MA2SBCDE1T", "92330681MA2VBCDE1T", "92330681MA2ZBCDE1T", "", " ", "x" * 300],
)  # fmt: skip
def test_a_credit_code_that_is_not_valid_is_a_bad_identifier(code: str) -> None:
    assert reason(whole(OPERATOR, uscc=code)) is Reason.BAD_IDENTIFIER


@pytest.mark.parametrize("code", ["9233 0681 MA2A BCDE 1T", "92330681-MA2ABCDE1-T", "92330681ma2abcde1t"])
def test_a_credit_code_is_18_characters_of_its_alphabet_as_they_are_written(code: str) -> None:
    assert reason(whole(OPERATOR, uscc=code)) is Reason.BAD_IDENTIFIER


@pytest.mark.parametrize("number", ["JY23306810001236", "JY33306810004560", "JY13306810001230", " JY23306810001236 "])
def test_a_food_licence_number_is_jy_one_to_three_and_13_digits(number: str) -> None:
    assert kept(OPERATOR, license_no=number) == number.strip()


@pytest.mark.parametrize(
    "number",
    ["JY43306810001236", "JY2330681000123", "JY233068100012366", "jy23306810001236", "XY23306810001236", "",
     "JY2330681000123X", "JY2330681000123６", "JY 23306810001236", "x" * 300],
)  # fmt: skip
def test_another_food_licence_number_is_a_bad_identifier(number: str) -> None:
    assert reason(whole(OPERATOR, license_no=number)) is Reason.BAD_IDENTIFIER


def test_the_number_of_a_registered_shop_follows_no_rule_of_licences() -> None:
    event = whole(OPERATOR, license_kind="small_catering", license_no="浙小餐饮 0681-7")
    assert accepted(event).data.__dict__["license_no"] == "浙小餐饮 0681-7"
    accepted(whole(OPERATOR, license_kind=None, license_no="XY1"))
    accepted(whole(OPERATOR, license_no=None))


def test_a_wrong_check_digit_is_a_warning_and_no_rejection() -> None:
    assert kept(OPERATOR, license_no="JY23306810001237") == "JY23306810001237"
    assert license_warning("food_license", "JY23306810001237")
    assert not license_warning("food_license", "JY23306810001236")
    assert not license_warning("food_license", "JY33306810004560")
    assert not license_warning("small_catering", "JY23306810001237")
    assert not license_warning("food_license", None)
    assert not license_warning(None, "JY23306810001237")


@given(st.sampled_from("123"), st.text("0123456789", min_size=12, max_size=12))
def test_one_check_digit_of_ten_has_no_warning(use: str, body: str) -> None:
    digits = use + body
    right = [digit for digit in "0123456789" if not license_warning("food_license", f"JY{digits}{digit}")]
    assert right == [mod_11_10.calc_check_digit(digits)]


_ALIASES = {
    "NO_CHEF_HAT": "CHEF_HAT 605 100600",
    "NO_MASK": "CHEF_RESPIRATOR 606 100200",
    "NO_UNIFORM": "CHEF_CLOTH 609 102500",
    "NO_GLOVES": "RUBBER_GLOVE 608",
    "PHONE_USE": "CALL 604",
    "BIN_UNCOVERED": "TRASHBIN 612",
    "FLOOR_WATER": "611",
    "IMPROPER_PLACEMENT": "613",
    "SMOKING": "SMOKING 607 100500",
    "LEAVE_POST": "LEAVE_POST 618",
    "RAW_COOKED_MIX": "",
    "STRANGER": "INTRUSION",
    "CAM_COVERED": "IMAGE_COVER_ALERT 615",
    "CAM_SHIFTED": "616",
    "CAM_OFFLINE": "",
    "CAM_BLURRED": "",
    "FLAME_UNATTENDED": "FLAME_WITHOUT_HUMAN",
    "RODENT": "MICE 614 102300",
    "PEST": "",
    "OPEN_FIRE": "FIRE 619",
    "UNKNOWN": "",
}


@pytest.mark.parametrize("code", _ALIASES)
def test_a_finding_is_known_by_its_name_and_by_the_vendors_aliases(code: str) -> None:
    for name in (code, *_ALIASES[code].split()):
        assert finding_of(name) == code
        accepted(whole(FINDING, finding=name))


def test_the_findings_are_the_published_ones() -> None:
    assert {one.code for one in FINDINGS} == set(_ALIASES)
    assert {one.severity for one in FINDINGS} == {"minor", "major", "critical", ""}
    assert all(one.label for one in FINDINGS)


@pytest.mark.parametrize("name", ["999999", "no_mask", " NO_MASK", "NO_MAS\u212a", "戴帽"])
def test_a_finding_that_no_table_knows_becomes_unknown_and_the_event_is_kept(name: str) -> None:
    assert finding_of(name) == "UNKNOWN"
    assert finding_of(kept(FINDING, finding=name)) == "UNKNOWN"
    assert finding_of(accepted(whole(FINDING, finding=name, zone="NaN")).data.__dict__["finding"]) == "UNKNOWN"


def test_the_vendors_own_code_is_kept_raw() -> None:
    for code in (" 606 ", "e\u0301", "606"):
        assert kept(FINDING, vendor_code=code) == code
        assert accepted(whole(FINDING, vendor_code=code, zone="NaN")).data.__dict__["vendor_code"] == code
