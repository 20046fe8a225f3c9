"""What an entry derives: values of a day, the recovery level, streams, and the phases of its definition."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.durations import parse_duration, window_length
from schemas.indicator import (
    ALWAYS,
    END,
    LAST_DAY,
    Dated,
    Definition,
    Indicator,
    Number,
    Phase,
    always,
    followed_by,
    percent,
    valid_on,
)
from schemas.indicators import CATALOGUE

BUILD: Final = CATALOGUE["kitchen_build"]
TODAY: Final = date(2026, 11, 23)
DAYS: Final = st.dates(ALWAYS, LAST_DAY)
DAY: Final = timedelta(days=1)


def changed(indicator: Indicator, **fields: Any) -> Indicator:
    """The entry with other fields, validated."""
    return Indicator(**{**{name: getattr(indicator, name) for name in type(indicator).model_fields}, **fields})


def listed(several: dict[date, Any]) -> list[dict[str, Any]]:
    """A dated list in the order given."""
    return [{"from": day, "value": value} for day, value in several.items()]


def dated(several: dict[date, float]) -> tuple[Dated[float], ...]:
    """A dated list, read."""
    return tuple(Dated[Number].model_validate(one) for one in listed(several))


def at(target: float, **fields: Any) -> Indicator:
    """The build rate with another target."""
    return changed(BUILD, target=dated({date(2023, 1, 1): target}), **fields)


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
    assert [window_length(one) for one in ("1h", "24h", "7d", "30d", "365d", "now")] == [
        timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30), timedelta(days=365), timedelta(0),
    ]  # fmt: skip


@given(st.dictionaries(DAYS, st.floats(0, 1), min_size=1, max_size=6), st.randoms(use_true_random=False), DAYS)
def test_the_value_of_a_day_is_that_of_the_latest_entry_not_after_it_in_whatever_order(
    several: dict[date, float], random: Any, other: date
) -> None:
    days = list(several)
    random.shuffle(days)
    entries = dated({day: several[day] for day in days})
    near = [day + step * DAY for day in several for step in (-1, 0, 1)]
    for day in [*near, other]:
        before = [one for one in several if one <= day]
        assert valid_on(entries, day) == (several[max(before)] if before else None)


@given(st.floats(0, 1), DAYS)
def test_a_plain_value_is_a_list_with_one_entry_that_was_always_valid(value: float, day: date) -> None:
    plain, entry = changed(BUILD, recovery=value), changed(BUILD, recovery=listed({ALWAYS: value}))
    assert plain == entry
    assert plain.recovery_on(day) == value
    assert always(listed({day: value})) == listed({day: value})


@given(
    st.dictionaries(DAYS, st.floats(0, 1), max_size=4),
    st.dictionaries(DAYS, st.floats(0, 1), max_size=4),
    DAYS,
)
def test_what_follows_replaces_all_from_its_first_day_on_and_nothing_before(
    first: dict[date, float], later: dict[date, float], other: date
) -> None:
    both = followed_by(dated(first), dated(later))
    for day in [*first, *later, other]:
        rules = first if not later or day < min(later) else later
        assert valid_on(both, day) == valid_on(dated(rules), day)


NO_DAYS: Final = (
    datetime.fromisoformat("2027-01-01"), datetime.fromisoformat("2027-01-01T12:00:00+08:00"), time(1),
    0, 1.0, True, None, "soon", "2027-01-01T00:00:00", "1798761600",
    date(1999, 12, 31), date(2100, 1, 1), date.min, date.max,
)  # fmt: skip


@pytest.mark.parametrize("day", NO_DAYS)
def test_a_day_is_a_day_of_this_century_without_a_time(day: object) -> None:
    with pytest.raises(ValidationError, match="without a time"):
        Dated[Number].model_validate({"from": day, "value": 1})


def test_a_dated_target_is_valid_from_its_day_until_the_next() -> None:
    indicator = changed(BUILD, target=dated({date(2027, 1, 1): 0.95, date(2023, 1, 1): 0.90}))
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


def test_a_recovery_level_that_was_set_is_taken_from_its_day_on() -> None:
    assert at(0.90, recovery=0.95).recovery_on(TODAY) == 0.95
    later = at(0.90, recovery=listed({date(2027, 1, 1): 0.95}))
    assert [later.recovery_on(day) for day in (TODAY, date(2027, 1, 1))] == [0.92, 0.95]


@pytest.mark.parametrize(
    "fields",
    [{"kind": "ratio"}, {"comparator": ">"}, {"colour": "red"}, {"scopes": ("shop",)}, {"relation": "shops"},
     {"floor": -1}, {"floor": 1.0}, {"floor": 2**32}, {"recovery": "0.9"}, {"recovery": float("nan")},
     {"parameters": {"diners": True}}, {"parameters": {"diners": "many"}}],
)  # fmt: skip
def test_an_entry_with_a_wrong_key_or_value_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(BUILD, **fields)


def test_streams_follow_from_the_words_of_all_definitions_but_not_from_texts_in_quotes() -> None:
    plain = changed(BUILD, where="kind = 'kitchen'", numerator="true", unknown="false")
    assert plain.streams == ("yangguang.registry",)
    assert changed(plain, unknown="kitchen = ''").streams == ("yangguang.registry", "yangguang.camera")
    former = Definition.model_validate({"version": "0", "from": ALWAYS, "where": "ordered", "numerator": "true"})
    assert changed(plain, former=(former,)).streams == ("yangguang.registry", "yangguang.seal")


SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NUMBERS: Final = st.dictionaries(DAYS, st.integers(0, 3), max_size=4)
SPANS: Final = st.dictionaries(DAYS, st.integers(0, 3).map(lambda hours: timedelta(hours=hours)), max_size=4)
DEFAULTS: Final = {"diners": 100, "lead": timedelta(hours=72)}


def _value(configured: dict[date, Any], name: str, day: date) -> tuple[Any, bool]:
    """By the rule: what is configured from its first day on, the catalogue's value before; and which it is."""
    before = [one for one in configured if one <= day]
    return (configured[max(before)], True) if before else (DEFAULTS[name], False)


