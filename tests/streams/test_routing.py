"""Who is told of what, who is told next, and what is held back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.action import Silence
from schemas.departments import departments_of
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from streams.routing import (
    NO_ROUTES,
    NOBODY,
    Assignment,
    Hours,
    Maintenance,
    Match,
    Route,
    assignments,
    escalations,
    explain,
    in_maintenance,
    is_workday,
    silenced,
)

CHANNELS = ("duty", "school", "boss")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=SHANGHAI)  # a Wednesday


def alert(
    indicator: str = "seal_coverage", scope: str = "city", scope_id: str = "330681", **more: Any
) -> dict[str, Any]:
    return {
        "alert_id": "a", "kind": "rate", "indicator": indicator, "scope": scope, "scope_id": scope_id, "window": "1h",
        "subject": "", "to_state": "firing", **more,
    }  # fmt: skip


def told(routes: list[Route], transition: dict[str, Any], severity: str = "critical", at: datetime = NOON) -> list[str]:
    return [one.channel for one in assignments(routes, CHANNELS, transition, severity, at)]


def test_without_routes_every_channel_is_told() -> None:
    assert told([], alert()) == ["duty", "school", "boss"]
    assert explain([], alert(), "critical", NOON) == [NO_ROUTES]


def test_the_first_route_that_matches_takes_it_and_where_none_does_nobody_is_told() -> None:
    school = Route("school", ("school",), Match(departments=("市教体局",)))
    rest = Route("rest", ("duty",))
    assert told([school, rest], alert("school_6h")) == ["school"]
    assert told([school, rest], alert()) == ["duty"]
    assert told([rest, school], alert("school_6h")) == ["duty"]
    assert told([school], alert()) == []
    assert explain([school], alert(), "critical", NOON)[-1] == NOBODY


def test_a_route_may_let_the_next_ones_be_asked_and_no_channel_is_told_twice() -> None:
    routes = [Route("all", ("duty",), continue_=True), Route("next", ("duty", "boss")), Route("last", ("school",))]
    assert assignments(routes, CHANNELS, alert(), "critical", NOON) == [
        Assignment("duty", "all"),
        Assignment("boss", "next"),
    ]


def test_every_condition_of_a_route_has_to_hold() -> None:
    town = Route("r", ("duty",), Match(indicators=("seal_coverage",), towns=("330681001",), severities=("warning",)))
    assert told([town], alert(scope="town", scope_id="330681001"), "warning") == ["duty"]
    assert told([town], alert(scope="town", scope_id="330681001"), "critical") == []
    assert told([town], alert(scope="town", scope_id="330681002"), "warning") == []
    assert told([town], alert(), "warning") == []
    platform = Route("p", ("duty",), Match(platforms=("jd",)))
    assert told([platform], alert(scope="platform", scope_id="jd")) == ["duty"]
    assert told([platform], alert(scope="town", scope_id="jd")) == []
    assert told([Route("s", ("duty",), Match(states=("firing",)))], alert(to_state="resolved")) == []
    assert told([Route("k", ("duty",), Match(kinds=("event",)))], alert()) == []
    assert told([Route("c", ("duty",), Match(scopes=("city",)))], alert()) == ["duty"]


def test_hours_are_those_of_shanghai_and_may_pass_midnight() -> None:
    night = [Route("night", ("boss",), hours=Hours(22 * 60, 6 * 60)), Route("day", ("duty",))]
    assert told(night, alert(), at=datetime(2026, 11, 25, 22, 0, tzinfo=SHANGHAI)) == ["boss"]
    assert told(night, alert(), at=datetime(2026, 11, 25, 21, 59, tzinfo=UTC)) == ["boss"]  # 05:59 in Shanghai
    assert told(night, alert(), at=datetime(2026, 11, 26, 6, 0, tzinfo=SHANGHAI)) == ["duty"]


def test_a_weekend_day_that_is_worked_in_for_a_holiday_is_a_workday() -> None:
    saturday_worked, saturday, national_day = (
        datetime(2026, 10, 10, 9, tzinfo=SHANGHAI),
        datetime(2026, 11, 28, 9, tzinfo=SHANGHAI),
        datetime(2026, 10, 1, 9, tzinfo=SHANGHAI),
    )
    assert [is_workday(one) for one in (saturday_worked, saturday, national_day, NOON)] == [True, False, False, True]
    routes = [Route("office", ("duty",), days="workdays"), Route("off", ("boss",), days="weekends")]
    assert told(routes, alert(), at=saturday_worked) == ["duty"]
    assert told(routes, alert(), at=national_day) == ["boss"]


ESCALATING = [Route("r", ("duty",), escalate_after=timedelta(minutes=15), escalate_to=("boss",))]


def test_the_next_are_told_when_nobody_acknowledged_in_time() -> None:
    def due(minutes: int, acknowledged: bool = False, **more: str) -> list[Assignment]:
        now = NOON + timedelta(minutes=minutes)
        return escalations(ESCALATING, alert(**more), "critical", NOON, acknowledged, now)

    assert due(14) == []
    assert due(15) == [Assignment("boss", "r")]
    assert due(15, acknowledged=True) == []
    assert due(15, to_state="resolved") == []


@given(st.integers(0, 600), st.booleans())
def test_once_due_an_escalation_stays_due_and_never_tells_whom_no_route_names(minutes: int, acknowledged: bool) -> None:
    due = escalations(ESCALATING, alert(), "critical", NOON, acknowledged, NOON + timedelta(minutes=minutes))
    later = escalations(ESCALATING, alert(), "critical", NOON, acknowledged, NOON + timedelta(minutes=minutes + 1))
    assert set(due) <= set(later) <= {Assignment("boss", "r")}
    assert bool(due) is (minutes >= 15 and not acknowledged)


def test_a_silence_holds_for_what_it_names_until_its_end() -> None:
    one = Silence("s", {"indicator": "seal_coverage", "scope": "town"}, NOON + timedelta(hours=1), "x", "y", NOON)
    town = alert(scope="town", scope_id="330681001")
    assert silenced([one], town, NOON) is one
    assert silenced([one], town, NOON + timedelta(hours=1)) is None
    assert silenced([one], town, NOON - timedelta(seconds=1)) is None
    assert silenced([one], alert(), NOON) is None
    assert silenced([one._replace(matches={})], town, NOON) is None
    assert silenced([one._replace(matches={"alert_id": "a"})], alert(), NOON) is not None


def test_maintenance_is_once_or_every_day_for_what_matches() -> None:
    seal = Match(indicators=("seal_coverage",))
    once = Maintenance("move", seal, NOON, NOON + timedelta(hours=2))
    assert in_maintenance([once], alert(), "critical", NOON) is once
    assert in_maintenance([once], alert(), "critical", NOON + timedelta(hours=2)) is None
    assert in_maintenance([once], alert("school_6h"), "critical", NOON) is None
    daily = Maintenance("backup", daily=Hours(12 * 60, 13 * 60))
    assert in_maintenance([daily], alert(), "critical", NOON + timedelta(days=3)) is daily
    assert in_maintenance([daily], alert(), "critical", NOON + timedelta(hours=1)) is None


def test_each_route_says_why_it_takes_an_alert_or_does_not() -> None:
    routes = [
        Route("night", ("boss",), hours=Hours(22 * 60, 6 * 60)),
        Route("school", ("school",), Match(departments=("市教体局",))),
        *ESCALATING,
        Route("rest", ("duty",)),
    ]
    assert explain(routes, alert(), "critical", NOON) == [
        "night: no, it is for hours 22:00-06:00, and it is 12:00",
        "school: no, it is for departments 市教体局, and this has 市食药安办, 市市场监管局",
        "r: yes, tells duty; unacknowledged for 15 min, then boss",
        "rest: not asked, as r takes it and does not say continue",
    ]


def test_every_indicator_has_a_department_and_a_condition_has_that_of_its_indicator() -> None:
    assert [code for code in CATALOGUE if not departments_of(alert(code))] == []
    assert departments_of(alert("eldercare_grade_ab")) == ("市民政局", "市市场监管局")
    assert departments_of(alert("no_activity", subject="nutrition_canteens")) == ("市卫生健康局",)
    assert departments_of(alert("stale", subject="yangguang.seal")) == ()


PLACES = st.sampled_from([("city", "330681"), ("town", "330681001"), ("platform", "jd")])
MATCHES = st.builds(
    Match,
    indicators=st.sampled_from([(), ("seal_coverage",), ("school_6h",)]),
    scopes=st.sampled_from([(), ("city",), ("town", "platform")]),
    departments=st.sampled_from([(), ("市教体局",)]),
)
ROUTES = st.lists(
    st.builds(
        Route,
        name=st.text("abc", min_size=1, max_size=2),
        channels=st.sampled_from([("duty",), ("school", "boss")]),
        match=MATCHES,
        days=st.sampled_from(["all", "workdays", "weekends"]),
        continue_=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@given(ROUTES, PLACES, st.sampled_from(["seal_coverage", "school_6h"]))
def test_the_explanation_says_what_is_done(routes: list[Route], place: tuple[str, str], code: str) -> None:
    transition = alert(code, *place)
    yes = [line for line in explain(routes, transition, "critical", NOON) if ": yes, tells " in line]
    explained = list(dict.fromkeys(name for line in yes for name in line.split(": yes, tells ")[1].split(", ")))
    assert explained == told(routes, transition)
