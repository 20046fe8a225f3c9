"""A rehearsal of the alerts: weeks of the simulated city with incidents in it, judged by the shipped settings.

`python -m pipeline.backtest.rehearsal --weeks 8 --seed 1`. Everything happens in an embedded ClickHouse of its own in
a temporary directory. Events go through the decoder and the rows that the pipeline lands, without Kafka.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, cast

import click

from pipeline.backtest.drawing import drawn
from pipeline.backtest.firings import Firing
from pipeline.backtest.replay import replay_each
from pipeline.backtest.scoring import INDICATOR_OF, Score, by_scope, occurrences, score, unexplained
from pipeline.backtest.truth import SimulatedTruth
from pipeline.bench.services import own_clickhouse
from pipeline.commands.backtest import bars, print_score
from pipeline.simulator.incidents import parse_incident
from pipeline.simulator.moments import day_number
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.simulation import Emission, simulate
from schemas.catalogue import STREAMS
from schemas.indicator import ALWAYS, SHANGHAI, Indicator
from schemas.indicators import INDICATORS
from schemas.personal import Tokeniser
from sinks.clickhouse.address import Address
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store, connect
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from streams.land import Block, Gatherer, Landed, Lander, Refused
from streams.rebuild import Rebuilder, adopt
from streams.transport import Records

LATENESS: Final = timedelta(seconds=60)
ACTIVE_DAYS: Final = 30
PORTION: Final = 20_000
SWEEP: Final = tuple((minutes, floor) for minutes in (10, 20, 30, 60) for floor in (1, 30, 60, 100, 240))
"""Minutes of `for` and floors that are tried."""


class _Arrived(NamedTuple):
    """A record as it is landed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def prepare(address: Address, catalogue: Sequence[Indicator] = INDICATORS) -> None:
    """The tables and views, as `yangguang migrate` makes them."""
    client = connect(address, database=None)
    try:
        migrator = Migrator(client, catalogue=catalogue)
        migrator.prepare()
        migrator.apply(migrator.plan())
        sync_catalogue(client, catalogue)
    finally:
        client.close()


async def _silent(_: Landed | Sequence[Refused]) -> None:
    """Nobody listens: everything is computed afterwards."""


async def fill(store: Store, emissions: Iterator[Emission], told: Callable[[str], object] = lambda _: None) -> int:
    """Lands events without a broker; returns how many, and tells of each day of arrivals that is reached."""
    gatherer = Gatherer()
    lander = Lander(store, Tokeniser(b"key of a rehearsal"), _silent, _silent)
    count, day = 0, 0
    for portion in batched_of(emissions, PORTION):
        block = Block()
        by_topic: dict[str, list[_Arrived]] = {}
        for one in portion:
            count += 1
            by_topic.setdefault(one.topic, []).append(_Arrived(one.topic, 0, count, one.key, one.value))
        for topic, records in by_topic.items():
            gatherer.add(block, topic, 0, cast(Records, records))
        await lander.write(block)
        reached = day_number(portion[-1].arrival_us)
        if reached != day:
            day = reached
            told(f"{portion[-1].arrival:%Y-%m-%d} is reached, {count} events landed")
    return count


def batched_of(emissions: Iterator[Emission], size: int) -> Iterator[tuple[Emission, ...]]:
    """Portions of at most `size`."""
    while portion := tuple(islice(emissions, size)):
        yield portion


async def compute(store: Store, end: datetime, catalogue: Sequence[Indicator] = INDICATORS) -> None:
    """What the pipeline would have stored by `end`."""
    await write_watermarks(store, dict.fromkeys(STREAMS, end - LATENESS), end, "event", LATENESS)
    await adopt(store, catalogue, ACTIVE_DAYS)
    async for _ in Rebuilder(store, catalogue, ACTIVE_DAYS).run():
        pass


class Tried(NamedTuple):
    """One `for` and floor of all indicators, and what they are worth."""

    minutes: int
    floor: int
    score: Score


class Rehearsed(NamedTuple):
    """The firings by the shipped settings, what they are worth, and what other settings would be."""

    several: list[Firing]
    score: Score
    tried: list[Tried]


def _variant(one: Indicator, minutes: int, floor: int) -> Indicator:
    given = {"for_": timedelta(minutes=minutes), "floor": [{"from": ALWAYS, "value": floor}]}
    return Indicator.model_validate(one.model_dump(by_alias=True) | given)


