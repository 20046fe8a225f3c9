"""The file yangguang.toml: what is accepted, and what it makes of the catalogue."""

from datetime import date, timedelta
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration_channels import WebhookSettings
from pipeline.settings import Configuration, IndicatorSettings, RetentionSettings, read_configuration
from schemas.indicator import ALWAYS, LAST_DAY, Dated, Indicator, valid_on
from schemas.indicators import CATALOGUE, INDICATORS

SAMPLE: Final = """\
lateness = "60s"
takeaway_active_days = 30
[indicator.seal_coverage]
target = [{from = 2023-01-01, value = 0.90}]
recovery = 0.92
for = "10m"
floor = 30
settle = "15m"
alert_windows = ["1h"]
[indicator.eldercare_kitchens]
deadline = 2026-12-31
[channel.duty]
type = "webhook"        # console, webhook; later dingtalk, wecom, feishu, email, alertmanager, apprise
url = "http://127.0.0.1:9000/hook"
"""
DAYS: Final = st.dates(ALWAYS, LAST_DAY)
DAY: Final = timedelta(days=1)
MOST: Final = 999_999
"""Seconds of the longest duration that can be written in seconds."""
LEADS: Final = 'lead = [{from = 2023-01-01, value = "72h"}, {from = 2027-01-01, value = "48h"}]'


def configured(code: str, *lines: str) -> Indicator:
    """The catalogue's entry with these lines in its table."""
    text = "\n".join((f"[indicator.{code}]", *lines))
    (entry,) = (one for one in read_configuration(text, "f").catalogue() if one.code == code)
    return entry


def always_valid(value: Any) -> Dated[Any]:
    return Dated[Any].model_validate({"from": ALWAYS, "value": value})


def dated(key: str, several: dict[date, Any], shuffle: Random) -> str:
    """A dated list as TOML, one entry a line, in any order."""
    entries = [f"{{from = {day}, value = {value}}}" for day, value in several.items()]
    shuffle.shuffle(entries)
    return f"{key} = [\n" + ",\n".join(entries) + "\n]"


def test_the_published_sample_is_accepted() -> None:
    configuration = read_configuration(SAMPLE, "yangguang.toml")
    assert configuration.lateness == timedelta(seconds=60)
    entries = {one.code: one for one in configuration.catalogue()}
    update = {"recovery": (always_valid(0.92),)}
    assert entries.pop("seal_coverage") == CATALOGUE["seal_coverage"].model_copy(update=update)
    assert entries == {code: one for code, one in CATALOGUE.items() if code != "seal_coverage"}
    duty = configuration.channel["duty"]
    assert isinstance(duty, WebhookSettings)
    assert duty.url == "http://127.0.0.1:9000/hook"


def test_everything_is_optional() -> None:
    assert read_configuration("", "yangguang.toml") == Configuration()
    assert Configuration().catalogue() == list(INDICATORS)
    assert (Configuration().lateness, Configuration().takeaway_active_days) == (timedelta(seconds=60), 30)
    assert Configuration().retention == RetentionSettings()


def test_what_is_set_replaces_only_what_it_names() -> None:
    entry = configured("seal_coverage", 'for = "1h"', "deadline = 2027-12-31", 'alert_windows = ["24h", "7d"]')
    update = {"for_": timedelta(hours=1), "deadline": date(2027, 12, 31), "alert_windows": ("24h", "7d")}
    assert entry == CATALOGUE["seal_coverage"].model_copy(update=update)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("seal_coverage", "recovery = 0.9"),
        ("seal_coverage", "recovery = 1"),
        ("seal_coverage", "recovery = [{from = 2023-01-01, value = 0.92}]"),
        ("seal_coverage", "target = [{from = 2023-01-01, value = 0}, {from = 2027-01-01, value = 1.0}]"),
        ("seal_coverage", "floor = 0"),
        ("seal_coverage", "floor = [{from = 2026-01-01, value = 10}, {from = 2027-01-01, value = 50}]"),
        ("seal_coverage", "settle = '1d'"),
        ("seal_coverage", "settle = '0s'"),
        ("camera_online", "settle = '5m'"),
        ("seal_evidence", "floor = 10"),
        ("eldercare_kitchens", "target = [{from = 2027-01-01, value = 140}]"),
        ("eldercare_kitchens", "recovery = 15"),
        ("school_grade_c", "recovery = 0"),
        ("banquet_filed", "lead = '0s'"),
        ("banquet_filed", "lead = '3650d'"),
        ("banquet_filed", "lead = [{from = '2027-01-01', value = '48h'}]"),
        ("banquet_samples", "diners = 0"),
        ("finding_closure", "grace = '24h'"),
    ],
)
def test_these_are_accepted(code: str, line: str) -> None:
    assert configured(code, line) != CATALOGUE[code]


def _takes(code: str, name: str, value: str) -> bool:
    try:
        configured(code, f"{name} = {value}")
    except Exception:
        return False
    return True


