"""Event alerts judged again on a real ClickHouse, beside what the alert stage itself recorded of the same events."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from pipeline.backtest.events import replay_events
from pipeline.backtest.firings import Firing
from pipeline.backtest.replay import recorded
from pipeline.commands.backtest import backtest
from schemas.event_alerts import EVENT_CODES, EventRules, event_rules
from sinks.clickhouse.client import Store
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD
from tests.streams.event_place import MINUTE, T0, TOWN, Place, always_set, event

LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN, END = T0 - 5 * MINUTE, T0 + 51 * MINUTE
PERIOD: Final = ("--from", "2026-11-20T09:55", "--to", "2026-11-20T10:51")
RAT: Final = {
    "finding": "RODENT",
    "camera_id": "cam",
    "operator_id": "school",
    "vendor": "v",
    "found_at": T0 - timedelta(hours=1),
}
BANQUET: Final = {"venue": "home", "village_id": "v", "status": "filed", "declared_at": T0 - timedelta(days=9)}


def landed(name: str, minutes: float) -> dict[str, Any]:
    """An event that was there before anything was judged."""
    return {**event(name, minutes), "landed_at": LONG_AGO}


def late(name: str, minutes: float) -> dict[str, Any]:
    """An event that arrives now, whatever its time."""
    return {**event(name, minutes), "landed_at": datetime.now(UTC)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All five events happen and end, some of them told late, and the stage judges them as they come."""
    place = Place(tmp_path_factory.mktemp("backtest"))
    operator = {"status": "active", "name": "某单位"}
    school = {**operator, "operator_id": "school", "kind": "school_canteen", "open_hours": [("06:00", "18:00")]}
    place.insert("raw_operators", **landed("o1", -60), **school)
    supplier = {**operator, "operator_id": "supplier", "kind": "school_supplier"}
    place.insert("raw_operators", **landed("o2", -30), **supplier, certificates=[("HACCP", date(2026, 12, 1))])
    place.insert("raw_operators", **landed("o3", 30), **supplier, certificates=[("HACCP", date(2027, 12, 1))])
    cook = {**operator, "operator_id": "cook", "kind": "banquet_cook", "health_valid_until": date(2027, 1, 1)}
    place.insert("raw_operators", **landed("o4", -50), **cook, training_valid_until=date(2026, 11, 1))
    great = {**BANQUET, "held_at": T0 + timedelta(hours=24, minutes=10), "diners": 400, "cook_id": "cook"}
    place.insert("raw_banquets", **landed("b1", -5), **great, banquet_id="great")
    place.insert("raw_banquets", **landed("b2", 25), **{**great, "status": "guided"}, banquet_id="great",
                 guided_at=T0 + 24 * MINUTE)  # fmt: skip
    place.insert("raw_banquets", **landed("b3", -4), **BANQUET, held_at=T0 + 30 * MINUTE, diners=100,
                 banquet_id="soon")  # fmt: skip
    for name, minutes, review in (("f1", 2, "raw"), ("f2", 5, "confirmed"), ("f3", 15.2, "closed")):
        place.insert("raw_findings", **landed(name, minutes), **RAT, finding_id="rat", review=review)
    place.add_school_camera()
    place.insert("raw_cameras", **landed("h1", -60), camera_id="cam", operator_id="school", online=True,
                 advancing=True, picture="ok")  # fmt: skip
    place.begin_again()
    place.judge(*(T0 + minute * MINUTE for minute in range(-9, 13)))
    # by now the record of minute 4 comes late, and one of minute 6 that a later one has overtaken
    place.insert("raw_findings", **late("f4", 4), **RAT, finding_id="late", review="confirmed")
    place.insert("raw_findings", **late("f5", 1), **RAT, finding_id="rat", review="closed")
    place.insert("raw_operators", **late("o5", 8), **cook, training_valid_until=date(2027, 11, 1))
    place.judge(T0 + 20 * MINUTE, T0 + 21 * MINUTE)
    # a confirmation that had been closed, as one learns afterwards
    place.insert("raw_findings", **late("f6", 14), **RAT, finding_id="late", review="closed")
    place.insert("raw_banquets", **late("b4", -5), **BANQUET, held_at=T0 + 20 * MINUTE, diners=500, banquet_id="past")
    place.judge(T0 + 50 * MINUTE)
    yield place
    place.stop()


def judged_again(
    place: Place,
    begin: datetime,
    rules: EventRules = EventRules(),  # noqa: B008 # immutable
    end: datetime = END,
) -> tuple[list[Firing], list[Firing]]:
    """The firings of a replay, and those of the stage."""

    async def work(store: Store) -> tuple[list[Firing], list[Firing]]:
        asked: list[str] = []
        would = await replay_events(store, rules, begin, end, lambda: asked.append("code"))
        assert len(asked) == len(EVENT_CODES)
        return would, await recorded(store, begin, end)

    return place.run(work)


