"""The city and what happens in it in normal times: plausible, near its targets, and different from town to town."""

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from pipeline.simulator import SimulationOptions, simulate
from pipeline.simulator.banquets import auspicious
from pipeline.simulator.chance import chance, poisson, positions, split
from pipeline.simulator.city import City, build_city
from pipeline.simulator.demand import Demand
from pipeline.simulator.faults import EXTRA_MAX
from pipeline.simulator.incidents import Window
from pipeline.simulator.moments import DAY, HOUR, MINUTE, to_us
from pipeline.simulator.names import credit_code, licence_number
from pipeline.simulator.simulation import Simulation
from schemas.findings import finding_of
from schemas.registry import license_warning
from schemas.towns import TOWNS
from tests.pipeline.simulator.cities import START, small
from tests.pipeline.simulator.test_incidents import coverage

FULL = SimulationOptions(start=START)


@cache
def full_city() -> City:
    return build_city(FULL)


@cache
def a_day() -> dict[str, list[dict[str, Any]]]:
    """Valid events of one day of the whole city, by type, with a tenth of the orders."""
    options = SimulationOptions(start=START, orders_per_day=40_000, cameras=60)
    by_type = defaultdict(list)
    for one in simulate(options, None, START + timedelta(days=1)):
        if one.reason is None:
            event = orjson.loads(one.value)
            by_type[event["type"]].append(event)
    return by_type


def test_every_kind_and_every_town_is_there_in_the_numbers_of_the_targets() -> None:
    city = full_city()
    kinds = Counter(one.kind for one in city.operators)
    assert kinds["takeaway"] == 3800
    assert kinds["eldercare_canteen"] == 16
    assert kinds["school_supplier"] == 6
    assert kinds["delivery_unit"] == 8
    assert len(kinds) == 11
    assert {one.town for one in city.of_kind("takeaway")} == set(TOWNS)
    assert len(city.villages) == 500
    assert len({one["village_id"] for one in city.villages}) == 500
    assert len({one.operator_id for one in city.operators}) == len(city.operators)
    assert len({one.camera_id for one in city.cameras}) == len(city.cameras) == 200
    assert all(re.fullmatch(r"\d{20}", one.camera_id) for one in city.cameras)


def test_in_every_town_nine_of_ten_awake_merchants_have_a_built_kitchen() -> None:
    for town in TOWNS:
        awake = [one for one in full_city().of_kind("takeaway") if one.town == town and one.weight > 0]
        built = sum(one.kitchen == "active" for one in awake)
        assert 0.905 < built / len(awake) < 0.96


def test_some_merchants_are_closed_suspended_delisted_or_asleep() -> None:
    merchants = full_city().of_kind("takeaway")
    assert {one.record["status"] for one in merchants} == {"active", "suspended", "closed"}
    assert [one for one in merchants if not one.record["platforms"]]
    assert [
        one for one in merchants if one.weight == 0 and one.record["status"] == "active" and one.record["platforms"]
    ]
    assert {one.kitchen for one in merchants} == {"active", "pending", "degraded", "none", "withdrawn", None}


def test_some_hours_pass_midnight_and_some_shops_never_close() -> None:
    spans = [(one["from"], one["to"]) for m in full_city().of_kind("takeaway") for one in m.record["open_hours"]]
    assert any(end < begin for begin, end in spans)
    assert ("00:00", "00:00") in spans


def test_a_small_share_of_licences_has_a_wrong_check_digit() -> None:
    records = [one.record for one in full_city().operators]
    wrong = sum(license_warning(one.get("license_kind"), one.get("license_no")) for one in records)
    assert 0 < wrong < 0.02 * len(records)
    assert {"food_license", "small_catering"} <= {one.get("license_kind") for one in records}


@given(st.integers(0, 31**6 - 1), st.sampled_from(["91", "92", "12"]))
def test_credit_codes_are_valid(number: int, head: str) -> None:
    assert uscc.is_valid(credit_code(number, head))


@given(st.integers(1, 3), st.integers(0, 999_999), st.booleans())
def test_licence_numbers_have_a_right_check_digit_unless_a_wrong_one_is_wanted(
    kind: int, number: int, right: bool
) -> None:
    assert license_warning("food_license", licence_number(kind, number, right=right)) is not right


def test_orders_of_a_day_are_as_many_as_asked_for() -> None:
    demand = Demand(full_city().of_kind("takeaway"), 200_000)
    week = [sum(demand.mean(to_us(START) + day * DAY + minute * MINUTE) for minute in range(1440)) for day in range(7)]
    assert abs(sum(week) / 7 - 200_000) < 1000
    assert max(week) > 1.1 * min(week)


def test_lunch_and_dinner_are_peaks_and_the_night_is_still() -> None:
    demand = Demand(full_city().of_kind("takeaway"), 200_000)
    midnight = to_us(datetime.fromisoformat("2026-11-23T00:00+08:00"))
    at = [demand.mean(midnight + hour * HOUR) for hour in range(24)]
    assert at[12] > 3 * at[10] > 3 * at[4]
    assert at[18] > 2 * at[16]