@given(NUMBERS, SPANS, st.lists(DAYS, max_size=3, unique=True), st.lists(DAYS, max_size=4))
def test_phases_cover_all_time_and_each_day_has_its_values_and_definition(
    diners: dict[date, int], lead: dict[date, timedelta], versions: list[date], others: list[date]
) -> None:
    current, *former = sorted(versions, reverse=True) or [ALWAYS]
    configured = {name: listed(several) for name, several in (("diners", diners), ("lead", lead)) if several}
    entry = changed(
        BUILD,
        where=f"{current}: {{diners}}",
        numerator="{lead}",
        parameters=DEFAULTS,
        configured=configured,
        definition=str(current),
        definition_from=current,
        former=tuple(
            Definition.model_validate(
                {"version": str(day), "from": day, "where": f"{day}: {{diners}}", "numerator": "{lead}"}
            )
            for day in former
        ),
    )
    phases = entry.phases()
    assert [phases[0].begin, *(one.end for one in phases)] == [*(one.begin for one in phases), END]
    assert phases[0].begin == 0
    assert all(one.begin < one.end for one in phases)
    assert all(one[2:] != following[2:] for one, following in pairwise(phases))
    days = {*diners, *lead, *versions, *others, ALWAYS, LAST_DAY}
    for day in {max(ALWAYS, day + step * DAY) for day in days for step in (-1, 0, 1)}:
        known = [one for one in sorted(versions) if one <= day] or sorted(versions)[:1] or [ALWAYS]
        words = [str(known[-1])]
        number, is_set = _value(diners, "diners", day)
        words += [f"diners={number}"] if is_set else []
        span, is_set = _value(lead, "lead", day)
        words += [f"lead={int(span.total_seconds())}"] if is_set else []
        midnight = int(datetime.combine(day, time(), SHANGHAI).timestamp())
        for second in (midnight, midnight + 86_399):
            (phase,) = (one for one in phases if one.begin <= second < one.end)
            assert phase.version == ", ".join(words)
            assert (phase.where, phase.numerator) == (f"{known[-1]}: {number}", str(int(span.total_seconds())))


def test_a_parameter_that_changes_on_a_day_begins_a_phase_at_its_midnight_in_shanghai() -> None:
    lead = listed({date(2027, 1, 1): "48h"})
    before, after = changed(CATALOGUE["banquet_filed"], configured={"lead": lead}).phases()
    assert before == Phase(0, after.begin, "1", *CATALOGUE["banquet_filed"].phases()[0][3:])
    assert datetime.fromtimestamp(after.begin, SHANGHAI) == datetime(2027, 1, 1, tzinfo=SHANGHAI)
    assert (after.end, after.version) == (END, "1, lead=172800")
    assert after.numerator == "declared_at <= held_at - toIntervalSecond(172800)"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "100.0%"), (3907 / 3908, "99.9%"), (0.9994, "99.9%"), (0.93, "93.0%"), (0.57, "57.0%"), (0.0, "0.0%")],
)
def test_a_share_is_shown_as_whole_only_when_it_is(share: float, shown: str) -> None:
    assert percent(share) == shown
