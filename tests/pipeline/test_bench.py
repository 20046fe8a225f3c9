"""The measurement of landing: honest events, honest arithmetic, runs from end to end. Nothing here judges a speed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import KafkaAdminClient
from rich.console import Console

from pipeline.bench import bench_land
from pipeline.bench.events import seal_events
from pipeline.bench.measure import Run
from pipeline.bench.report import Delay, as_json, as_tables, quantile, ratios
from pipeline.bench.runner import FAUST, LOOP, OURS, RUNNERS, Task
from pipeline.bench.services import Services, services
from pipeline.settings import Settings
from schemas.decode import Decoder
from schemas.event import Event
from schemas.seal import Order
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import connect
from streams.kafka_address import KafkaAddress

ROOT = Path(__file__).resolve().parents[2]
FACTS = {"events": 1000, "bytes_per_event": 420.0, "no_delay": "0 seconds were asked for"}


def run(runner: str, number: int, seconds: float, cpu_seconds: float) -> Run:
    return Run(runner, number, 1000, seconds, cpu_seconds, 100_000_000, None, None)


# -- events ----------------------------------------------------------------------------------------------------------


def test_every_event_of_the_measurement_is_accepted_and_has_an_identity_of_its_own() -> None:
    decoder = Decoder(Order.stream)
    events = [decoder.decode(value, datetime.now(UTC)) for _, value in seal_events(2000, 1)]
    assert all(isinstance(event, Event) for event in events)
    assert len({(event.source, event.id) for event in events if isinstance(event, Event)}) == 2000


def test_equal_seeds_give_equal_bytes_and_other_seeds_others() -> None:
    assert list(seal_events(50, 7)) == list(seal_events(50, 7)) != list(seal_events(50, 8))


# -- arithmetic ------------------------------------------------------------------------------------------------------


def test_ratios_are_taken_within_a_round() -> None:
    # the second round was ten times as noisy for both, which must not show
    runs = [run(OURS, 1, 1, 1), run(FAUST, 1, 8, 9), run(OURS, 2, 10, 1), run(FAUST, 2, 80, 11)]
    (ratio,) = ratios(runs)
    assert (ratio.runner, ratio.peer) == (OURS, FAUST)
    assert ratio.rate == pytest.approx((8, 8, 8))
    assert ratio.cpu == pytest.approx((10, 9, 11))


def test_a_consumer_without_a_partner_in_its_round_has_no_ratio() -> None:
    assert ratios([run(OURS, 1, 1, 1), run(LOOP, 2, 1, 1)]) == []


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_its_share_of_the_values_does_not_exceed(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered)


def test_the_table_and_the_json_say_the_same() -> None:
    runs = [run(OURS, 1, 0.5, 0.01), run(FAUST, 1, 5, 0.1), run(LOOP, 1, 1, 0.02)]
    said = as_json(runs, Delay(2000, 30, 60_000, 400, 700, 900), FACTS)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(as_tables(runs, Delay(2000, 30, 60_000, 400, 700, 900), FACTS))
    text = console.export_text()
    for row in said["rounds"]:
        assert row["runner"] in text
        assert f"{row['events_per_second']:,.0f}" in text
    assert [one["rate"]["median"] for one in said["ratios"]] == pytest.approx([10, 2, 5])
    assert "10.00 (10.00-10.00)" in text
    assert "median 400 ms, p99 700 ms" in text


def test_without_a_delay_both_say_why() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(as_tables([run(OURS, 1, 1, 1)], None, FACTS))
    assert "0 seconds were asked for" in console.export_text()
    said = as_json([run(OURS, 1, 1, 1)], None, FACTS)
    assert (said["delay"], said["no_delay"]) == (None, "0 seconds were asked for")


def test_a_task_reaches_the_measured_process_as_it_was_given() -> None:
    task = Task(LOOP, KafkaAddress("k:1"), Address("h", 1, "u", "p"), "g", "home", "t", (3, 4), "d", "r")
    assert Task.from_json(task.to_json()) == task


# -- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(Settings(kafka=None, clickhouse=None), tmp_path_factory.mktemp("bench")) as found:
        yield found


def test_running_services_are_used_and_keep_nothing_of_the_measurement(
    running: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    address = running.clickhouse
    settings = Settings(
        kafka=running.kafka.servers,
        clickhouse=f"http://{address.host}:{address.port}",
        clickhouse_writer_password=address.password,
    )
    assert bench_land(settings, events=3000, rounds=1, json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["runner"] for one in said["rounds"]] == list(RUNNERS)
    assert said["delay"] is None
    assert "running services" in said["no_delay"]
    client = connect(address, None)
    assert client.query("SELECT name FROM system.databases WHERE name LIKE 'yangguang_bench%'").result_rows == []
    client.close()
    admin = KafkaAdminClient(**running.kafka.for_kafka_python())
    assert [one for one in admin.list_topics() if one.startswith("yangguang.")] == []
    admin.close()


def test_a_run_on_own_services_prints_rates_ratios_and_the_delay() -> None:
    command = [sys.executable, "-m", "pipeline.bench", "--events", "3000", "--rounds", "1", "--json"]
    done = subprocess.run(
        [*command, "--delay-rate", "200", "--delay-seconds", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    for one in said["rounds"]:
        assert one["events"] == 3000
        assert one["events_per_second"] > 0
        assert one["cpu_us_per_event"] > 0
        assert one["clickhouse_cpu_us_per_event"] > 0
        assert 0 <= one["cpu_share_of_others"] <= 1
    assert [(one["runner"], one["peer"]) for one in said["ratios"]] == [(OURS, FAUST), (OURS, LOOP), (LOOP, FAUST)]
    delay = said["delay"]
    assert delay["events"] == 400
    assert 0 < delay["median_ms"] <= delay["p99_ms"] <= delay["greatest_ms"]


def test_services_that_do_not_answer_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(kafka="127.0.0.1:1", clickhouse="http://127.0.0.1:1", clickhouse_writer_password="x")
    assert bench_land(settings, events=10, rounds=1) == 1
    assert "check YANGGUANG_" in capsys.readouterr().err


def test_the_cost_of_rates_is_measured_at_two_sizes_and_compared() -> None:
    command = [sys.executable, "-m", "pipeline", "bench", "rates", "--orders", "2000", "--orders", "4000", "--json"]
    few = ["--cameras", "20", "--rate", "20", "--seconds", "2"]
    done = subprocess.run([*command, *few], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [one["orders"] for one in said["sizes"]] == [2000, 4000]
    measured = {"rates_now", "from_raw", "late_event", "late_heartbeat", "day", "rebuilt"}
    assert said["growth"].keys() == measured
    for one in said["sizes"]:
        for name in measured | {"steady"}:
            assert one[name]["milliseconds"] > 0
            assert one[name]["statements"] >= 1
        assert one["rates_now"]["rows_read"] > 0
        assert one["steady_events"] == 20
