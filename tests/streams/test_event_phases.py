"""Phases of event alerts agree with a judgement minute by minute, and pieces with the whole."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.event_alerts import EVENT_ENTRIES
from sinks.clickhouse.event_records import Known, SchoolCamera, Version
from streams.event_phases import dark_phases, judged, phases
from streams.slots import open_slots
from tests.streams.event_place import MINUTE, T0, TOWN, always_set

ENTRIES: Final = {one.code: one for one in EVENT_ENTRIES}
SPAN: Final = 40


def moments(least: int = -5) -> st.SearchStrategy[datetime]:
    return st.integers(least * 60, SPAN * 60).map(lambda seconds: T0 + timedelta(seconds=seconds))


@st.composite
def histories(draw: st.DrawFn) -> list[Version]:
    """Records of one great banquet that people change their minds about."""
    found = []
    for moment in sorted(draw(st.lists(moments(), min_size=1, max_size=5))):
        record = {
            "town_code": TOWN,
            "status": draw(st.sampled_from(["filed", "returned", "guided", "cancelled"])),
            "diners": draw(st.sampled_from([50, 100, 300])),
            "held_at": draw(moments(0)) + draw(st.sampled_from([timedelta(), timedelta(hours=24)])),
            "guided_at": draw(st.none() | moments(0)),
            "cook_id": draw(st.sampled_from(["a", "b", None])),
        }
        found.append(Version(moment, record))
    return found


@st.composite
def cooks(draw: st.DrawFn) -> dict[str, list[Version]]:
    days = st.none() | st.sampled_from([date(2026, 11, 19), date(2026, 11, 25)])
    return {
        cook: [
            Version(moment, {"training_valid_until": draw(days), "health_valid_until": draw(days)})
            for moment in sorted(draw(st.lists(moments(), max_size=3)))
        ]
        for cook in "ab"
    }


def current(history: Sequence[Version], minute: datetime) -> Mapping[str, Any] | None:
    past = [one.record for one in history if one.time < minute]
    return past[-1] if past else None


def holds_at(code: str, own: list[Version], others: dict[str, list[Version]], minute: datetime) -> bool | None:
    record = current(own, minute)
    if record is None:
        return None
    other = current(others.get(record["cook_id"], []), minute) if ENTRIES[code].refers_to else None
    bounds = ENTRIES[code].holds(record, other, ENTRIES[code].parameters)
    return bounds is not None and bounds.begin <= minute < bounds.end


BANQUETS: Final = st.sampled_from(["banquet_unguided", "banquet_cook_uncertified"])


@given(BANQUETS, histories(), cooks())
def test_phases_say_what_a_judgement_of_every_minute_says(
    code: str, own: list[Version], others: dict[str, list[Version]]
) -> None:
    life = phases(ENTRIES[code], own, others)
    for offset in range(-6, SPAN + 3):
        minute = T0 + offset * MINUTE
        said = [one.holds for one in life if one.begin <= minute]
        assert (said[-1] if said else None) == holds_at(code, own, others, minute)


@given(BANQUETS, histories(), cooks(), st.sets(st.integers(0, SPAN - 1)))
def test_minutes_judged_in_pieces_give_the_transitions_of_all_at_once(
    code: str, own: list[Version], others: dict[str, list[Version]], cuts: set[int]
) -> None:
    life = phases(ENTRIES[code], own, others)
    known, whole = judged(code, "b", life, None, T0, T0 + SPAN * MINUTE)
    state: Known | None = None
    pieces: list[dict[str, Any]] = []
    first = 0
    for last in [*sorted(cuts), SPAN]:
        minute = T0 + last * MINUTE
        past = [one for one in own if one.time < minute]
        before = {cook: [one for one in theirs if one.time < minute] for cook, theirs in others.items()}
        state, rows = judged(code, "b", phases(ENTRIES[code], past, before), state, T0 + first * MINUTE, minute)
        pieces += rows
        first = last + 1
    assert (state, pieces) == (known, whole)


def school_camera(hours: tuple[str, str] = ("06:00", "18:00"), *, school: bool = True) -> SchoolCamera:
    return SchoolCamera("cam", "school", TOWN, T0 - timedelta(days=3), open_slots([hours]), school)


def bits(slots: Sequence[bool], begin: datetime) -> dict[int, int]:
    found: dict[int, int] = {}
    for index, well in enumerate(slots):
        start = int(begin.timestamp()) + 300 * index
        found[start // 3600 * 3600] = found.get(start // 3600 * 3600, 0) | well << start % 3600 // 300
    return found


@given(st.lists(st.booleans(), min_size=24, max_size=24), st.sets(st.integers(0, 119)), st.integers(1, 5))
def test_a_camera_is_dark_after_its_silence_and_well_after_one_slot(
    slots: list[bool], cuts: set[int], length: int
) -> None:
    healthy, silence = bits(slots, T0), {"silence": always_set(length * 5 * MINUTE)}
    dark, expected = False, []
    for index in range(length, 24):
        if slots[index] if dark else not any(slots[index - length + 1 : index + 1]):
            dark = not dark
            expected.append((T0 + (index + 1) * 5 * MINUTE, dark))
    first, state, found = T0 + length * 5 * MINUTE + MINUTE, False, []
    for last in [*sorted(T0 + one * MINUTE for one in cuts), T0 + timedelta(hours=2)]:
        if last < first:
            continue
        for one in dark_phases(school_camera(), healthy, first, last, state, silence):
            state = one.holds
            found.append((one.begin, one.holds))
        first = last + MINUTE
    assert found == expected


def test_nobody_misses_a_camera_after_hours_or_on_a_day_without_school() -> None:
    hour = timedelta(hours=1)
    assert dark_phases(school_camera(("06:00", "09:00")), {}, T0, T0 + hour, False) == []
    assert dark_phases(school_camera(), {}, T0 + timedelta(days=1), T0 + timedelta(days=1, hours=1), False) == []
    assert [one.holds for one in dark_phases(school_camera(), {}, T0, T0 + hour, False)] == [True]


def test_a_camera_that_is_dark_at_closing_time_stays_so_until_it_is_seen_in_business_hours() -> None:
    closed = school_camera(("06:00", "09:00"))
    assert dark_phases(closed, bits([True] * 12, T0), T0, T0 + timedelta(hours=1), True) == []


def test_two_dark_slots_before_closing_and_one_in_the_morning_are_not_three_in_a_row() -> None:
    camera = school_camera(("06:00", "10:10"))
    monday = T0 + timedelta(days=3)
    well_until_closing = bits([True] * 50, T0 - timedelta(minutes=250))
    morning = monday.replace(hour=22, minute=0) - timedelta(days=1)
    found = dark_phases(camera, well_until_closing, T0, morning + timedelta(minutes=30), False)
    assert [one.begin for one in found] == [morning + timedelta(minutes=15)]
