"""Event alerts against a real ClickHouse: each fires and ends at its minute, however the minutes are cut."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from schemas.event_alerts import SCHOOL_CAMERA_DARK, EventRules, event_rules
from tests.streams.event_place import MINUTE, T0, TOWN, Place, always_set, event


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A school, a cook, a supplier, two banquets and two findings, each with something that goes wrong and ends."""
    place = Place(tmp_path_factory.mktemp("events"))
    operator = {"status": "active", "name": "某单位"}
    place.insert(
        "raw_operators", **event("o1", -60), **operator, operator_id="school", kind="school_canteen",
        open_hours=[("06:00", "18:00")],
    )  # fmt: skip
    supplier = {**operator, "operator_id": "supplier", "kind": "school_supplier"}
    place.insert("raw_operators", **event("o2", 1), **supplier, certificates=[("HACCP", date(2026, 12, 1))])
    place.insert("raw_operators", **event("o3", 30.5), **supplier, certificates=[("HACCP", date(2027, 12, 1))])
    cook = {**operator, "operator_id": "cook", "kind": "banquet_cook", "health_valid_until": date(2027, 1, 1)}
    place.insert("raw_operators", **event("o4", -50), **cook, training_valid_until=date(2026, 11, 1))
    place.insert("raw_operators", **event("o5", 20), **cook, training_valid_until=date(2027, 11, 1))
    place.insert("raw_villages", **event("v1", -60), village_id="v", name="钟瑛村")
    banquet = {
        "venue": "home",
        "village_id": "v",
        "status": "filed",
        "declared_at": T0 - timedelta(days=9),
        "cook_id": "cook",
    }
    meal = {**banquet, "held_at": T0 + timedelta(hours=24, minutes=10)}
    place.insert("raw_banquets", **event("b1", -5), **meal, banquet_id="great", diners=400)
    place.insert("raw_banquets", **event("b2", 25), **{**meal, "status": "guided"}, banquet_id="great", diners=400,
                 guided_at=T0 + timedelta(minutes=24))  # fmt: skip
    place.insert("raw_banquets", **event("b3", -5), **banquet, banquet_id="soon", diners=100,
                 held_at=T0 + timedelta(minutes=30))  # fmt: skip
    place.insert("raw_banquets", **event("b4", 10), **{**banquet, "status": "returned"}, banquet_id="soon", diners=100,
                 held_at=T0 + timedelta(minutes=30))  # fmt: skip
    finding = {"camera_id": "cam", "operator_id": "school", "vendor": "v", "found_at": T0}
    for name, minutes, review in (("f1", 2, "raw"), ("f2", 5, "confirmed"), ("f3", 15.2, "closed")):
        place.insert(
            "raw_findings", **event(name, minutes), **finding, finding_id="rat", finding="RODENT", review=review
        )
    place.insert("raw_findings", **event("f4", 6), **finding, finding_id="mask", finding="NO_MASK", review="confirmed")
    place.add_school_camera()
    place.insert("raw_cameras", **event("h1", -60), camera_id="cam", operator_id="school", online=True,
                 advancing=True, picture="ok")  # fmt: skip
    yield place
    place.stop()


EXPECTED: Final = {
    ("banquet_cook_uncertified", "great", "firing", -4),
    ("banquet_cook_uncertified", "great", "resolved", 21),
    ("banquet_unguided", "great", "firing", 10),
    ("banquet_unguided", "great", "resolved", 26),
    ("banquet_unguided", "soon", "firing", -4),
    ("banquet_unguided", "soon", "resolved", 30),
    ("finding_critical", "rat", "firing", 6),
    ("finding_critical", "rat", "resolved", 16),
    ("school_camera_dark", "cam", "firing", 20),
    ("school_camera_dark", "cam", "resolved", 25),
    ("school_camera_dark", "cam", "firing", 45),
    ("supplier_certificate_ending", "supplier", "firing", 2),
    ("supplier_certificate_ending", "supplier", "resolved", 31),
}


