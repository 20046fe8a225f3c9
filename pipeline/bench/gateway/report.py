"""What the numbers of all rounds say together, as JSON and for reading. Pure."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.bench.gateway.measure import BARE, GATEWAY, SERVERS, Peak, Run, Shape
from pipeline.bench.report import Spread

_MEGABYTE: Final = 1_000_000
_MICRO: Final = 1_000_000


class Ratio(NamedTuple):
    """How many times as many events a second the gateway takes as the bare handler, and how many times as much CPU its
    process takes for one. Both are taken within a round, so noise that lasts longer cancels out."""

    shape: Shape
    rate: Spread
    cpu: Spread


def rate(run: Run) -> float:
    """Events a second."""
    return run.answered.events / run.answered.seconds


def cpu_us(run: Run, process: str) -> float:
    """CPU of a process, microseconds an event."""
    return run.answered.cpu[process] / max(1, run.answered.events) * _MICRO


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Ratios of all shapes that both did in a common round."""
    by_place = {(one.shape, one.round, one.server): one for one in runs}
    found = []
    for shape in _shapes(runs):
        pairs = [
            (ours, by_place[shape, number, BARE])
            for (what, number, server), ours in by_place.items()
            if what == shape and server == GATEWAY and (shape, number, BARE) in by_place
        ]
        if pairs:
            rates = Spread.of([rate(ours) / rate(bare) for ours, bare in pairs])
            cpu = Spread.of([cpu_us(ours, "server") / cpu_us(bare, "server") for ours, bare in pairs])
            found.append(Ratio(shape, rates, cpu))
    return found


def _shapes(runs: Sequence[Run]) -> list[Shape]:
    return list(dict.fromkeys(one.shape for one in runs))


def as_json(runs: Sequence[Run], peaks: Sequence[Peak], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured; rates a second, CPU in microseconds an event, memory in bytes."""
    return {
        **facts,
        "rounds": [_numbers(one) for one in runs],
        "ratios": [
            {"shape": one.shape._asdict(), "rate": one.rate._asdict(), "cpu": one.cpu._asdict()} for one in ratios(runs)
        ],
        "peaks": [one._asdict() for one in peaks],
    }


def _numbers(run: Run) -> dict[str, Any]:
    answered = run.answered
    return {
        "server": run.server,
        "shape": run.shape._asdict(),
        "round": run.round,
        "seconds": answered.seconds,
        "events": answered.events,
        "events_per_second": rate(run),
        "requests_per_second": answered.requests / answered.seconds,
        "milliseconds": answered.milliseconds._asdict(),
        "cpu_us_per_event": {name: cpu_us(run, name) for name in answered.cpu},
        "cpu_share_of_others": answered.others,
    }


def as_tables(runs: Sequence[Run], peaks: Sequence[Peak], facts: dict[str, Any]) -> RenderableType:
    """The same for people: of all rounds the median."""
    table = Table(
        title=f"seal events of {facts['bytes_per_event']:.0f} bytes over HTTP; medians of all rounds",
        caption="p50, p99: ms until the answer; CPU of the server, of Kafka and of the client: µs an event",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("a request", no_wrap=True)
    table.add_column("", no_wrap=True)
    for title in ("events/s", "requests/s", "p50", "p99", "CPU", "Kafka", "client"):
        table.add_column(title, justify="right", no_wrap=True)
    for shape in _shapes(runs):
        for server in SERVERS:
            of_both = [one for one in runs if (one.shape, one.server) == (shape, server)]
            if of_both:
                table.add_row(shape.words if server == SERVERS[0] else "", server, *_cells(of_both))
    compared = Table(title="gateway / bare within a round: median (least-greatest)", box=None)
    compared.add_column("a request", no_wrap=True)
    compared.add_column("times as fast", justify="right", no_wrap=True)
    compared.add_column("times as much CPU", justify="right", no_wrap=True)
    for one in ratios(runs):
        compared.add_row(one.shape.words, str(one.rate), str(one.cpu))
    return Group(table, Text(), compared, Text(), Text(_said(runs, peaks)))


def _cells(runs: Sequence[Run]) -> list[str]:
    def middle(value: Callable[[Run], float], places: int = 0) -> str:
        found = median(value(one) for one in runs)
        return f"{found:,.{places if found < 100 else 0}f}"

    return [
        middle(rate),
        middle(lambda one: one.answered.requests / one.answered.seconds),
        middle(lambda one: one.answered.milliseconds.median, 1),
        middle(lambda one: one.answered.milliseconds.p99, 1),
        middle(lambda one: cpu_us(one, "server"), 1),
        middle(lambda one: cpu_us(one, "kafka"), 1),
        middle(lambda one: cpu_us(one, "client"), 1),
    ]


def _said(runs: Sequence[Run], peaks: Sequence[Peak]) -> str:
    memory = (
        f"{server} {max(one.bytes for one in peaks if one.server == server) / _MEGABYTE:.0f} MB"
        for server in SERVERS
        if any(one.server == server for one in peaks)
    )
    others = max((one.answered.others for one in runs), default=0.0)
    return f"Peak memory: {', '.join(memory)}. Others used up to {others:.0%} of the machine."