def seen(several: list[Firing]) -> set[tuple[str, str, int, int | None]]:
    def minute(moment: datetime) -> int:
        return int((moment - T0).total_seconds()) // 60

    return {(one.indicator, one.subject, minute(one.begin), minute(one.end) if one.end else None) for one in several}


WHOLE: Final = {
    ("banquet_cook_uncertified", "great", -4, 13),
    ("banquet_unguided", "great", 10, 26),
    ("banquet_unguided", "soon", -3, 30),
    ("finding_critical", "late", 13, 22),
    ("finding_critical", "rat", 6, 16),
    ("school_camera_dark", "cam", 20, 25),
    ("school_camera_dark", "cam", 45, None),
}


def test_a_replay_fires_as_the_stage_did_also_where_events_came_late(place: Place) -> None:
    would, did = judged_again(place, BEGIN)
    began = [one for one in did if one.begin >= BEGIN]
    assert seen(began) == WHOLE
    before = ("supplier_certificate_ending", "supplier", -29, 31)
    assert seen(did) - seen(began) == {before}
    assert [one for one in sorted(would) if one.subject != "supplier"] == sorted(began)
    assert {one.kind for one in would} == {"event"}
    assert {one.alert_id for one in would} == {one.alert_id for one in did}


def test_a_replay_of_all_that_was_judged_has_the_same_firings_one_by_one(place: Place) -> None:
    would, did = judged_again(place, T0 - 59 * MINUTE)
    assert sorted(would) == sorted(did)
    assert len(did) == len(WHOLE) + 1


def test_minutes_that_the_watermark_has_not_passed_are_not_judged(place: Place) -> None:
    assert judged_again(place, END, end=END + timedelta(hours=2))[0] == []


def test_another_configuration_of_each_event_fires_otherwise(place: Place) -> None:
    rules = event_rules(
        {
            "banquet_unguided": {"diners": always_set(101), "lead": always_set(timedelta(hours=48))},
            "banquet_cook_uncertified": {"diners": always_set(401)},
            "supplier_certificate_ending": {"notice": always_set(timedelta(days=5))},
            "school_camera_dark": {"silence": always_set(timedelta(minutes=10))},
        }
    )
    would, _ = judged_again(place, BEGIN, rules)
    assert seen(would) == {
        ("banquet_unguided", "great", -4, 26),
        ("finding_critical", "late", 13, 22),
        ("finding_critical", "rat", 6, 16),
        ("school_camera_dark", "cam", 15, 25),
        ("school_camera_dark", "cam", 40, None),
    }


def test_the_command_shows_events_of_both_configurations_beside_what_fired(place: Place, tmp_path: Path) -> None:
    environment = {
        "YANGGUANG_HOME": str(tmp_path / "home"),
        "YANGGUANG_CLICKHOUSE": f"http://127.0.0.1:{place.server.port}",
        "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": WRITER_PASSWORD,
        "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD": "not used here",
        "COLUMNS": "200",
    }

    def said(*options: str) -> str:
        result = CliRunner().invoke(backtest, [*PERIOD, *options], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    same = json.loads(said("--json"))
    assert {(one["alert_id"], one["begin"], one["end"]) for one in same["did_fire"]} == {
        (one["alert_id"], one["begin"], one["end"])
        for one in same["would_fire"]
        if one["indicator"] != "supplier_certificate_ending"
    }
    assert [one["subject"] for one in same["fired_before"]] == ["supplier"]
    assert same["flaps_per_week"]["did"] > 0
    other = tmp_path / "other.toml"
    other.write_text("[event.banquet_unguided]\ndiners = 101\n\n[event.school_camera_dark]\nsilence = '1h'\n")
    shown = said("--config", str(other), "--plot")
    lines = {(words[0], words[2]): line for line in shown.splitlines() if len(words := line.split()) > 5}
    assert lines["banquet_unguided", "soon"].rstrip().endswith("only then")
    assert lines["banquet_unguided", "great"].rstrip().endswith("yes")
    assert lines["supplier_certificate_ending", "supplier"].rstrip().endswith("since 2026-11-20 09:31:00")
    assert lines["school_camera_dark", "cam"].rstrip().endswith("only then")
    by_time = json.loads(said("--json", "--own-times"))["would_fire"]
    assert {
        (one["subject"], one["indicator"]) for one in by_time if datetime.fromisoformat(one["begin"]) == T0 - 4 * MINUTE
    } == {
        ("great", "banquet_cook_uncertified"),
        ("past", "banquet_cook_uncertified"),
        ("past", "banquet_unguided"),
    }
    assert f"banquet_unguided.town.{TOWN}.great " in shown
