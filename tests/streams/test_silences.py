"""A place whose stream says nothing has no value: its alerts neither fire nor resolve, and go on where they were."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.indicators import CATALOGUE
from streams.alert import Evaluation, Place
from streams.alert_machine import AlertState, Value, alert_id
from streams.silences import Silences
from tests.streams.test_evaluation import MINUTE, SEAL, START, points

CODE = "330681001"
TOWN = Place("town", CODE, "1h")
OK = AlertState()
FIRING = AlertState("firing", START, 0)
BAD, GOOD = Value(10, 100, 0), Value(100, 100, 0)


def change(state: str, minute: int, stream: str = "yangguang.seal") -> Mapping[str, Any]:
    return {"subject": stream, "scope": "town", "scope_id": CODE, "to_state": state, "as_of": START + minute * MINUTE}


def silent(*minutes: int) -> Silences:
    """Silence begins at the first minute, ends at the second, and so on."""
    found = Silences()
    states = ("firing", "resolved") * len(minutes)
    found.restart([change(state, at) for state, at in zip(states, minutes, strict=False)], {})
    return found


def states(values: list[Value], silences: Silences, before: AlertState = OK) -> list[tuple[str, int]]:
    known = {alert_id(SEAL.code, *TOWN): before}
    evaluation = Evaluation(SEAL, known, silences.of(SEAL))
    evaluation.run(points({TOWN: values}, START), START, START + timedelta(minutes=len(values) - 1))
    return [(row["to_state"], int((row["as_of"] - START) / MINUTE)) for row in evaluation.rows if row["transition_id"]]


def test_bad_numbers_of_a_silent_place_do_not_fire() -> None:
    assert states([BAD] * 40, silent(0)) == []
    assert states([BAD] * 40, silent(0, 20)) == [("pending", 20), ("firing", 30)]


def test_the_time_of_for_stands_still_while_it_is_silent() -> None:
    assert states([BAD] * 40, silent(5, 20)) == [("pending", 0), ("firing", 25)]
    assert states([BAD] * 40, silent(2, 4, 6, 8)) == [("pending", 0), ("firing", 14)]


def test_what_fires_does_not_resolve_because_bad_hours_leave_the_window_of_a_silent_place() -> None:
    assert states([GOOD] * 40, silent(0), FIRING) == []
    assert states([GOOD] * 40, silent(0, 20), FIRING) == [("resolved", 30)]


def test_only_what_the_silent_stream_counts_has_no_value() -> None:
    known = silent(0)
    assert known.of(SEAL)
    assert not known.of(CATALOGUE["camera_online"])
    assert not known.of(CATALOGUE["kitchen_build"]), "stock holds until it is changed"


def test_silence_goes_on_where_it_was_when_its_minutes_are_told_one_tick_after_the_other() -> None:
    whole, piecewise = silent(5, 20), Silences()
    at: datetime = START + 30 * MINUTE
    assert piecewise.until(SEAL) is None
    piecewise.note("yangguang.seal", [change("firing", 5)], START + 10 * MINUTE)
    assert piecewise.until(SEAL) == START + 10 * MINUTE
    piecewise.note("yangguang.camera", [change("firing", 7, "yangguang.camera")], at)
    piecewise.note("yangguang.seal", [change("resolved", 20)], at)
    assert piecewise.of(SEAL) == whole.of(SEAL)
    assert piecewise.until(SEAL) == at
    piecewise.restart([], {})
    assert piecewise.until(SEAL) is None
    assert not piecewise.of(SEAL)