def seen(place: Place) -> set[tuple[str, str, str, int]]:
    return {
        (one["indicator"], one["subject"], one["to_state"], int((one["as_of"] - T0).total_seconds()) // 60)
        for one in place.told
        if one["to_state"] != "pending"
    }


def test_each_alert_fires_and_ends_at_its_minute_however_the_minutes_are_cut(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 50 * MINUTE)
    whole = place.told
    assert seen(place) == EXPECTED
    place.begin_again()
    place.judge(*(T0 + minute * MINUTE for minute in range(-10, 51)))
    ids = [one["transition_id"] for one in place.told]
    assert len(ids) == len(set(ids))
    assert {one["transition_id"]: one["facts"] for one in place.told} == {
        one["transition_id"]: one["facts"] for one in whole
    }
    facts = next(one["facts"] for one in whole if one["indicator"] == "finding_critical")
    assert '"operator_name": "某单位"' in facts
    assert all('"village_name": "钟瑛村"' in one["facts"] for one in whole if one["indicator"].startswith("banquet"))
    assert '"camera_id": "cam"' in facts


def test_a_live_system_begins_with_the_present(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 12 * MINUTE, event_clock=False)
    assert seen(place) == {
        ("banquet_cook_uncertified", "great", "firing", 12),
        ("banquet_unguided", "great", "firing", 12),
        ("banquet_unguided", "soon", "firing", 12),
        ("finding_critical", "rat", "firing", 12),
        ("supplier_certificate_ending", "supplier", "firing", 12),
    }


def test_a_late_watermark_freezes_and_nothing_is_lost(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 12 * MINUTE)
    before = len(place.told)
    place.judge(T0 + 50 * MINUTE, lateness=timedelta(hours=1))
    assert len(place.told) == before
    place.judge(T0 + 50 * MINUTE)
    assert seen(place) == EXPECTED


def test_an_entity_that_is_gone_from_the_tables_does_not_recover(place: Place) -> None:
    place.begin_again()
    finding = {"camera_id": "cam", "operator_id": "school", "vendor": "v", "found_at": T0}
    place.insert("raw_findings", **event("g1", 3), **finding, finding_id="gone", finding="RODENT", review="confirmed")
    place.judge(T0 + 12 * MINUTE)
    place.writer.command("DELETE FROM yangguang.raw_findings WHERE finding_id = 'gone'")
    place.judge(T0 + 50 * MINUTE)
    assert [state for subject, state, _ in place.said("finding_critical") if subject == "gone"] == ["firing"]


def test_a_camera_is_judged_by_its_own_code(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 20 * MINUTE)
    [row] = place.writer.query(
        f"SELECT alert_id, kind, scope, window, subject FROM yangguang.alert_log "
        f"WHERE indicator = '{SCHOOL_CAMERA_DARK}' AND to_state = 'firing'"
    ).result_rows
    assert tuple(row) == (f"school_camera_dark.town.{TOWN}.cam", "event", "town", "", "cam")


def test_a_confirmation_that_arrives_late_fires_at_the_next_minute_and_keeps_its_town(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 12 * MINUTE)
    rat = {"camera_id": "cam", "operator_id": "school", "vendor": "v", "found_at": T0, "finding": "RODENT"}
    late = {**event("l1", 4), "landed_at": datetime.now(UTC)}
    place.insert("raw_findings", **late, **rat, finding_id="late", review="confirmed")
    place.judge(T0 + 14 * MINUTE)
    moved = {**event("l2", 15), "town_code": "330681002"}
    place.insert("raw_findings", **moved, **rat, finding_id="late", review="confirmed")
    place.insert("raw_findings", **{**moved, **event("l3", 17)}, **rat, finding_id="late", review="closed")
    place.judge(T0 + 50 * MINUTE)
    said = [(state, at) for subject, state, at in place.said() if subject == "late"]
    assert said == [("firing", T0 + 13 * MINUTE), ("resolved", T0 + 18 * MINUTE)]
    assert {one["scope_id"] for one in place.told if one["subject"] == "late"} == {TOWN}
    place.writer.command("DELETE FROM yangguang.raw_findings WHERE finding_id = 'late'")


def test_what_is_set_locally_decides_whom_people_are_told_of_and_when(place: Place) -> None:
    place.begin_again()
    place.rules = event_rules(
        {
            "banquet_unguided": {"diners": always_set(101), "lead": always_set(timedelta(hours=48))},
            "banquet_cook_uncertified": {"diners": always_set(100)},
            "supplier_certificate_ending": {"notice": always_set(timedelta(days=5))},
            "school_camera_dark": {"silence": always_set(timedelta(minutes=10))},
        }
    )
    try:
        place.judge(T0, T0 + 50 * MINUTE)
    finally:
        place.rules = EventRules()
    assert seen(place) == {
        ("banquet_cook_uncertified", "great", "firing", -4),
        ("banquet_cook_uncertified", "great", "resolved", 21),
        ("banquet_cook_uncertified", "soon", "firing", -4),
        ("banquet_cook_uncertified", "soon", "resolved", 21),
        ("banquet_unguided", "great", "firing", -4),
        ("banquet_unguided", "great", "resolved", 26),
        ("finding_critical", "rat", "firing", 6),
        ("finding_critical", "rat", "resolved", 16),
        ("school_camera_dark", "cam", "firing", 15),
        ("school_camera_dark", "cam", "resolved", 25),
        ("school_camera_dark", "cam", "firing", 40),
    }


def test_what_is_set_while_an_alert_fires_ends_it_or_lets_it_stand(place: Place) -> None:
    place.begin_again()
    place.judge(T0 + 12 * MINUTE)
    place.rules = event_rules({"banquet_unguided": {"diners": always_set(101)}})
    try:
        place.judge(T0 + 14 * MINUTE)
    finally:
        place.rules = EventRules()
    said = [(subject, state) for subject, state, at in place.said("banquet_unguided") if at > T0 + 12 * MINUTE]
    assert said == [("soon", "resolved")]
