"""Event alerts: phases agree with a judgement minute by minute, and pieces with the whole."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import STREAMS
from schemas.event_alerts import EVENT_ENTRIES, SCHOOL_CAMERA_DARK
from schemas.indicators import INDICATORS
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Address, Store
from sinks.clickhouse.event_records import Known, SchoolCamera, Version
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from streams.event_alerts import EventAlerter
from streams.event_phases import dark_phases, judged, phases
from streams.slots import open_slots
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server

ENTRIES: Final = {one.code: one for one in EVENT_ENTRIES}
T0: Final = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""A Friday at 10:00 in Shanghai."""
MINUTE: Final = timedelta(minutes=1)
TOWN: Final = "330681001"
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
            "status": draw(st.sampled_from(["filed", "guided", "cancelled"])),
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
    bounds = ENTRIES[code].holds(record, other)
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


@given(st.lists(st.booleans(), min_size=24, max_size=24), st.sets(st.integers(0, 119)))
def test_a_camera_is_dark_after_three_slots_and_well_after_one(slots: list[bool], cuts: set[int]) -> None:
    healthy = bits(slots, T0)
    dark, expected, begin = False, [], 3
    for index in range(begin, 24):
        if slots[index] if dark else not any(slots[index - 2 : index + 1]):
            dark = not dark
            expected.append((T0 + (index + 1) * 5 * MINUTE, dark))
    first, state, found = T0 + begin * 5 * MINUTE + MINUTE, False, []
    for last in [*sorted(T0 + one * MINUTE for one in cuts), T0 + timedelta(hours=2)]:
        if last < first:
            continue
        for one in dark_phases(school_camera(), healthy, first, last, state):
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


# --- against a real ClickHouse ---


class Place:
    """An empty database with the tables."""

    def __init__(self, server: Server) -> None:
        self.server, self.writer = server, server.client()
        self.told: list[dict[str, Any]] = []
        migrator = Migrator(self.writer, catalogue=INDICATORS)
        migrator.prepare()
        migrator.apply(migrator.plan())
        sync_catalogue(self.writer, INDICATORS)

    def insert(self, table: str, **row: Any) -> None:
        insert(self.writer, table, row)

    def judge(self, *clocks: datetime, event_clock: bool = True, lateness: timedelta = MINUTE) -> None:
        """Moves all watermarks to each of these minutes, and judges: one alerter, restarted at every other minute."""

        async def work() -> None:
            store = await Store.open(Address("127.0.0.1", self.server.port, "writer", WRITER_PASSWORD))
            alerter = EventAlerter(store, self.publish, event_clock=event_clock)
            for index, clock in enumerate(clocks):
                await write_watermarks(store, dict.fromkeys(STREAMS, clock), clock + lateness, "event", MINUTE)
                if index % 2:
                    alerter.forget()
                await alerter.evaluate()
            await store.close()

        asyncio.run(work())

    async def publish(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        self.told += map(dict, transitions)

    def begin_again(self) -> None:
        for table in ("alert_log", "watermarks"):
            self.writer.command(f"TRUNCATE TABLE yangguang.{table}")
        self.told = []

    def said(self, code: str = "") -> list[tuple[str, str, datetime]]:
        return [
            (one["subject"], one["to_state"], one["as_of"])
            for one in self.told
            if one["to_state"] != "pending" and code in ("", one["indicator"])
        ]


def insert(writer: Client, table: str, row: dict[str, Any]) -> None:
    writer.insert(f"yangguang.{table}", [list(row.values())], column_names=list(row))


def event(name: str, minutes: float) -> dict[str, Any]:
    moment = T0 + timedelta(minutes=minutes)
    return {"event_id": name, "source": "test", "event_time": moment, "landed_at": moment, "town_code": TOWN}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("events") / "data")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def place(server: Server) -> Place:
    """A school, a cook, a supplier, two banquets and two findings, each with something that goes wrong and ends."""
    place = Place(server)
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
    banquet = {"venue": "home", "status": "filed", "declared_at": T0 - timedelta(days=9), "cook_id": "cook"}
    meal = {**banquet, "held_at": T0 + timedelta(hours=24, minutes=10)}
    place.insert("raw_banquets", **event("b1", -5), **meal, banquet_id="great", diners=400)
    place.insert("raw_banquets", **event("b2", 25), **{**meal, "status": "guided"}, banquet_id="great", diners=400,
                 guided_at=T0 + timedelta(minutes=24))  # fmt: skip
    place.insert("raw_banquets", **event("b3", -5), **banquet, banquet_id="soon", diners=100,
                 held_at=T0 + timedelta(minutes=30))  # fmt: skip
    finding = {"camera_id": "cam", "operator_id": "school", "vendor": "v", "found_at": T0}
    for name, minutes, review in (("f1", 2, "raw"), ("f2", 5, "confirmed"), ("f3", 15.2, "closed")):
        place.insert(
            "raw_findings", **event(name, minutes), **finding, finding_id="rat", finding="RODENT", review=review
        )
    place.insert("raw_findings", **event("f4", 6), **finding, finding_id="mask", finding="NO_MASK", review="confirmed")
    place.insert(
        "camera_bindings", indicator="camera_online", camera_id="cam", operator_id="school", town_code=TOWN,
        first_time=T0 - timedelta(days=1), open=list(open_slots([("06:00", "18:00")])), settled=True, version=T0,
    )  # fmt: skip
    for hour, healthy in ((-1, 4095), (0, 0b000000110001)):
        place.insert(
            "camera_hours", indicator="camera_online", hour=T0 + timedelta(hours=hour), camera_id="cam",
            healthy=healthy, version=T0,
        )  # fmt: skip
    place.insert("raw_cameras", **event("h1", -60), camera_id="cam", operator_id="school", online=True,
                 advancing=True, picture="ok")  # fmt: skip
    return place


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
