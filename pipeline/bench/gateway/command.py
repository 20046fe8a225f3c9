"""`yangguang bench gateway`: how fast events are taken over HTTP, beside the least that could take them.

A gateway and a bare handler (see `pipeline.bench.gateway.bare`) stand before the same Kafka, each one process. A client
in a third pushes to each in turn, shape after shape, round after round; machines are noisy, so the ratios within a
round say more than any single rate. Nothing counts unless all of it was answered 202 and Kafka has exactly that.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import click
import orjson
from kafka.errors import KafkaError as ClientError
from rich.console import Console
from rich.progress import Progress

from pipeline.bench.events import seal_events
from pipeline.bench.gateway.load import Load
from pipeline.bench.gateway.measure import Peak, Run, Shape, api_key, bare_handler, gateway_process, measure
from pipeline.bench.gateway.report import as_json, as_tables
from pipeline.bench.services import BenchError, own_clickhouse, own_kafka
from pipeline.counted_bar import counted_bar
from pipeline.embedded.kafka import KafkaError
from pipeline.ports import PortTakenError
from streams.topics import ensure_topics

PARTITIONS: Final = 4
_SAMPLE: Final = 10_000


def shapes(rate: float) -> tuple[Shape, ...]:
    """How the client pushes, one after the other."""
    return Shape(500, 8), Shape(50, 16), Shape(1, 32), Shape(1, 32, rate)


def bench_gateway(
    *, rounds: int = 3, seconds: float = 5, warm: float = 2, rate: float = 500, seed: int = 1, json: bool = False
) -> int:
    """Measures and prints; returns the exit status. Kafka and ClickHouse are own ones in a temporary home.

    :param seconds: of each shape at each server, after `warm` seconds that do not count.
    :param rate: requests/s of single events.
    """
    progress = counted_bar()
    facts: dict[str, Any] = {
        "seconds": seconds,
        "bytes_per_event": sum(len(value) for _, value in seal_events(_SAMPLE, seed)) / _SAMPLE,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }
    told = Load(0, "", 0, 0, None, warm, seconds, seed, {})
    try:
        with tempfile.TemporaryDirectory(prefix="yangguang-bench-") as home, progress:
            runs, peaks = _measure_all(Path(home), progress, rounds, shapes(rate), told)
    except (BenchError, KafkaError, PortTakenError) as error:
        click.echo(f"bench: {error}", err=True)
        return 1
    except ClientError as error:
        click.echo(f"bench: Kafka does not do its part ({error!r}): is there room on the disk?", err=True)
        return 1
    if json:
        click.echo(orjson.dumps(as_json(runs, peaks, facts), option=orjson.OPT_INDENT_2))
    else:
        Console().print(as_tables(runs, peaks, facts))
    return 0


def _measure_all(
    home: Path, progress: Progress, rounds: int, shapes: Sequence[Shape], told: Load
) -> tuple[list[Run], list[Peak]]:
    runs: list[Run] = []
    peaks: list[Peak] = []
    task = progress.add_task("starting Kafka and ClickHouse", total=rounds * len(shapes) * 2)
    with own_kafka(home) as kafka, own_clickhouse(home) as clickhouse:
        ensure_topics(kafka.address, PARTITIONS)
        told = told._replace(api_key=api_key(kafka.address))
        for number in range(1, rounds + 1):
            with ExitStack() as stack:
                servers = [
                    stack.enter_context(gateway_process(kafka.address, clickhouse.address, home)),
                    stack.enter_context(bare_handler(kafka.address, home)),
                ]
                for shape in shapes:
                    for server in servers if number % 2 else reversed(servers):  # each is first in its turn
                        progress.update(task, description=f"round {number}: {server.name}, {shape.words}")
                        load = told._replace(
                            port=server.port,
                            batch=shape.batch,
                            connections=shape.connections,
                            rate=shape.rate,
                            watched={"server": server.pid, "kafka": kafka.pid},
                        )
                        runs.append(Run(server.name, shape, number, measure(kafka.address, server, load)))
                        progress.advance(task)
            peaks.extend(Peak(one.name, number, one.peak_bytes) for one in servers)
    return runs, peaks


@click.command("gateway")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds of both servers.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=5, show_default=True, help="Of each shape at each server."
)
@click.option("--warm", type=click.FloatRange(0), default=2, show_default=True, help="Seconds before, not counted.")
@click.option(
    "--rate", type=click.FloatRange(1, 20_000), default=500, show_default=True, help="Requests/s of single events."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal events.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON instead of tables.")
def gateway(rounds: int, seconds: float, warm: float, rate: float, seed: int, as_json_text: bool) -> None:
    """Measure the gateway beside a bare handler: events/s, times of answers, CPU and memory."""
    raise SystemExit(bench_gateway(rounds=rounds, seconds=seconds, warm=warm, rate=rate, seed=seed, json=as_json_text))
