"""Event alerts whose events turn out to be others, or of which one entity has two."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.camera import Finding
from schemas.registry import Operator
from tests.streams.event_place import MINUTE, T0, TOWN, Place, event


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A cook who is certified from minute 20 on."""
    place = Place(tmp_path_factory.mktemp("events"))
    cook = {"status": "active", "name": "某单位", "operator_id": "cook", "kind": "banquet_cook",
            "health_valid_until": date(2027, 1, 1)}  # fmt: skip
    place.insert("raw_operators", **event("o1", -50), **cook, training_valid_until=date(2026, 11, 1))
    place.insert("raw_operators", **event("o2", 20), **cook, training_valid_until=date(2027, 11, 1))
    yield place
    place.stop()


def finding(name: str, minutes: float, review: str, subject: str, **given: Any) -> dict[str, Any]:
    told = {"finding_id": subject, "finding": "RODENT", "review": review, "camera_id": "cam", "operator_id": "school"}
    return {**event(name, minutes), **told, "vendor": "v", "found_at": T0, **given}


@pytest.fixture(name="rivals")
def _rivals(place: Place) -> Iterator[Place]:
    """The place, without what a test puts into it."""
    place.begin_again()
    yield place
    for table, entity in (("findings", "finding_id"), ("banquets", "banquet_id"), ("operators", "operator_id")):
        place.writer.command(f"DELETE FROM yangguang.raw_{table} WHERE startsWith({entity}, 'rival-')")
    place.writer.command("TRUNCATE TABLE yangguang.superseded")


def about(place: Place, subject: str) -> list[tuple[str, int]]:
    said = [(state, at) for one, state, at in place.said() if one == subject]
    return [(state, int((at - T0).total_seconds()) // 60) for state, at in said]


def test_a_confirmation_whose_event_was_another_all_along_is_not_told(rivals: Place) -> None:
    rivals.insert("raw_findings", **finding("x", 3, "confirmed", "rival-1"))
    rivals.insert("raw_findings", **finding("x", 6, "raw", "rival-1"))
    rivals.insert("raw_findings", **finding("y", 3, "raw", "rival-2"))
    rivals.insert("raw_findings", **finding("y", 6, "confirmed", "rival-2"))
    rivals.settle(Finding)
    rivals.judge(T0 + 12 * MINUTE)
    assert about(rivals, "rival-1") == []
    assert about(rivals, "rival-2") == [("firing", 7)]


@pytest.mark.parametrize(("minutes", "ends"), [(3.5, 13), (11.9, 13), (14.5, 15)])
def test_an_alert_ends_when_a_newer_version_of_its_event_says_otherwise(
    rivals: Place, minutes: float, ends: int
) -> None:
    rivals.insert("raw_findings", **finding("x", 3, "confirmed", "rival-1"))
    rivals.judge(T0 + 12 * MINUTE)
    rivals.insert("raw_findings", **finding("x", minutes, "false_positive", "rival-1", landed_at=datetime.now(UTC)))
    rivals.settle(Finding)
    rivals.judge(T0 + 20 * MINUTE)
    assert about(rivals, "rival-1") == [("firing", 4), ("resolved", ends)]


def test_an_alert_stands_when_an_older_version_of_its_event_comes_late(rivals: Place) -> None:
    rivals.insert("raw_findings", **finding("x", 3, "confirmed", "rival-1"))
    rivals.judge(T0 + 12 * MINUTE)
    rivals.insert("raw_findings", **finding("x", 2, "false_positive", "rival-1", landed_at=datetime.now(UTC)))
    rivals.settle(Finding)
    rivals.judge(T0 + 20 * MINUTE)
    assert about(rivals, "rival-1") == [("firing", 4)]


def test_a_cooks_certificate_that_a_newer_version_takes_back_never_counted(rivals: Place) -> None:
    cook = {"status": "active", "name": "某单位", "operator_id": "rival-cook", "kind": "banquet_cook"}
    valid, over = date(2027, 1, 1), date(2026, 11, 1)
    for minutes, until in ((2, valid), (4, over)):
        rivals.insert(
            "raw_operators", **event("c", minutes), **cook, health_valid_until=valid, training_valid_until=until,
        )  # fmt: skip
    rivals.insert(
        "raw_banquets", **event("b", 1), banquet_id="rival-meal", venue="home", status="filed", diners=400,
        declared_at=T0 - timedelta(days=9), held_at=T0 + timedelta(days=3), cook_id="rival-cook",
    )  # fmt: skip
    rivals.settle(Operator)
    rivals.judge(T0 + 12 * MINUTE)
    assert about(rivals, "rival-meal") == [("firing", 2)]


def test_two_alerts_about_one_banquet_begin_and_end_each_on_its_own(rivals: Place) -> None:
    meal = {"banquet_id": "rival-meal", "venue": "home", "diners": 400, "declared_at": T0 - timedelta(days=9),
            "held_at": T0 + timedelta(hours=3), "cook_id": "cook"}  # fmt: skip
    rivals.insert("raw_banquets", **event("m1", 1), **meal, status="filed")
    rivals.insert("raw_banquets", **event("m2", 30), **meal, status="guided", guided_at=T0 + 29 * MINUTE)
    rivals.judge(*(T0 + minute * MINUTE for minute in range(0, 41, 4)))
    told = [one for one in rivals.told if one["subject"] == "rival-meal" and one["to_state"] != "pending"]
    assert [(one["alert_id"].partition(".")[0], one["to_state"], one["as_of"]) for one in told] == [
        ("banquet_unguided", "firing", T0 + 2 * MINUTE),
        ("banquet_cook_uncertified", "firing", T0 + 2 * MINUTE),
        ("banquet_cook_uncertified", "resolved", T0 + 21 * MINUTE),
        ("banquet_unguided", "resolved", T0 + 31 * MINUTE),
    ]
    assert len({one["transition_id"] for one in told}) == 4


def test_a_danger_that_comes_again_in_another_town_is_another_alert(rivals: Place) -> None:
    rivals.insert("raw_findings", **finding("x1", 3, "confirmed", "rival-1"))
    rivals.insert("raw_findings", **finding("x2", 6, "closed", "rival-1"))
    rivals.insert("raw_findings", **finding("x3", 9, "confirmed", "rival-1", town_code="330681002"))
    rivals.judge(*(T0 + minute * MINUTE for minute in range(-2, 15, 3)))
    assert about(rivals, "rival-1") == [("firing", 4), ("resolved", 7), ("firing", 10)]
    towns = [one["scope_id"] for one in rivals.told if one["subject"] == "rival-1" and one["to_state"] != "pending"]
    assert towns == [TOWN, TOWN, "330681002"]
    states = rivals.writer.query(
        "SELECT scope_id, argMax(to_state, (as_of, step)) FROM yangguang.alert_log "
        "WHERE subject = 'rival-1' GROUP BY scope_id ORDER BY scope_id"
    ).result_rows
    assert [tuple(one) for one in states] == [(TOWN, "resolved"), ("330681002", "firing")]
