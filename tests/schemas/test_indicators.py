"""Entries of the catalogue: durations, dated targets, the recovery level and its default."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.indicators import CATALOGUE, Dated, Indicator, parse_duration, window_length

BUILD = CATALOGUE["kitchen_build"]
COVERAGE = CATALOGUE["seal_coverage"]
TODAY = date(2026, 11, 23)


def dated(day: date, value: float) -> Dated:
    """One entry of a target."""
    return Dated.model_validate({"from": day, "value": value})


def changed(indicator: Indicator, **fields: Any) -> Indicator:
    """The entry with other fields, validated."""
    return Indicator(**{**{name: getattr(indicator, name) for name in type(indicator).model_fields}, **fields})


def at(target: float, **fields: Any) -> Indicator:
    """The build rate with another target."""
    return changed(BUILD, target=(dated(date(2023, 1, 1), target),), **fields)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("10m", 600), ("1h", 3600), ("24h", 86_400), ("30d", 2_592_000), ("0s", 0)]
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "-5m", "10 m", "10M", "1w", "1h30m", "PT10M", " 10m", "１m"])
def test_any_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="whole number and a unit"):
        parse_duration(text)


def test_a_window_has_the_length_that_its_name_says() -> None:
    assert [window_length(one) for one in ("1h", "24h", "7d", "30d", "365d")] == [
        timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30), timedelta(days=365),
    ]  # fmt: skip


def test_a_dated_target_is_valid_from_its_day_until_the_next() -> None:
    indicator = changed(BUILD, target=(dated(date(2027, 1, 1), 0.95), dated(date(2023, 1, 1), 0.90)))
    days = [date(2022, 12, 31), date(2023, 1, 1), date(2026, 12, 31), date(2027, 1, 1), date(2030, 1, 1)]
    assert [indicator.target_on(day) for day in days] == [None, 0.90, 0.90, 0.95, 0.95]
    assert [indicator.recovery_on(day) for day in days] == [None, 0.92, 0.92, 0.97, 0.97]


@given(st.integers(1, 99))
def test_the_recovery_level_of_a_rate_is_two_points_above_its_target_and_at_most_one(percent: int) -> None:
    recovery = at(percent / 100).recovery_on(TODAY)
    expected = min(percent + 2, 100)
    assert recovery == pytest.approx(expected / 100)
    assert recovery is not None
    assert expected / 100 >= recovery, f"{expected} of 100 is at the recovery level and does not recover"


def test_the_recovery_level_of_full_coverage_and_of_counts_is_the_target() -> None:
    assert at(1.0).recovery_on(TODAY) == 1.0
    assert at(14, counts=True).recovery_on(TODAY) == 14
    assert at(1, counts=True).recovery_on(TODAY) == 1
    assert at(0, counts=True, comparator="<=").recovery_on(TODAY) == 0


def test_a_recovery_level_that_was_set_is_taken() -> None:
    assert at(0.90, recovery=0.95).recovery_on(TODAY) == 0.95


def test_the_published_targets_and_defaults_stand_in_the_catalogue() -> None:
    assert (BUILD.target_on(TODAY), BUILD.comparator, BUILD.kind) == (0.90, ">=", "stock")
    assert (COVERAGE.target_on(TODAY), COVERAGE.comparator, COVERAGE.kind) == (0.90, ">=", "flow")
    assert COVERAGE.local_target
    for shown_only in ("kitchen_build_loose", "seal_evidence"):
        assert CATALOGUE[shown_only].target_on(TODAY) is None
    for indicator in CATALOGUE.values():
        flow = indicator.kind == "flow"
        assert indicator.for_ == timedelta(minutes=10)
        assert indicator.floor == (30 if flow else 1)
        assert indicator.alert_windows == (("1h",) if flow else ("now",))
        assert indicator.windows == (("1h", "24h", "7d", "30d") if flow else ("now",))
        assert indicator.settle == timedelta(minutes=15 if indicator.code.startswith("seal_") else 0)
        assert indicator.scopes == ("city", "town", "platform")
        assert indicator.definition
        assert indicator.definition_from


@pytest.mark.parametrize("fields", [{"kind": "ratio"}, {"comparator": ">"}, {"colour": "red"}, {"scopes": ("shop",)}])
def test_an_entry_with_a_wrong_key_or_value_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(BUILD, **fields)
