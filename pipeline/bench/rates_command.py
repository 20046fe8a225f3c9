"""`yangguang bench rates`: what it costs to ask for rates and to keep them right, and how that grows.

Each size has a ClickHouse of its own, with a month of a city: so many orders, a day of 10 000 cameras' heartbeats,
5 000 operators, banquets, findings, villages, duties. The peer counts one indicator of the 27 from the raw rows.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import click
import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table

from pipeline.bench.filled_city import CAMERAS
from pipeline.bench.metered import Cost
from pipeline.bench.rates_measure import Measured, measure
from pipeline.bench.services import BenchError
from pipeline.counted_bar import counted_bar
from sinks.clickhouse.client import brief

_ROWS = (
    ("all of rates_now", "rates_now"),
    ("peer: seal coverage from raw rows", "from_raw"),
    ("one late order's recompute", "late_event"),
    ("one late heartbeat's recompute", "late_heartbeat"),
    ("one day's rebuild", "day"),
    ("rebuild of everything", "rebuilt"),
)


def bench_rates(*, sizes: tuple[int, ...], cameras: int, rate: int, seconds: int, json: bool) -> int:
    """Measures and prints; returns the exit status."""
    bar = counted_bar()
    found = []
    try:
        with bar:
            task = bar.add_task("starting ClickHouse", total=None)
            for size in sizes:
                with tempfile.TemporaryDirectory(prefix="yangguang-bench-") as home:
                    found.append(
                        measure(
                            Path(home),
                            size,
                            cameras,
                            rate,
                            seconds,
                            lambda what, done, of: bar.update(task, description=what, completed=done, total=of),
                        )
                    )
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        return 1
    except ClickHouseError as error:
        click.echo(f"bench: ClickHouse does not do its part ({brief(error)}): is there room on the disk?", err=True)
        return 1
    if json:
        click.echo(orjson.dumps(_as_json(found), option=orjson.OPT_INDENT_2))
    else:
        Console().print(*_as_tables(found))
    return 0


def _as_json(found: list[Measured]) -> dict[str, Any]:
    sizes = [
        {name: value._asdict() if isinstance(value, Cost) else value for name, value in one._asdict().items()}
        for one in found
    ]
    growth = {name: _growth(found, name) for _, name in _ROWS} if len(found) > 1 else {}
    return {"cores": os.cpu_count(), "load": os.getloadavg()[0], "sizes": sizes, "growth": growth}


def _growth(found: list[Measured], name: str) -> float:
    first: Cost = getattr(found[0], name)
    last: Cost = getattr(found[-1], name)
    return round(last.milliseconds / first.milliseconds, 2)


def _as_tables(found: list[Measured]) -> list[Any]:
    table = Table("", title="milliseconds (rows read, statements)", title_justify="left", box=None)
    for one in found:
        table.add_column(f"{one.orders:,} orders", justify="right")
    if len(found) > 1:
        table.add_column("growth", justify="right")
    for words, name in _ROWS:
        costs = [getattr(one, name) for one in found]
        cells = [f"{one.milliseconds:,.0f} ({one.rows_read:,}, {one.statements})" for one in costs]
        table.add_row(words, *cells, *([f"{_growth(found, name):.2f}"] if len(found) > 1 else []))
    steady = Table(
        "orders before", "events/s", "aggregate stage", "ClickHouse for it", "statements/s", "one join",
        title="one second of a steady stream: % of a core", title_justify="left", box=None,
    )  # fmt: skip
    for one in found:
        cost = one.steady
        steady.add_row(
            f"{one.orders:,}",
            f"{one.steady_events:,}",
            f"{cost.own_cpu * 100:.1f} %",
            f"{cost.clickhouse_cpu * 100:.1f} %",
            f"{cost.statements:.0f}",
            f"{cost.milliseconds:.0f} ms",
        )
    return [table, "\n", steady]


@click.command("rates")
@click.option(
    "--orders", "sizes", multiple=True, type=click.IntRange(1_000), default=(2_000_000, 20_000_000), show_default=True,
    help="Orders in 30 days; repeatable, the growth is from the first to the last.",
)  # fmt: skip
@click.option("--cameras", type=click.IntRange(1, CAMERAS), default=CAMERAS, show_default=True, help="Cameras.")
@click.option(
    "--rate", type=click.IntRange(10, 20_000), default=1000, show_default=True, help="Events/s of the stream."
)
@click.option("--seconds", type=click.IntRange(1), default=300, show_default=True, help="Its length, in event time.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON instead of tables.")
def rates(sizes: tuple[int, ...], cameras: int, rate: int, seconds: int, as_json_text: bool) -> None:
    """Measure asking for rates, late events, a rebuild, and the aggregate stage, in databases of its own."""
    raise SystemExit(bench_rates(sizes=sizes, cameras=cameras, rate=rate, seconds=seconds, json=as_json_text))