async def rehearse(
    address: Address,
    options: SimulationOptions,
    end: datetime,
    told: Callable[[str], object] = lambda _: None,
    sweep: Sequence[tuple[int, int]] = (),
    *,
    filled: bool = False,
) -> Rehearsed:
    """Fills, computes and judges the indicators that incidents meet.

    :param filled: whether the store has the weeks already, so that they are only judged."""
    store = await Store.open(address)
    try:
        began = time.monotonic()
        chosen = [one for one in INDICATORS if one.code in INDICATOR_OF.values()]
        if not filled:
            count = await fill(store, simulate(options, until=end), told)
            told(f"{count} events landed after {time.monotonic() - began:.0f} s")
            await compute(store, end, chosen)
            told(f"computed after {time.monotonic() - began:.0f} s")
        variants = [[_variant(one, *tried) for one in chosen] for tried in sweep]
        several, *others = await replay_each(store, [chosen, *variants], options.start, end)
        told(f"judged after {time.monotonic() - began:.0f} s")
    finally:
        await store.close()
    happened = occurrences(options.incidents, options.start, end)
    alone = {one for judged in (several, *others) for one in unexplained(judged, happened)}
    truth = SimulatedTruth(options, end).confirmed(alone)
    told(f"compared with the truth after {time.monotonic() - began:.0f} s")
    return Rehearsed(
        several,
        score(several, options.incidents, options.start, end, truth),
        [
            Tried(*setting, score(judged, options.incidents, options.start, end, truth, {one.code: one for one in by}))
            for setting, judged, by in zip(sweep, others, variants, strict=True)
        ],
    )


def scored(
    options: SimulationOptions,
    end: datetime,
    home: Path,
    told: Callable[[str], object] = lambda _: None,
    sweep: Sequence[tuple[int, int]] = (),
) -> Rehearsed:
    """A rehearsal in a ClickHouse of its own, whose data stay in `home`: the next one of the same weeks finds them.

    Raises ValueError where other weeks are there."""
    mark = home / "weeks"
    weeks = f"{options} until {end.isoformat()}\n"
    filled = mark.exists()
    if filled and mark.read_text(encoding="utf-8") != weeks:
        raise ValueError(f"{home} has the weeks of other options: use another directory, or remove it")
    with own_clickhouse(home) as server:
        prepare(server.address)
        result = asyncio.run(rehearse(server.address, options, end, told, sweep, filled=filled))
    mark.write_text(weeks, encoding="utf-8")
    return result


def sweep_table(tried: Sequence[Tried]) -> str:
    """What each setting is worth, as a table of Markdown: of each kind of incident those found and their median delay;
    false alarms of city, towns and platforms; own breaches of the same."""
    titles = [f"`{INDICATOR_OF[name]}`" for name in INDICATOR_OF]
    lines = [f"| `for` | `floor` | {' | '.join(titles)} |", "|---" * (2 + len(titles)) + "|"]
    for one in tried:
        cells = " | ".join(_cell(one.score, name) for name in INDICATOR_OF)
        lines.append(f"| {one.minutes} min | {one.floor} | {cells} |")
    return "\n".join(lines)


def _cell(result: Score, name: str) -> str:
    incidents = result.of(name)
    delay = result.median_delay(name)
    minutes = "none" if delay is None else f"{delay.total_seconds() / 60:.0f} min"
    found = f"{sum(one.first is not None for one in incidents)}/{len(incidents)} after {minutes}"
    false, own = (
        by_scope([one for one in several if one.indicator == INDICATOR_OF[name]])
        for several in (result.false_alarms, result.own_breaches)
    )
    return f"{found}; {'/'.join(map(str, false.values()))}; {'/'.join(map(str, own.values()))}"


@click.command()
@click.option("--weeks", type=click.FloatRange(0.2, 12), default=8.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--incidents", "count", type=click.IntRange(1, 60), default=20, show_default=True)
@click.option("--orders", type=int, default=200_000, show_default=True, help="Takeaway orders of a mean day.")
@click.option("--cameras", type=int, default=200, show_default=True)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day; by default so that the end is past.")
@click.option("--sweep", is_flag=True, help="Also try other values of for and floor, the same for all indicators.")
@click.option("--plot", "as_plot", is_flag=True, help="Draw each alert's firings as bars.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Keep the data here, to judge again.")
@click.option("--out", type=click.Path(path_type=Path), help="A file for the firings as JSON.")
def main(
    *,
    weeks: float,
    seed: int,
    count: int,
    orders: int,
    cameras: int,
    start: datetime | None,
    sweep: bool,
    as_plot: bool,
    home: Path | None,
    out: Path | None,
) -> None:
    """Rehearse the alerts: simulated weeks with incidents, judged by the shipped settings."""
    today = datetime.now(UTC).astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    first = start.replace(tzinfo=SHANGHAI) if start else today - timedelta(days=int(weeks * 7) + 2)
    end = first + timedelta(weeks=weeks)
    options = SimulationOptions(first, seed, orders_per_day=orders, cameras=cameras)
    options = replace(options, incidents=tuple(parse_incident(one) for one in drawn(count, options, weeks)))
    with ExitStack() as stack:
        place = home or Path(stack.enter_context(TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        try:
            result = scored(options, end, place, lambda text: click.echo(text, err=True), SWEEP if sweep else ())
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    print_score(result.score)
    for name in INDICATOR_OF:
        delay = result.score.median_delay(name)
        click.echo(f"median delay of {name}: {delay.total_seconds() / 60:.0f} min" if delay else f"no {name} found")
    if as_plot:
        click.echo(bars(result.several, first, end))
    if sweep:
        click.echo(sweep_table(result.tried))
    if out:
        out.write_text(json.dumps([one._asdict() for one in result.several], default=str, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
