"""The measurement of alerts: honest events, honest times, runs from end to end. Nothing here judges a speed."""

import io
import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from pipeline.bench.alerts.delay import APART, FIRST, ROUNDS_MOST, WARM_ROUNDS, Receiver, round_of
from pipeline.bench.alerts.report import Measured, as_json, as_tables
from pipeline.bench.alerts.ticks import Ticks
from pipeline.bench.metered import Cost
from pipeline.bench.rates_measure import END, LATENESS
from pipeline.settings import LOOPBACK
from schemas.decode import Decoder
from schemas.event import Event
from schemas.seal import Order

TICKS = Ticks({"rates": [Cost(40, 10, 5, 0.1, 0.2)], "all": [Cost(50, 10, 6, 0.125, 0.25)]}, 3)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_round_moves_the_rate_across_its_target_and_only_its_last_event_lets_the_minute_be_judged(
    number: int,
) -> None:
    decoder = Decoder(Order.stream)
    orders, last, state = round_of(number)
    events = [decoder.decode(value, datetime.now(UTC)) for _, value in (*orders, last)]
    assert all(isinstance(one, Event) for one in events)
    times = [one.time for one in events if isinstance(one, Event)]
    begin = FIRST + number * APART
    assert all(begin <= one < begin + timedelta(minutes=1) for one in times[:-1])
    assert times[-1] == begin + timedelta(minutes=1, seconds=60), "exactly the minute's end and the lateness"
    seals = {json.loads(value)["data"]["seal_state"] for _, value in orders}
    assert (seals, state) == (({"intact"}, "resolved") if number % 2 else ({"broken"}, "firing"))


def test_the_hour_of_a_round_has_no_orders_of_another_and_the_city_has_heartbeats_in_all_of_them() -> None:
    last = timedelta(minutes=1) + LATENESS
    assert timedelta(hours=1) + LATENESS < APART
    assert END - timedelta(days=1) < FIRST
    assert FIRST + (WARM_ROUNDS + ROUNDS_MOST - 1) * APART + last < END


def test_the_receiver_waits_for_the_citys_message_and_no_other() -> None:
    receiver = Receiver()
    assert LOOPBACK in receiver.url
    try:
        before = time.monotonic()
        for scope, state in (("town", "firing"), ("city", "resolved"), ("city", "firing")):
            body = json.dumps({"scope": scope, "indicator": "seal_coverage", "to_state": state}).encode()
            with urllib.request.urlopen(urllib.request.Request(receiver.url, body), timeout=5) as answer:
                assert answer.status == 200
        assert before < receiver.wait("firing", 5) < time.monotonic()
        with pytest.raises(TimeoutError, match="no webhook says firing"):
            receiver.wait("firing", 0.01)
    finally:
        receiver.close()


def test_own_and_clickhouses_cpu_are_told_apart_and_together() -> None:
    found = as_json(Measured(TICKS, [1.0, 2.0, 4.0], {"cores": 2}))
    stage = found["ticks"]["stages"]["all"]
    assert stage["own_cpu_seconds"]["p99"] == 0.125
    assert stage["clickhouse_cpu_seconds"]["p99"] == 0.25
    assert stage["cpu_seconds"]["p99"] == 0.375
    assert stage["wall_seconds"]["median"] == 0.05
    assert found["delay"] == {"rounds": 3, "median": 2.0, "p99": 4.0, "greatest": 4.0}
    assert found["cores"] == 2


def test_people_read_the_same() -> None:
    written = io.StringIO()
    Console(file=written, width=200).print(as_tables(Measured(TICKS, [1.0, 2.0, 4.0], {})))
    assert "125 / 125" in written.getvalue()
    assert "median 2.00 s, p99 4.00 s" in written.getvalue()


def test_what_was_left_out_is_not_told() -> None:
    found = as_json(Measured(None, [], {}))
    assert found["ticks"] is None
    assert found["delay"] is None
