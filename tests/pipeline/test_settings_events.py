"""What `[event.CODE]` may say, and what the alert stage makes of it."""

from datetime import date, timedelta

import pytest

from pipeline.settings import SettingsError, read_configuration
from schemas.event_alerts import EVENT_ENTRIES, EVENT_PARAMETERS, SCHOOL_CAMERA_DARK, EventRules
from schemas.indicator import value_on

DAY = date(2026, 11, 20)


def rules(text: str) -> EventRules:
    return read_configuration(text, "f").event.rules()


def values(found: EventRules) -> dict[str, dict[str, object]]:
    """What is valid on a day, of all alerts."""
    several = {one.code: one.parameters for one in found.entries} | {SCHOOL_CAMERA_DARK: found.camera}
    return {code: {name: value_on(one, DAY) for name, one in named.items()} for code, named in several.items()}


def test_without_a_table_alerts_are_as_they_were_agreed() -> None:
    assert rules("") == EventRules()
    assert values(rules("")) == {
        "finding_critical": {},
        "banquet_unguided": {"diners": 100, "lead": timedelta(hours=24)},
        "banquet_cook_uncertified": {"diners": 300},
        "supplier_certificate_ending": {"notice": timedelta(days=30)},
        "school_camera_dark": {"silence": timedelta(minutes=15)},
    }


def test_every_number_can_be_another() -> None:
    found = values(
        rules(
            '[event]\nbanquet_unguided = {diners = 50, lead = "48h"}\nbanquet_cook_uncertified.diners = 200\n'
            'supplier_certificate_ending.notice = "60d"\nschool_camera_dark.silence = "1h"'
        )
    )
    assert found["banquet_unguided"] == {"diners": 50, "lead": timedelta(hours=48)}
    assert found["banquet_cook_uncertified"] == {"diners": 200}
    assert found["supplier_certificate_ending"] == {"notice": timedelta(days=60)}
    assert found["school_camera_dark"] == {"silence": timedelta(hours=1)}
    assert {code for code, one in found.items() if one} == EVENT_PARAMETERS.keys()


@pytest.mark.parametrize(("day", "diners"), [("2026-11-20", 50), ("2026-11-21", 100)])
def test_until_the_first_day_of_a_list_the_default_holds(day: str, diners: int) -> None:
    found = values(rules(f"[event.banquet_unguided]\ndiners = [{{from = {day}, value = 50}}]"))
    assert found["banquet_unguided"] == {"diners": diners, "lead": timedelta(hours=24)}


def test_an_alert_without_parameters_is_the_same_in_every_configuration() -> None:
    (finding, *_), (same, *_) = EVENT_ENTRIES, rules("[event.banquet_unguided]\ndiners = 50").entries
    assert same == finding


UNGUIDED = "[event.banquet_unguided]\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (f"{UNGUIDED}diners = 0", 2, "event.banquet_unguided.diners: should be greater than or equal to 1"),
        (f"{UNGUIDED}diners = '100'", 2, "event.banquet_unguided.diners: should be a whole number"),
        (f"{UNGUIDED}diners = []", 2, "event.banquet_unguided.diners: the list is empty: add an entry"),
        (f"{UNGUIDED}diners = {{from = 2027-01-01, value = 1}}", 2, "should be a value or a list such as"),
        (
            f"{UNGUIDED}diners = [{{from = 2027-01-01, value = 1}}, {{from = 2027-01-01, value = 2}}]",
            2,
            "there is another entry from 2027-01-01: keep one of them",
        ),
        (f"{UNGUIDED}diners = 9\nlead = '90s'", 3, "event.banquet_unguided.lead: should be whole minutes"),
        (f"{UNGUIDED}lead = '1m'", 2, "event.banquet_unguided.lead: should be from 5m to 365d"),
        (f"{UNGUIDED}lead = 24", 2, "event.banquet_unguided.lead: should be a whole number and a unit in quotes"),
        (f"{UNGUIDED}leed = '24h'", 2, "event.banquet_unguided.leed: the key is not known: use diners, lead"),
        ("[event.banquet_cook_uncertified]\ndiners = 1.5", 2, "diners: should be a whole number"),
        ("[event.supplier_certificate_ending]\nnotice = '36h'", 2, "notice: should be whole days, from 1d to 3650d"),
        ("[event.supplier_certificate_ending]\nnotice = '0d'", 2, "notice: should be whole days, from 1d to 3650d"),
        ("[event.school_camera_dark]\nsilence = '7m'", 2, "silence: should be a multiple of 5m, from 5m to 12h"),
        ("[event.school_camera_dark]\nsilence = '13h'", 2, "silence: should be a multiple of 5m, from 5m to 12h"),
        (
            "[event.finding_critical]\ndiners = 1",
            1,
            "event.finding_critical: the key is not known: use banquet_cook_uncertified, banquet_unguided, school_",
        ),
        ("event = 3", 1, "event: should be a table"),
    ],
)
def test_what_it_may_not_say_is_refused_with_line_and_reason(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_configuration(text, "yangguang.toml")
    assert str(caught.value).startswith(f"yangguang.toml, line {line}: ")
    assert message in str(caught.value)


def test_an_unknown_key_of_messages_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"notify\.sumary: the key is not known: use base_url, summary"):
        read_configuration("[notify]\nsumary = 'off'", "yangguang.toml")
