"""Silence and idleness as spans: the same as a person finds who asks at every minute."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.indicator import SHANGHAI
from schemas.towns import CITY_CODE
from streams.alert_machine import AlertState
from streams.condition import SILENCES, SilenceRule, Subject, idle_spans, silent_spans, span_rows
from streams.conditions import machine_rows

MINUTE: Final = 60
DAY: Final = 1440
START: Final = int(datetime(2026, 11, 20, 0, 0, tzinfo=SHANGHAI).timestamp())
SEAL: Final = next(one for one in SILENCES if one.stream == "yangguang.seal")
CAMERA: Final = next(one for one in SILENCES if one.stream == "yangguang.camera")
TOWN: Final = Subject("no_data", "town", "330681003", "2h", "yangguang.seal")


def minute(number: int) -> int:
    return START + number * MINUTE


def fires(spoke: list[int], rule: SilenceRule, first: int, last: int) -> list[bool]:
    """Asks at every minute whether the alert fires: begun by silence within the hours, ended by an event."""
    length, firing, found = int(rule.length.total_seconds()) // 60, False, []
    all_day = (rule.from_hour, rule.until_hour) == (0, 24)  # then a silence may pass midnight
    for m in range(first, last + 1):
        before = [one for one in spoke if one < m]
        silent = bool(before) and m - before[-1] > length
        if not silent:
            firing = False
        elif all_day or (
            rule.from_hour * 60 <= (m - length) % DAY and (m - length) % DAY + length <= rule.until_hour * 60
        ):
            firing = True
        found.append(firing)
    return found


@given(
    st.lists(st.integers(0, 3 * DAY), unique=True, max_size=12).map(sorted),
    st.sampled_from([SEAL, CAMERA]),
    st.integers(0, 3 * DAY),
    st.integers(0, DAY),
)
def test_a_place_fires_at_the_minutes_at_which_its_stream_is_silent(
    spoke: list[int], rule: SilenceRule, first: int, length: int
) -> None:
    known = [one for one in spoke if one < first][-1:] + [one for one in spoke if first <= one < first + length]
    wanted = fires(known, rule, first, first + length)
    spans = list(silent_spans([minute(one) for one in known], rule, minute(first), minute(first + length)))
    found = [any(span.begin <= minute(m) < span.end for span in spans) for m in range(first, first + length + 1)]
    assert found == wanted


def test_a_night_without_orders_is_no_failure_and_the_morning_has_two_hours() -> None:
    evening = minute(21 * 60)
    [span] = silent_spans([evening], SEAL, evening, minute(2 * DAY))
    assert span.begin == minute(DAY + 12 * 60)


def test_a_place_that_never_spoke_is_not_silent() -> None:
    assert list(silent_spans([], CAMERA, minute(0), minute(DAY))) == []


@given(st.lists(st.integers(0, DAY), unique=True, min_size=1, max_size=8).map(sorted), st.integers(1, DAY - 1))
def test_silence_judged_in_two_pieces_is_judged_the_same(spoke: list[int], cut: int) -> None:
    def run(state: AlertState, first: int, last: int) -> tuple[AlertState, list[tuple[str, str]]]:
        own = [minute(one) for one in spoke if one < first][-1:] + [minute(o) for o in spoke if first <= o < last]
        again = [one for one in own if state.since and one >= int(state.since.timestamp())]
        over = max(again[0] + MINUTE, minute(first)) if again else None
        spans = list(silent_spans(own, CAMERA, minute(first), minute(last)))
        after, rows = span_rows(TOWN, state, spans, over, minute(first), minute(last))
        return after, [(row["to_state"], row["transition_id"]) for row in rows]

    whole = run(AlertState(), 1, DAY)[1]
    middle, early = run(AlertState(), 1, cut)
    assert early + run(middle, cut + 1, DAY)[1] == whole


def test_a_place_whose_stream_speaks_and_that_counts_nothing_is_idle_until_there_is_something() -> None:
    noon, settle, hour = minute(12 * 60), 15 * MINUTE, 60 * MINUTE
    units = [(noon, 0), (noon + 30 * MINUTE, 4)]
    speaks = [noon - 40 * MINUTE]
    assert list(idle_spans(units, speaks, SEAL, hour, settle, noon, noon + hour)) == [(noon, noon + 30 * MINUTE)]
    evidence_of_before, not_counted_yet = noon - 61 * MINUTE, noon - 5 * MINUTE
    for said in ([], [evidence_of_before], [not_counted_yet]):
        assert not list(idle_spans(units[:1], said, SEAL, hour, settle, noon, noon + 9 * MINUTE))
    night = minute(2 * 60)
    assert not list(idle_spans([(night, 0)], [night - 40 * MINUTE], SEAL, hour, settle, night, night + hour))


def test_a_backlog_of_a_moment_is_not_told_and_what_is_not_named_is_not_well() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    states, told = machine_rows("stale", {"yangguang.seal": True}, {}, at)
    for number, wrong in enumerate(({"yangguang.seal": True}, {}, {"yangguang.seal": True}), 1):
        states, rows = machine_rows("stale", wrong, states, at + number * timedelta(minutes=1))
        told += rows
    changes = [row["to_state"] for row in told if row["transition_id"]]
    assert changes == ["pending", "firing"]
    assert [(one.subject, state.state) for one, state in states.items()] == [("yangguang.seal", "firing")]
    assert next(iter(states)).alert_id == f"stale.city.{CITY_CODE}.now.yangguang.seal"
    rare, _ = machine_rows("stale", {"yangguang.seal": True}, {}, at)
    _, rows = machine_rows("stale", {"yangguang.seal": True}, rare, at + timedelta(minutes=5), 5)
    assert [row["to_state"] for row in rows if row["transition_id"]] == ["firing"], (
        "judged rarely, and late all the time"
    )
    moment, _ = machine_rows("stale", {"yangguang.seal": True}, {}, at)
    over, rows = machine_rows("stale", {"yangguang.seal": False}, moment, at + timedelta(minutes=1))
    assert not over
    assert [row["to_state"] for row in rows if row["transition_id"]] == ["ok"]
