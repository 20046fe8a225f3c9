"""What was measured of alerts, for people and as JSON."""

from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.bench.alerts.ticks import Ticks
from pipeline.bench.gateway.quantiles import Quantiles

AIM_TICK_CPU_SECONDS: Final = 0.5
AIM_DELAY_SECONDS: Final = 3.0


class Measured(NamedTuple):
    """Everything; `ticks` None and no `delays` where that part was left out. Delays in seconds."""

    ticks: Ticks | None
    delays: list[float]
    facts: dict[str, Any]


def _costs(ticks: Ticks) -> dict[str, dict[str, Any]]:
    """Of each stage and all of them: seconds of a tick."""
    return {
        name: {
            "own_cpu_seconds": Quantiles.of([one.own_cpu for one in costs]),
            "clickhouse_cpu_seconds": Quantiles.of([one.clickhouse_cpu for one in costs]),
            "cpu_seconds": Quantiles.of([one.own_cpu + one.clickhouse_cpu for one in costs]),
            "wall_seconds": Quantiles.of([one.milliseconds / 1000 for one in costs]),
            "statements": Quantiles.of([one.statements for one in costs]),
        }
        for name, costs in ticks.costs.items()
    }


def as_json(measured: Measured) -> dict[str, Any]:
    """Seconds everywhere; `median` is p50."""
    found: dict[str, Any] = {
        **measured.facts,
        "aims": {"tick_cpu_seconds": AIM_TICK_CPU_SECONDS, "delay_p99_seconds": AIM_DELAY_SECONDS},
        "ticks": None,
        "delay": None,
    }
    if measured.ticks is not None:
        costs = _costs(measured.ticks)
        found["ticks"] = {
            "count": len(measured.ticks.costs["all"]),
            "transitions": measured.ticks.transitions,
            "stages": {name: {of: quantiles._asdict() for of, quantiles in one.items()} for name, one in costs.items()},
        }
    if measured.delays:
        found["delay"] = {"rounds": len(measured.delays), **Quantiles.of(measured.delays)._asdict()}
    return found


def as_tables(measured: Measured) -> RenderableType:
    """The same for people."""
    shown: list[RenderableType] = []
    if measured.ticks is not None:
        table = Table(
            title=f"a tick of the alert stage, {len(measured.ticks.costs['all'])} minutes, "
            f"{measured.ticks.transitions} transitions: ms, p50 / p99",
            caption=f"aim: less than {AIM_TICK_CPU_SECONDS * 1000:.0f} ms of CPU",
        )
        table.add_column("", no_wrap=True)
        for title in ("own CPU", "ClickHouse's CPU", "both", "wall", "statements"):
            table.add_column(title, justify="right", no_wrap=True)
        for name, costs in _costs(measured.ticks).items():
            *seconds, statements = costs.values()
            cells = [f"{one.median * 1000:.0f} / {one.p99 * 1000:.0f}" for one in seconds]
            table.add_row(name, *cells, f"{statements.median:.0f}")
        shown.append(table)
    if measured.delays:
        delay = Quantiles.of(measured.delays)
        shown.append(
            Text(
                f"Deciding event to webhook, beyond lateness and minute cut, {len(measured.delays)} rounds: "
                f"median {delay.median:.2f} s, p99 {delay.p99:.2f} s, greatest {delay.greatest:.2f} s "
                f"(aim: p99 less than {AIM_DELAY_SECONDS:.0f} s)"
            )
        )
    return Group(*shown)
