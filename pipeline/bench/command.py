"""`yangguang bench land`: how fast events come from Kafka into ClickHouse, beside what others would write.

Three consumers land the same events in turns, round after round, each in a process, a consumer group and a database of
its own: the worker with all its guarantees, a plain Faust agent, and a naive loop. The two peers guarantee less (see
`pipeline.bench.peers`). Machines are noisy, so the ratios within a round say more than any single rate. Then the delay
from produce to visible row is measured with the whole worker (see `pipeline.bench.delay`).
"""

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.errors import KafkaError as ClientError
from rich.console import Console
from rich.progress import Progress

from pipeline.bench.delay import measure_delay
from pipeline.bench.measure import Run, filled_topic, measure
from pipeline.bench.report import Delay, as_json, as_tables
from pipeline.bench.runner import RUNNERS
from pipeline.bench.services import BenchError, Services, services
from pipeline.counted_bar import counted_bar
from pipeline.embedded.kafka import KafkaError
from pipeline.ports import PortTakenError
from pipeline.settings import Settings, load_settings
from sinks.clickhouse.client import brief, connect


def bench_land(
    settings: Settings,
    *,
    events: int = 300_000,
    rounds: int = 3,
    json: bool = False,
    delay_rate: float = 2000,
    delay_seconds: float = 30,
    seed: int = 1,
) -> int:
    """Measures and prints; returns the exit status. Rates in events/s; a `delay_seconds` of 0 leaves the delay out.

    Kafka and ClickHouse are those that the settings name; where they name none, own ones in a temporary home."""
    progress = counted_bar()
    # A topic that has just been made has no leader for some milliseconds, and aiokafka warns of each repeated send.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="yangguang-bench-") as home, progress:
            runs, delay, facts = _measure_all(
                settings, Path(home), progress, events, rounds, delay_rate, delay_seconds, seed
            )
    except (BenchError, KafkaError, PortTakenError) as error:
        click.echo(f"bench: {error}", err=True)
        return 1
    except ClientError as error:
        click.echo(f"bench: Kafka does not do its part ({error!r}); check YANGGUANG_KAFKA", err=True)
        return 1
    except ClickHouseError as error:
        click.echo(f"bench: ClickHouse does not do its part ({brief(error)}); check YANGGUANG_CLICKHOUSE", err=True)
        return 1
    if json:
        click.echo(orjson.dumps(as_json(runs, delay, facts), option=orjson.OPT_INDENT_2))
    else:
        Console().print(as_tables(runs, delay, facts))
    return 0


def _measure_all(
    settings: Settings,
    home: Path,
    progress: Progress,
    events: int,
    rounds: int,
    delay_rate: float,
    delay_seconds: float,
    seed: int,
) -> tuple[list[Run], Delay | None, dict[str, Any]]:
    starting = progress.add_task("starting Kafka and ClickHouse", total=1)
    with services(settings, home) as found:
        progress.update(starting, completed=1, description="Kafka and ClickHouse are there")
        facts: dict[str, Any] = {"events": events, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
        runs = []
        client = connect(found.clickhouse, None)
        filling = progress.add_task("filling the topic", total=events)
        topic = f"yangguang.bench.{time.time_ns():x}"
        with filled_topic(found, topic, events, seed, lambda done: progress.update(filling, completed=done)) as filled:
            facts["bytes_per_event"] = filled.size / events
            running = progress.add_task("", total=rounds * len(RUNNERS))
            for number in range(1, rounds + 1):
                for runner in RUNNERS:
                    progress.update(running, description=f"round {number}: {runner}")
                    runs.append(measure(found, client, filled, home, runner, number))
                    progress.advance(running)
        client.close()
        delay = _delay(found, home, progress, facts, delay_rate, delay_seconds, seed)
    return runs, delay, facts


def _delay(
    found: Services,
    home: Path,
    progress: Progress,
    facts: dict[str, Any],
    rate: float,
    seconds: float,
    seed: int,
) -> Delay | None:
    if not seconds:
        facts["no_delay"] = "0 seconds were asked for"
        return None
    if not found.own:
        facts["no_delay"] = (
            "it needs the whole worker, whose tables hold real rates in running services: unset YANGGUANG_KAFKA and "
            "YANGGUANG_CLICKHOUSE"
        )
        return None
    task = progress.add_task(f"delay at {rate:,.0f} events/s", total=1)
    delay = measure_delay(found, home, rate, seconds, seed)
    progress.update(task, completed=1)
    return delay


@click.command("land")
@click.option("--events", type=click.IntRange(1), default=300_000, show_default=True, help="Seal events to land.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds of all three consumers.")
@click.option(
    "--delay-rate", type=click.FloatRange(1, 20_000), default=2000, show_default=True, help="Events/s for the delay."
)
@click.option(
    "--delay-seconds", type=click.FloatRange(0), default=30, show_default=True, help="How long; 0 leaves it out."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal events.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON instead of tables.")
def land(events: int, rounds: int, delay_rate: float, delay_seconds: float, seed: int, as_json_text: bool) -> None:
    """Measure the landing of events: the worker beside a plain Faust agent and a naive loop, and its delay."""
    raise SystemExit(
        bench_land(
            load_settings(),
            events=events,
            rounds=rounds,
            json=as_json_text,
            delay_rate=delay_rate,
            delay_seconds=delay_seconds,
            seed=seed,
        )
    )