@pytest.mark.parametrize("entry", INDICATORS, ids=lambda one: one.code)
def test_an_indicator_takes_its_own_parameters_of_their_own_type_and_no_others(entry: Indicator) -> None:
    every = {name for one in INDICATORS for name in one.parameters}
    for name in every:
        is_span = name in entry.parameters and isinstance(entry.parameters[name][0].value, timedelta)
        assert _takes(entry.code, name, "'5h'") == is_span
        assert _takes(entry.code, name, "7") == (name in entry.parameters and not is_span)


def test_no_parameter_has_the_name_of_another_key_of_its_table() -> None:
    keys = {field.alias or name for name, field in IndicatorSettings.model_fields.items()}
    assert not {name for entry in INDICATORS for name in entry.parameters} & (keys | {"for_"})


def test_a_parameter_that_is_set_stands_in_the_definition_and_until_its_first_day_the_catalogues_does() -> None:
    entry = configured("banquet_filed", LEADS, "diners = 50")
    assert [phase.version for phase in entry.phases()] == [
        "1, diners=50", "1, diners=50, lead=259200", "1, diners=50, lead=172800",
    ]  # fmt: skip
    assert entry.configured["diners"] == (always_valid(50),)
    assert entry.parameters == CATALOGUE["banquet_filed"].parameters
    later = configured("banquet_filed", 'lead = [{from = 2027-01-01, value = "48h"}]')
    assert [phase.version for phase in later.phases()] == ["1", "1, lead=172800"]
    assert later.phases()[0][2:] == CATALOGUE["banquet_filed"].phases()[0][2:]


def test_a_list_that_begins_later_leaves_the_catalogues_target_and_floor_until_then() -> None:
    entry = configured(
        "seal_coverage",
        "target = [{from = 2027-01-01, value = 0.95}]",
        "floor = [{from = 2027-01-01, value = 50}]",
        "recovery = [{from = 2027-01-01, value = 0.96}]",
    )
    for day, expected in ((date(2022, 12, 31), None), (date(2026, 12, 31), 0.9), (date(2027, 1, 1), 0.95)):
        assert entry.target_on(day) == expected
    assert [entry.floor_on(day) for day in (date(2020, 1, 1), date(2027, 1, 1))] == [30, 50]
    assert [entry.recovery_on(day) for day in (date(2026, 12, 31), date(2027, 1, 1))] == [0.92, 0.96]


@given(st.dictionaries(DAYS, st.integers(0, MOST), min_size=1, max_size=6), st.randoms(use_true_random=False), DAYS)
def test_the_value_of_a_day_is_that_of_the_latest_entry_not_after_it_in_whatever_order(
    several: dict[date, int], shuffle: Random, other: date
) -> None:
    spans = {day: f"'{value}s'" for day, value in several.items()}
    shares = {day: value / MOST for day, value in several.items()}
    low = dated("target", {ALWAYS: 0}, shuffle)
    coverage = configured("seal_coverage", low, dated("recovery", shares, shuffle), dated("floor", several, shuffle))
    targets = configured("seal_coverage", dated("target", shares, shuffle))
    filed = configured("banquet_filed", dated("diners", several, shuffle), dated("lead", spans, shuffle))
    for day in [other, *(day + step * DAY for day in several for step in (-1, 0, 1))]:
        before = [one for one in several if one <= day]
        value = several[max(before)] if before else None
        is_set = value is not None
        share = None if value is None else value / MOST
        assert valid_on(coverage.recovery, day) == share
        assert targets.target_on(day) == (share if is_set else CATALOGUE["seal_coverage"].target_on(day))
        assert coverage.floor_on(day) == (value if is_set else CATALOGUE["seal_coverage"].floor_on(day))
        assert valid_on(filed.configured["diners"], day) == value
        assert valid_on(filed.configured["lead"], day) == (timedelta(seconds=value) if value is not None else None)


@given(st.integers(0, MOST))
def test_a_plain_value_is_a_list_with_one_entry_that_was_always_valid(value: int) -> None:
    for code, key, written in (
        ("banquet_filed", "lead", f"'{value}s'"),
        ("banquet_filed", "diners", value),
        ("seal_coverage", "floor", value),
        ("seal_coverage", "recovery", 0.9 + value / (10 * MOST)),
    ):
        listed = configured(code, f"{key} = [{{from = {ALWAYS}, value = {written}}}]")
        assert configured(code, f"{key} = {written}") == listed


def test_heartbeats_are_kept_90_days_orders_for_ever_and_rejected_bytes_30_days_unless_said() -> None:
    kept = RetentionSettings()
    assert (kept.heartbeats, kept.orders, kept.rejected) == (timedelta(days=90), None, timedelta(days=30))
    text = '[retention]\nheartbeats = "31d"\norders = "62d"\nrejected = "1h"'
    kept = read_configuration(text, "f").retention
    assert (kept.heartbeats, kept.orders, kept.rejected) == (
        timedelta(days=31), timedelta(days=62), timedelta(hours=1),
    )  # fmt: skip
    fewer = read_configuration('takeaway_active_days = 0\n[retention]\norders = "60d"', "f")
    assert fewer.retention.orders == timedelta(days=60)
