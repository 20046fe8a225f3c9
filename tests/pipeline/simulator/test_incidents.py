"""Incidents: how they are written, when and where they happen, and what they change."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulator import Emission, IncidentError, SimulationOptions, parse_incident, simulate
from pipeline.simulator.incidents import KEYS, Window
from pipeline.simulator.moments import MINUTE, day_number, minute_of_day, to_datetime, to_us
from schemas.towns import TOWNS
from tests.pipeline.simulator.cities import START, small

TAOZHU = "330681003"


def told(options: SimulationOptions, hours: float) -> list[Emission]:
    return list(simulate(options, None, START + timedelta(hours=hours)))


def with_incidents(*texts: str, **changes: Any) -> SimulationOptions:
    return small(incidents=tuple(map(parse_incident, texts)), **changes)


def data_of(emissions: list[Emission], kind: str) -> list[dict[str, Any]]:
    events = [orjson.loads(one.value) for one in emissions if one.reason is None]
    return [one["data"] | {"time": one["time"]} for one in events if one["type"] == kind]


def coverage(orders: list[dict[str, Any]]) -> float:
    """The share of delivered orders that end with a proved seal."""
    current: dict[str, dict[str, Any]] = {}
    for one in sorted(orders, key=lambda one: (one["evidence_level"], one["time"])):
        current[one["order_id"]] = one
    cancelled = {one["order_id"] for one in orders if one["fulfilment"] != "delivered"}
    delivered = [one for name, one in current.items() if name not in cancelled]
    proved = [
        one
        for one in delivered
        if one["seal_state"] == "intact" and one["evidence_level"] >= 2 and one["sealed_packages"] >= one["packages"]
    ]
    return len(proved) / len(delivered)


def delivered_in(orders: list[dict[str, Any]], begin: str, end: str) -> list[dict[str, Any]]:
    low, high = datetime.fromisoformat(begin), datetime.fromisoformat(end)
    return [one for one in orders if low <= datetime.fromisoformat(one["delivered_at"]) < high]


def test_every_name_and_key_can_be_written() -> None:
    one = parse_incident("seal-drop:town=330681003,platform=eleme,operator=tw-00001,rate=0.5,from=18:00,to=20:00")
    assert (one.town, one.platform, one.operator, one.rate) == (TAOZHU, "eleme", "tw-00001", 0.5)
    assert one.window == Window(18 * 60, 20 * 60, daily=True)
    assert parse_incident("silence:stream=seal").stream == "yangguang.seal"
    assert parse_incident("late:minutes=90").minutes == 90
    assert parse_incident("camera-dark:mode=offline,vendor=vendor-a").mode == "offline"
    assert parse_incident("reject-storm:reason=not_json,per_minute=5,source=/platform/jd").reason == "not_json"
    once = parse_incident("kitchen-drop:from=2026-11-23T18:00+08:00,to=2026-11-23T20:00+08:00").window
    assert once == Window(
        to_us(datetime.fromisoformat("2026-11-23T10:00Z")), to_us(datetime.fromisoformat("2026-11-23T12:00Z"))
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seal-dorp", ", ".join(KEYS)),
        ("", ", ".join(KEYS)),
        ("seal-drop:twon=330681003", "town, platform, operator, rate, from, to"),
        ("seal-drop:town", "town, platform"),
        ("seal-drop:town=330681999", ", ".join(TOWNS)),
        ("seal-drop:platform=waimai", "meituan, eleme, jd, douyin, other"),
        ("seal-drop:rate=1.5", "from 0 to 1"),
        ("seal-drop:rate=nan", "from 0 to 1"),
        ("seal-drop:town=330681003,town=330681004", "twice"),
        ("silence:stream=orders", "registry, camera, banquet, seal"),
        ("late:minutes=0", "from 1 to 1440"),
        ("late:minutes=1441", "from 1 to 1440"),
        ("camera-dark:mode=dim", "black, covered, frozen, offline, silent"),
        ("reject-storm:reason=sink_refused", "not_json"),
        ("silence:source=", "not empty"),
        ("silence:from=18:00", "belong together"),
        ("silence:from=18:00,to=2026-11-23T20:00+08:00", "belong together"),
        ("silence:from=24:00,to=25:00", "HH:MM"),
        ("silence:from=2026-11-23T20:00,to=2026-11-23T21:00", "offset"),
        ("silence:from=2026-11-23T20:00Z,to=2026-11-23T20:00Z", "later end"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_sentence_that_lists_what_can(text: str, says: str) -> None:
    with pytest.raises(IncidentError, match=r"^[^\n]*$") as error:
        parse_incident(text)
    assert says in str(error.value)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 3 * 1440 - 1))
def test_the_spans_of_a_daily_window_cover_just_what_the_window_covers(begin: int, end: int, minute: int) -> None:
    window = Window(begin, end, daily=True)
    origin = to_us(START)
    moment = origin + minute * MINUTE
    days = range(day_number(origin), day_number(moment) + 1)
    spans = [span for day in days for span in window.spans(day, origin)]
    assert window.covers(moment) == any(low <= moment and (high is None or moment < high) for low, high in spans)


def test_seal_drop_lowers_the_coverage_of_its_town_and_time_and_nothing_else() -> None:
    calm = told(small(), 8)
    worse = told(with_incidents(f"seal-drop:town={TAOZHU},from=12:00,to=16:00,rate=0.5"), 8)
    orders = data_of(worse, "yangguang.seal.order.v1")
    met = [
        one
        for one in delivered_in(orders, "2026-11-23T12:00+08:00", "2026-11-23T16:00+08:00")
        if one["town_code"] == TAOZHU
    ]
    assert 0.3 < coverage(met) < 0.7

    def others(emissions: list[Emission]) -> list[bytes]:
        return sorted(one.value for one in emissions if TAOZHU.encode() not in one.value)

    assert others(worse) == others(calm)
    before, after = (
        delivered_in(data_of(one, "yangguang.seal.order.v1"), "2026-11-23T10:00+08:00", "2026-11-23T12:00+08:00")
        for one in (calm, worse)
    )
    assert after == before


def test_kitchens_degrade_at_the_beginning_and_come_back_at_the_end() -> None:
    kitchens = data_of(
        told(with_incidents("kitchen-drop:rate=1,from=11:00,to=12:00"), 4), "yangguang.camera.kitchen.v1"
    )
    at = Counter((one["time"][11:16], one["state"]) for one in kitchens if one["time"] > "2026-11-23T10:59")
    current: dict[str, str] = {}
    for one in kitchens:
        if one["time"] < "2026-11-23T11:00":
            current[one["operator_id"]] = one["state"]
    active = sum(state == "active" for state in current.values())
    assert at["11:00", "degraded"] > 0.9 * active > 50
    assert at["12:00", "active"] >= at["11:00", "degraded"] - 3


def test_dark_cameras_send_what_the_mode_says() -> None:
    beats = data_of(
        told(with_incidents("camera-dark:mode=offline,from=11:00,to=11:30"), 2), "yangguang.camera.heartbeat.v1"
    )
    dark = [one for one in beats if "T11:00" <= one["time"][10:16] < "T11:30"]
    assert len(dark) > 100
    assert not any(one["online"] for one in dark)
    silent = data_of(
        told(with_incidents("camera-dark:mode=silent,from=11:00,to=11:30"), 2), "yangguang.camera.heartbeat.v1"
    )
    assert not [one for one in silent if "T11:00" <= one["time"][10:16] < "T11:30"]
    assert [one for one in silent if one["time"][10:16] == "T11:30"]


def test_a_silent_stream_brings_nothing_for_its_time() -> None:
    emissions = told(with_incidents("silence:stream=seal,from=11:00,to=12:00"), 3)
    seals = Counter(one.arrival.hour for one in emissions if one.topic == "yangguang.seal")
    assert seals[11] == 0
    assert seals[12] > 50
    assert [one for one in emissions if one.topic == "yangguang.camera" and one.arrival.hour == 11]


def test_a_silent_platform_brings_nothing_but_the_others_do() -> None:
    emissions = told(with_incidents("silence:platform=meituan"), 3)
    sources = Counter(orjson.loads(one.value)["source"] for one in emissions if one.arrival > START)
    assert sources["/platform/meituan"] == 0
    assert sources["/platform/eleme"] > 20


def test_a_storm_brings_so_many_invalid_events_a_minute_from_its_source() -> None:
    options = with_incidents("reject-storm:per_minute=40,reason=bad_identifier,source=/platform/jd,from=11:00,to=11:05")
    bad = [one for one in told(options, 2) if one.reason is not None]
    assert len(bad) == 200
    assert {one.reason for one in bad} == {"bad_identifier"}
    assert {orjson.loads(one.value)["source"] for one in bad} == {"/platform/jd"}


def test_a_late_platform_brings_the_same_events_later() -> None:
    calm = {one.value: one.arrival for one in told(small(), 6)}
    late = {
        one.value: one.arrival for one in told(with_incidents("late:platform=eleme,minutes=60,from=11:00,to=12:00"), 6)
    }
    delays = Counter(
        (late[value] - arrival) // timedelta(minutes=1) for value, arrival in calm.items() if value in late
    )
    assert set(delays) == {0, 60}
    assert delays[60] > 50


@given(st.integers(0, 2_000_000_000_000_000))
def test_minutes_of_the_day_are_those_of_shanghai(us: int) -> None:
    local = to_datetime(us)
    assert minute_of_day(us) == local.hour * 60 + local.minute
