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
"""Whose rates are divided by whose."""


class Spread(NamedTuple):
    """The median of some rounds, and the least and greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


class Delay(NamedTuple):
    """From the producer's stamp to the row being visible, in milliseconds, at a steady rate in events/s."""

    rate: float
    seconds: float
    events: int
    median_ms: float
    p99_ms: float
    greatest_ms: float


def ratios(runs: Sequence[Run]) -> dict[tuple[str, str], Spread]:
    """Ratios of the rates within a round: noise that lasts longer than a round cancels out."""
    by_round: dict[int, dict[str, float]] = {}
    for run in runs:
        by_round.setdefault(run.round, {})[run.runner] = run.rate
    found = {}
    for over, under in PAIRS:
        values = [rates[over] / rates[under] for rates in by_round.values() if over in rates and under in rates]
        if values:
            found[over, under] = Spread.of(values)
    return found


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least value that at least `share` (0..1) of the values do not exceed; `ordered` ascends and is not empty."""
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def as_json(runs: Sequence[Run], delay: Delay | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured; rates in events/s, CPU in microseconds an event, memory in bytes."""
    return {
        **facts,
        "rounds": [_numbers(run) for run in runs],
        "ratios": [{"runner": over, "of": under, **spread._asdict()} for (over, under), spread in ratios(runs).items()],
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
        "cpu_us_per_event": run.cpu_seconds / run.events * _MICRO,
        "clickhouse_cpu_us_per_event": None if server is None else server / run.events * _MICRO,
        "peak_bytes": run.peak_bytes,
        "cpu_share_of_others": run.others,
    }


def as_tables(runs: Sequence[Run], delay: Delay | None, facts: dict[str, Any]) -> RenderableType:
    """The same for people."""
    table = Table(title=f"{facts['events']:,} seal events of {facts['bytes_per_event']:.0f} bytes, Kafka to ClickHouse")
    table.add_column("round", justify="right")
    table.add_column("consumer")
    for title in ("events/s", "CPU µs/event", "ClickHouse µs/event", "peak MB", "others' CPU"):
        table.add_column(title, justify="right")
    for run in runs:
        numbers = _numbers(run)
        server = numbers["clickhouse_cpu_us_per_event"]
        table.add_row(
            str(run.round),
            run.runner,
            f"{run.rate:,.0f}",
            f"{numbers['cpu_us_per_event']:.1f}",
            "-" if server is None else f"{server:.1f}",
            f"{run.peak_bytes / _MEGABYTE:.0f}",
            "-" if run.others is None else f"{run.others:.0%}",
            end_section=run is runs[-1] or runs[runs.index(run) + 1].round != run.round,
        )
    ratio = Table(title="ratio of events/s within a round")
    for title in ("", "median", "least", "greatest"):
        ratio.add_column(title, justify="right" if title else "left")
    for (over, under), spread in ratios(runs).items():
        ratio.add_row(f"{over} / {under}", *(f"{value:.2f}" for value in spread))
    said = (
        f"Produced to visible at {delay.rate:,.0f} events/s for {delay.seconds:.0f} s: "
        f"median {delay.median_ms:.0f} ms, p99 {delay.p99_ms:.0f} ms, greatest {delay.greatest_ms:.0f} ms"
        if delay
        else f"Delay: not measured ({facts['no_delay']})"
    )
    return Group(table, ratio, Text(said))
