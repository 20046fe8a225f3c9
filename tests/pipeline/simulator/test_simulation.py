"""The simulation as a whole: repeatable, in order, cut anywhere, and honest about what is valid."""

import resource
from collections import Counter
from datetime import datetime, timedelta
from itertools import islice, pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.simulator import Emission, FaultRates, Simulation, SimulationOptions, parse_incident, simulate
from pipeline.simulator.city import build_city
from schemas.catalogue import EVENT_TYPES
from tests.pipeline.simulator.cities import ALL_FAULTS, START, small, verdict

INCIDENTS = tuple(
    map(
        parse_incident,
        (
            "seal-drop:town=330681003,from=11:00,to=13:00",
            "kitchen-drop:from=11:30,to=12:30",
            "camera-dark:rate=0.5,from=12:00,to=12:20",
            "late:platform=meituan,minutes=45,from=11:00,to=11:30",
            "silence:stream=banquet,from=12:00,to=14:00",
            "reject-storm:per_minute=3,from=12:00,to=12:10",
        ),
    )
)
BUSY = small(faults=ALL_FAULTS, incidents=INCIDENTS)
HOURS = 30
WHOLE = list(simulate(BUSY, None, START + timedelta(hours=HOURS)))


def test_equal_seeds_give_equal_bytes() -> None:
    again = list(simulate(BUSY, None, START + timedelta(hours=HOURS)))
    assert again == WHOLE


def test_another_seed_gives_another_city() -> None:
    other = list(simulate(small(seed=2), None, START + timedelta(hours=1)))
    assert {one.value for one in other}.isdisjoint({one.value for one in WHOLE if one.fault is None})


def test_records_come_in_the_order_of_their_arrival() -> None:
    arrivals = [one.arrival_us for one in WHOLE]
    assert arrivals == sorted(arrivals)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, HOURS * 3600 * 1000), min_size=1, max_size=2).map(sorted))
def test_simulating_in_spans_equals_simulating_at_once(cuts_ms: list[int]) -> None:
    cuts = [START, *(START + timedelta(milliseconds=one) for one in cuts_ms), START + timedelta(hours=HOURS)]
    parts: list[Emission] = []
    for since, until in pairwise(cuts):
        parts.extend(simulate(BUSY, since, until))
    assert parts == WHOLE


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 3 * 3600 * 1000), min_size=1, max_size=20).map(sorted))
def test_portions_of_any_size_equal_one_run(moments_ms: list[int]) -> None:
    simulation = Simulation(BUSY)
    parts: list[Emission] = []
    for one in (*moments_ms, 3 * 3600 * 1000):
        parts.extend(simulation.advance(START + timedelta(milliseconds=one)))
    assert parts == WHOLE[: len(parts)]
    assert len(parts) == sum(one.arrival < START + timedelta(hours=3) for one in WHOLE)


def test_days_later_what_was_late_still_arrives() -> None:
    options = small(faults=FaultRates(late=0.05), orders_per_day=300)
    end = START + timedelta(days=5)
    whole = list(simulate(options, None, end))
    for days in (1, 3, 4):
        since = START + timedelta(days=days, minutes=7)
        assert list(simulate(options, since, end)) == [one for one in whole if one.arrival >= since]


def test_the_ledger_agrees_with_the_decoder_on_every_record() -> None:
    wrong = [(one.reason, verdict(one), one.value[:300]) for one in WHOLE if verdict(one) != one.reason]
    assert not wrong


def test_every_reason_and_every_fault_occurs() -> None:
    assert {one.reason for one in WHOLE} == {
        None, "too_large", "not_json", "not_cloudevent", "unknown_type", "wrong_topic",
        "missing_field", "bad_value", "future_time", "unknown_field", "bad_identifier",
    }  # fmt: skip
    assert {one.fault for one in WHOLE} == {None, "late", "duplicate", "out_of_order", "invalid", "conflict"}


def test_all_seven_types_occur_on_their_topics() -> None:
    kinds = Counter((one.topic, orjson.loads(one.value)["type"]) for one in WHOLE if one.reason is None)
    assert set(kinds) == {(model.stream, kind) for kind, model in EVENT_TYPES.items()}


def test_identities_repeat_only_as_duplicates_with_equal_and_conflicts_with_other_content() -> None:
    contents: dict[tuple[str, str, str], list[tuple[str | None, bytes]]] = {}
    for one in WHOLE:
        if one.reason is None:
            event = orjson.loads(one.value)
            contents.setdefault((event["type"], event["source"], event["id"]), []).append((one.fault, one.value))
    again: Counter[str | None] = Counter()
    for told in contents.values():
        (first,) = [value for fault, value in told if fault not in ("duplicate", "conflict")]
        for fault, value in told:
            again[fault] += 1
            assert (value == first) == (fault != "conflict")
    assert again["duplicate"] > 50
    assert again["conflict"] > 20


def test_a_world_without_faults_repeats_no_identity() -> None:
    events = [orjson.loads(one.value) for one in simulate(small(), None, START + timedelta(hours=12))]
    identities = [(one["type"], one["source"], one["id"]) for one in events]
    assert len(identities) == len(set(identities))


def test_times_are_never_after_the_arrival() -> None:
    for one in WHOLE:
        if one.reason is None and one.fault != "conflict":
            assert datetime.fromisoformat(orjson.loads(one.value)["time"]) <= one.arrival


def test_keys_are_the_entities() -> None:
    fields = {
        "yangguang.registry.operator.v1": "operator_id",
        "yangguang.registry.village.v1": "village_id",
        "yangguang.registry.measure.v1": "measure_id",
        "yangguang.camera.heartbeat.v1": "camera_id",
        "yangguang.camera.finding.v1": "camera_id",
        "yangguang.camera.kitchen.v1": "operator_id",
        "yangguang.banquet.record.v1": "banquet_id",
        "yangguang.seal.order.v1": "order_id",
    }
    for one in WHOLE:
        if one.reason is None:
            event = orjson.loads(one.value)
            assert one.key == event["data"][fields[event["type"]]].encode()


def test_nothing_is_drawn_before_it_is_read() -> None:
    options = SimulationOptions(start=START, cameras=0, history=False)
    city = build_city(options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    first = list(islice(Simulation(options, START + timedelta(days=1), city).advance(START + timedelta(days=400)), 10))
    assert len(first) == 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 20


def test_a_finished_span_may_be_asked_for_again_without_repeating() -> None:
    simulation = Simulation(small())
    assert list(simulation.advance(START + timedelta(minutes=5)))
    assert list(simulation.advance(START + timedelta(minutes=5))) == []


@pytest.mark.parametrize("wrong", [{"orders_per_day": -1}, {"seal_coverage": 1.5}, {"operators": {"cook": 3}}])
def test_options_that_make_no_city_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="use"):
        small(**wrong)


def test_a_start_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\+08:00"):
        small(start=START.replace(tzinfo=None))
