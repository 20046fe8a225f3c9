"""What the numbers of all rounds say together, as JSON and for reading. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.bench.measure import Run
from pipeline.bench.runner import FAUST, LOOP, OURS

_MEGABYTE: Final = 1_000_000
_MICRO: Final = 1_000_000
PAIRS: Final = ((OURS, FAUST), (OURS, LOOP), (LOOP, FAUST))
"""Who is compared with whom."""


class Spread(NamedTuple):
    """The median of some rounds, and the least and greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.greatest:.2f})"


class Delay(NamedTuple):
    """From the producer's stamp to the row being visible, in milliseconds, at a steady rate in events/s."""

    rate: float
    seconds: float
    events: int
    median_ms: float
    p99_ms: float
    greatest_ms: float


class Ratio(NamedTuple):
    """How many times faster `runner` is than `peer`, and how many times less CPU its own process takes an event.

    Both are taken within a round, so noise that lasts longer than a round cancels out; the CPU hardly feels noise."""

    runner: str
    peer: str
    rate: Spread
    cpu: Spread


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Ratios of all pairs that ran in a common round."""
    by_round: dict[int, dict[str, Run]] = {}
    for run in runs:
        by_round.setdefault(run.round, {})[run.runner] = run
    found = []
    for runner, peer in PAIRS:
        both = [(one[runner], one[peer]) for one in by_round.values() if runner in one and peer in one]
        if both:
            rates = Spread.of([own.rate / other.rate for own, other in both])
            cpu = Spread.of([other.cpu_us / own.cpu_us for own, other in both])
            found.append(Ratio(runner, peer, rates, cpu))
    return found


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least value that at least `share` (0..1) of the values do not exceed; `ordered` ascends and is not empty."""
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def as_json(runs: Sequence[Run], delay: Delay | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured; rates in events/s, CPU in microseconds an event, memory in bytes."""
    return {
        **facts,
        "rounds": [_numbers(run) for run in runs],
        "ratios": [
            {"runner": one.runner, "peer": one.peer, "rate": one.rate._asdict(), "cpu": one.cpu._asdict()}
            for one in ratios(runs)
        ],
        "delay": delay._asdict() if delay else None,
    }


def _numbers(run: Run) -> dict[str, Any]:
    server = run.clickhouse_cpu_seconds
    return {
        "runner": run.runner,
        "round": run.round,
        "events": run.events,
        "seconds": run.seconds,
        "events_per_second": run.rate,
        "cpu_us_per_event": run.cpu_us,
        "clickhouse_cpu_us_per_event": None if server is None else server / run.events * _MICRO,
        "peak_bytes": run.peak_bytes,
        "cpu_share_of_others": run.others,
    }


def as_tables(runs: Sequence[Run], delay: Delay | None, facts: dict[str, Any]) -> RenderableType:
    """The same for people."""
    table = Table(
        title=f"{facts['events']:,} seal events of {facts['bytes_per_event']:.0f} bytes, Kafka to ClickHouse",
        caption="CPU in µs an event; others: share of the machine that others used",
    )
    table.add_column("round", justify="right")
    table.add_column("consumer", no_wrap=True)
    for title in ("events/s", "CPU", "ClickHouse", "peak MB", "others"):
        table.add_column(title, justify="right")
    for run in runs:
        numbers = _numbers(run)
        server = numbers["clickhouse_cpu_us_per_event"]
        table.add_row(
            str(run.round),
            run.runner,
            f"{run.rate:,.0f}",
            f"{run.cpu_us:.1f}",
            "-" if server is None else f"{server:.1f}",
            f"{run.peak_bytes / _MEGABYTE:.0f}",
            "-" if run.others is None else f"{run.others:.0%}",
            end_section=run is runs[-1] or runs[runs.index(run) + 1].round != run.round,
        )
    ratio = Table(title="within a round: median (least-greatest)")
    ratio.add_column("", no_wrap=True)
    ratio.add_column("times as fast", justify="right", no_wrap=True)
    ratio.add_column("times less CPU", justify="right", no_wrap=True)
    for one in ratios(runs):
        ratio.add_row(f"{one.runner} / {one.peer}", str(one.rate), str(one.cpu))
    said = (
        f"Produced to visible at {delay.rate:,.0f} events/s for {delay.seconds:.0f} s: "
        f"median {delay.median_ms:.0f} ms, p99 {delay.p99_ms:.0f} ms, greatest {delay.greatest_ms:.0f} ms"
        if delay
        else f"Delay: not measured ({facts['no_delay']})"
    )
    return Group(table, ratio, Text(said))