def test_orders_come_only_from_shops_that_are_open() -> None:
    demand = Demand(full_city().of_kind("takeaway"), 200_000)
    moment = to_us(datetime.fromisoformat("2026-11-23T03:10+08:00"))
    draws = [number / 500 for number in range(500)]
    hours = [demand.slots[slot].record["open_hours"] for slot in demand.choose(moment, draws)]
    assert {(one["from"], one["to"]) for spans in hours for one in spans} == {("00:00", "00:00")}


def test_popularity_is_skewed() -> None:
    orders = Counter(one["data"]["operator_id"] for one in a_day()["yangguang.seal.order.v1"])
    ranked = [count for _, count in orders.most_common()]
    assert sum(ranked[: len(ranked) // 10]) > 0.25 * sum(ranked)


def test_in_normal_times_the_seal_coverage_is_94_of_100_and_high_in_every_town() -> None:
    orders = [one["data"] | {"time": one["time"]} for one in a_day()["yangguang.seal.order.v1"]]
    assert 0.93 < coverage(orders) < 0.95
    for town in TOWNS:
        assert coverage([one for one in orders if one["town_code"] == town]) > 0.9


def test_an_orders_delivery_never_changes() -> None:
    moments = defaultdict(set)
    for one in a_day()["yangguang.seal.order.v1"]:
        moments[one["data"]["order_id"]].add(datetime.fromisoformat(one["data"]["delivered_at"]))
    assert all(len(one) == 1 for one in moments.values())
    assert len(moments) < len(a_day()["yangguang.seal.order.v1"])


def test_all_evidence_levels_states_and_ends_of_orders_occur() -> None:
    data = [one["data"] for one in a_day()["yangguang.seal.order.v1"]]
    assert {one["evidence_level"] for one in data} == {0, 1, 2, 3, 4}
    assert {one["seal_state"] for one in data} == {"intact", "broken", "absent", "unknown"}
    assert {one["fulfilment"] for one in data} == {"delivered", "pickup", "cancelled"}


def test_an_open_camera_beats_every_minute_and_a_closed_one_says_it_is_off() -> None:
    beats = a_day()["yangguang.camera.heartbeat.v1"]
    by_camera = defaultdict(list)
    for one in beats:
        by_camera[one["data"]["camera_id"]].append(one)
    assert len(by_camera) == 60
    at_noon = [one["data"]["online"] for one in beats if "T11" in one["time"]]
    assert sum(at_noon) > 0.9 * 60 * 60 * 0.9
    assert sum(at_noon) > 0.9 * len(at_noon)
    at_night = [one for one in beats if "T03" in one["time"] and not one["data"]["online"]]
    assert at_night


def test_every_vendor_names_findings_in_its_way_and_some_codes_are_unknown() -> None:
    found = [one["data"] for one in a_day()["yangguang.camera.finding.v1"]]
    words = defaultdict(set)
    for one in found:
        words[one["vendor"]].add(one["finding"])
    assert any(word.isdigit() and len(word) == 3 for word in words["vendor-b"])
    assert "CHEF_HAT" in words["vendor-c"]
    assert any(word.isdigit() and len(word) == 6 for word in words["vendor-d"])
    assert "UNKNOWN" in {finding_of(word) for vendor in words.values() for word in vendor}
    assert {one["review"] for one in found} == {"raw", "confirmed", "false_positive", "closed"}


def test_a_banquets_life_goes_forward_and_guidance_is_before_the_meal() -> None:
    options = small(banquets_per_day=20.0, orders_per_day=0, cameras=0)
    lives = defaultdict(list)
    for one in simulate(options, None, START + timedelta(days=40)):
        if one.topic == "yangguang.banquet":
            event = orjson.loads(one.value)
            lives[event["subject"]].append(event)
    assert {event["data"]["status"] for life in lives.values() for event in life} == {
        "draft", "declared", "returned", "filed", "assigned", "guided", "rectifying", "held", "closed", "cancelled",
    }  # fmt: skip
    diners = [life[-1]["data"]["diners"] for life in lives.values()]
    assert 150 < sum(diners) / len(diners) < 215
    for life in lives.values():
        assert [one["time"] for one in life] == sorted(one["time"] for one in life)
        last = life[-1]["data"]
        assert last.get("guided_at", "") < last["held_at"]


def test_banquets_gather_on_auspicious_days_around_the_mean() -> None:
    factors = [auspicious(1, day) for day in range(20_000, 23_000)]
    assert 0.85 < sum(factors) / len(factors) < 1.15
    assert max(factors) > 8


def test_a_closed_shop_gets_no_orders_and_the_next_one_in_its_place_does() -> None:
    options = SimulationOptions(start=START, orders_per_day=30_000, cameras=0, banquets_per_day=0, history=False)
    closed: dict[str, datetime] = {}
    heirs: dict[str, datetime] = {}
    orders = defaultdict(list)
    for one in simulate(options, None, START + timedelta(days=9)):
        if one.reason is not None:
            continue
        event = orjson.loads(one.value)
        data = event["data"]
        moment = datetime.fromisoformat(event["time"])
        if event["type"] == "yangguang.registry.operator.v1" and moment > START:
            if data["status"] == "closed":
                closed[data["operator_id"]] = moment
            elif data["operator_id"].count("-") == 2:
                heirs.setdefault(data["operator_id"], moment)
        elif event["type"] == "yangguang.seal.order.v1":
            orders[data["operator_id"]].append(datetime.fromisoformat(data["delivered_at"]))
    assert len(closed) > 3
    assert heirs
    assert all(max(orders[name], default=moment) <= moment for name, moment in closed.items())
    assert all(min(orders[name], default=moment) >= moment for name, moment in heirs.items())
    assert any(orders[name] for name in heirs)


def test_kitchens_come_and_go_but_their_share_stays_near_the_target() -> None:
    registry = Simulation(FULL)._sources[0]
    kitchens: dict[str, str] = {}
    active: dict[str, bool] = {one.operator_id: False for one in full_city().of_kind("takeaway")}
    slots = {one.operator_id for one in full_city().of_kind("takeaway") if one.weight > 0}
    awake = set(slots)
    changes: Counter[str] = Counter()
    for number in (None, *range(registry.first(), registry.first() + 120)):
        for one in registry.opening() if number is None else registry.cell(number):
            data = one.event["data"]
            name = data.get("operator_id", "")
            if "state" in data:
                kitchens[name] = data["state"]
                changes[data["state"]] += number is not None
            elif name.startswith("tw-"):
                active[name] = data["status"] == "active"
                if name.count("-") == 2:
                    awake.add(name)
        licensees = [name for name in awake if active[name]]
        assert 0.90 < sum(kitchens.get(name) == "active" for name in licensees) / len(licensees) < 0.96
        assert 0.97 * len(slots) < len(licensees) < 1.03 * len(slots)
    assert changes["degraded"] > 300
    assert set(changes) == {"active", "degraded", "pending", "withdrawn", "none"}


def test_a_simulation_that_begins_after_changes_of_shops_knows_them() -> None:
    options = SimulationOptions(start=START, orders_per_day=5_000, cameras=0, history=False)
    since, end = START + timedelta(days=8), START + timedelta(days=8, hours=2)
    whole = [one for one in simulate(options, None, end) if one.arrival >= since]
    assert list(simulate(options, since, end)) == whole


def test_a_new_life_replaces_the_records_of_an_earlier_one() -> None:
    before = START - timedelta(hours=3)
    first = list(simulate(small(predecessor=before), None, START + timedelta(seconds=1)))
    registry = [orjson.loads(one.value) for one in first if one.topic == "yangguang.registry"]
    registry = [one for one in registry if one["data"].get("measure") != "supervision_visit"]  # history, not records
    assert len(registry) > 100
    assert all(before <= datetime.fromisoformat(one["time"]) <= START for one in registry)


def test_every_cell_settles_when_it_says() -> None:
    for source in Simulation(small(orders_per_day=30_000))._sources:  # the promise a later start relies on
        first = source.number_at(to_us(START))
        for number in range(first, first + (400 if source.unit == MINUTE else 40)):
            for one in source.cell(number):
                assert source.begin(number) - source.lead <= one.arrival <= source.begin(number) + source.settled
            bound = source.bound(number)
            assert bound is None or len(source.cell(number)) <= bound
    assert EXTRA_MAX > 30 * MINUTE


@given(st.integers(0, 5000), st.lists(st.floats(0.1, 100), min_size=1, max_size=30))
def test_a_split_adds_up_and_is_at_most_one_away_from_its_share(total: int, weights: list[float]) -> None:
    parts = split(total, [(str(number), weight) for number, weight in enumerate(weights)])
    assert sum(parts.values()) == total
    for number, weight in enumerate(weights):
        assert abs(parts[str(number)] - total * weight / sum(weights)) < 1.000001


@given(st.floats(0.001, 1), st.integers(0, 500), st.integers())
def test_positions_are_ascending_and_inside(rate: float, size: int, seed: int) -> None:
    hits = positions(chance(seed), rate, size)
    assert hits == sorted(set(hits))
    assert all(0 <= one < size for one in hits)


def test_draws_have_the_mean_that_was_asked_for() -> None:
    rng = chance("mean")
    for mean in (0.3, 5.0, 39.0, 60.0):
        assert abs(sum(poisson(rng, mean) for _ in range(4000)) / 4000 - mean) < 0.05 * mean + 0.02
    assert abs(sum(len(positions(rng, 0.02, 1000)) for _ in range(1000)) / 1000 - 20) < 1


def test_a_window_without_times_covers_everything() -> None:
    assert Window().covers(0)
    assert Window().covers(to_us(START))
