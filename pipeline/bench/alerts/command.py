"""`yangguang bench alerts`: what a tick of the alert stage costs, and how long people wait for a message.

The ticks are those of a city of 23 towns and 5 platforms with 5 000 operators and 10 000 cameras, minute after minute,
in a ClickHouse of its own. The delay is taken on a whole stack of real processes in the same city (see
`pipeline.bench.alerts.delay`).
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Final

import click
import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.errors import KafkaError as ClientError
from rich.console import Console

from pipeline.bench.alerts.delay import ROUNDS_MOST, measure_delays
from pipeline.bench.alerts.report import Measured, as_json, as_tables
from pipeline.bench.alerts.ticks import measure_ticks
from pipeline.bench.filled_city import CAMERAS
from pipeline.bench.services import BenchError
from pipeline.counted_bar import counted_bar
from pipeline.embedded.kafka import KafkaError
from pipeline.ports import PortTakenError
from sinks.clickhouse.client import brief

ORDERS: Final = 200_000
TICKS: Final = 60
ROUNDS: Final = ROUNDS_MOST


def bench_alerts(
    *, orders: int = ORDERS, cameras: int = CAMERAS, ticks: int = TICKS, rounds: int = ROUNDS, json: bool = False
) -> int:
    """Measures and prints; returns the exit status. 0 ticks or 0 rounds leave that part out."""
    bar = counted_bar()
    facts: dict[str, Any] = {"orders": orders, "cameras": cameras, "cores": os.cpu_count()}
    facts["load_before"] = os.getloadavg()[0]
    try:
        with bar:
            task = bar.add_task("starting Kafka and ClickHouse", total=None)

            def say(what: str, done: int, of: int) -> None:
                bar.update(task, description=what, completed=done, total=of)

            found = None
            if ticks:
                with tempfile.TemporaryDirectory(prefix="yangguang-bench-") as home:
                    found = measure_ticks(Path(home), orders, cameras, ticks, say)
            delays: list[float] = []
            if rounds:
                with tempfile.TemporaryDirectory(prefix="yangguang-bench-") as home:
                    delays = measure_delays(Path(home), orders, cameras, rounds, say)
    except (BenchError, KafkaError, PortTakenError) as error:
        click.echo(f"bench: {error}", err=True)
        return 1
    except ClientError as error:
        click.echo(f"bench: Kafka does not do its part ({error!r}): is there room on the disk?", err=True)
        return 1
    except ClickHouseError as error:
        click.echo(f"bench: ClickHouse does not do its part ({brief(error)}): is there room on the disk?", err=True)
        return 1
    measured = Measured(found, delays, facts)
    if json:
        click.echo(orjson.dumps(as_json(measured), option=orjson.OPT_INDENT_2))
    else:
        Console().print(as_tables(measured))
    return 0


@click.command("alerts")
@click.option(
    "--orders", type=click.IntRange(1_000), default=ORDERS, show_default=True, help="Orders in the 30 days before."
)
@click.option("--cameras", type=click.IntRange(1, CAMERAS), default=CAMERAS, show_default=True, help="Cameras.")
@click.option("--ticks", type=click.IntRange(0), default=TICKS, show_default=True, help="Minutes; 0 leaves them out.")
@click.option(
    "--rounds",
    type=click.IntRange(0, ROUNDS_MOST),
    default=ROUNDS,
    show_default=True,
    help="Of the delay; 0 leaves it out.",
)
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON instead of tables.")
def alerts(orders: int, cameras: int, ticks: int, rounds: int, as_json_text: bool) -> None:
    """Measure what judging costs, and the delay from the deciding event to the webhook."""
    raise SystemExit(bench_alerts(orders=orders, cameras=cameras, ticks=ticks, rounds=rounds, json=as_json_text))
