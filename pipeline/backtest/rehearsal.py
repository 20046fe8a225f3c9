"""A rehearsal of the alerts: weeks of the simulated city with incidents in it, judged by the shipped settings.

`python -m pipeline.backtest.rehearsal --weeks 8 --seed 1`. Everything happens in an embedded ClickHouse of its own in
a temporary directory. Events go through the decoder and the rows that the pipeline lands, without Kafka.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, cast

import click

from pipeline.backtest.firings import Firing
from pipeline.backtest.replay import replay
from pipeline.backtest.scoring import INDICATOR_OF, Score, score
from pipeline.bench.services import own_clickhouse
from pipeline.commands.backtest import print_score
from pipeline.simulator.incidents import Incident, parse_incident
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.simulation import Emission, simulate
from schemas.catalogue import STREAMS
from schemas.indicator import ALWAYS, SHANGHAI, Indicator
from schemas.indicators import INDICATORS
from schemas.personal import Tokeniser
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Address, Store, connect
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from streams.land import Block, Gatherer, Landed, Lander, Refused
from streams.rebuild import Rebuilder, adopt
from streams.transport import Records

LATENESS: Final = timedelta(seconds=60)
ACTIVE_DAYS: Final = 30
PORTION: Final = 20_000
SWEEP: Final = tuple((minutes, floor) for minutes in (10, 20, 30, 60) for floor in (1, 10, 30, 60))
"""Minutes of `for` and floors that are tried."""
_BIG_TOWNS: Final = ("330681001", "330681002", "330681003")
"""Streets of the seat, whose samples are large enough at any hour of a meal."""
_KINDS: Final = (
    "seal-drop:town={town},rate={low}", "seal-drop:platform={platform},rate={low}", "seal-drop:rate={low}",
    "kitchen-drop:town={town},rate={kitchens}", "camera-dark:town={town}",
    "seal-drop:town={town},rate={high}", "seal-drop:rate={high}", "seal-drop:platform={platform},rate={high}",
    "kitchen-drop:rate={kitchens}", "camera-dark:rate={cameras}",
)  # fmt: skip


class _Arrived(NamedTuple):
    """A record as it is landed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def drawn(seed: int, count: int, start: datetime, weeks: float) -> list[str]:
    """Incidents of all kinds by turns, at even distances of days, two to four hours from a meal on."""
    rng = Random(seed)
    first = start.astimezone(SHANGHAI).replace(hour=0, minute=0) + timedelta(days=1)
    step = (weeks * 7 - 2) / count
    texts = []
    for number in range(count):
        begin = first + timedelta(days=int(number * step), hours=rng.choice((11, 17)), minutes=rng.randrange(60))
        text = _KINDS[number % len(_KINDS)].format(
            town=rng.choice(_BIG_TOWNS),
            platform=rng.choice(("meituan", "eleme")),
            low=rng.choice((0.4, 0.5, 0.6)),
            high=rng.choice((0.65, 0.7, 0.75)),
            kitchens=rng.choice((0.3, 0.5)),
            cameras=rng.choice((0.3, 0.6, 1)),
        )
        end = begin + timedelta(hours=rng.choice((2, 3, 4)))
        texts.append(f"{text},from={begin.isoformat()},to={end.isoformat()}")
    return texts


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


async def fill(store: Store, emissions: Iterator[Emission]) -> int:
    """Lands events without a broker; returns how many."""
    gatherer = Gatherer()
    lander = Lander(store, Tokeniser(b"key of a rehearsal"), _silent, _silent)
    count = 0
    for portion in batched_of(emissions, PORTION):
        block = Block()
        by_topic: dict[str, list[_Arrived]] = {}
        for one in portion:
            count += 1
            by_topic.setdefault(one.topic, []).append(_Arrived(one.topic, 0, count, one.key, one.value))
        for topic, records in by_topic.items():
            gatherer.add(block, topic, 0, cast(Records, records))
        await lander.write(block)
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


def _in_brief(what: str, result: Score) -> str:
    """One line of a sweep."""
    found = sum(one.first is not None for one in result.found)
    false = {code: sum(one.indicator == code for one in result.false_alarms) for code in INDICATOR_OF.values()}
    delay = result.median_delay("seal-drop")
    minutes = "-" if delay is None else f"{delay.total_seconds() / 60:.0f}"
    return f"{what}: found {found} of {len(result.found)}, false {false}, seal drop after {minutes} min (median)"


async def rehearse(
    address: Address,
    options: SimulationOptions,
    end: datetime,
    told: Any = lambda _: None,
    sweep: Sequence[tuple[int, int]] = (),
) -> tuple[list[Firing], int]:
    """Fills, computes and replays; returns the firings of the indicators that incidents meet, and the events."""
    store = await Store.open(address)
    try:
        began = time.monotonic()
        count = await fill(store, simulate(options, until=end))
        told(f"{count} events landed after {time.monotonic() - began:.0f} s")
        await compute(store, end)
        told(f"computed after {time.monotonic() - began:.0f} s")
        chosen = [one for one in INDICATORS if one.code in INDICATOR_OF.values()]
        several = await replay(store, chosen, options.start, end, lambda: None)
        told(f"judged after {time.monotonic() - began:.0f} s")
        for minutes, floor in sweep:
            given = {"for_": timedelta(minutes=minutes), "floor": [{"from": ALWAYS, "value": floor}]}
            variants = [Indicator.model_validate(one.model_dump(by_alias=True) | given) for one in chosen]
            tried = await replay(store, variants, options.start, end, lambda: None)
            told(_in_brief(f"for {minutes} min, floor {floor}", score(tried, options.incidents, options.start, end)))
        return several, count
    finally:
        await store.close()


def scored(
    options: SimulationOptions,
    end: datetime,
    home: Path,
    told: Any = lambda _: None,
    sweep: Sequence[tuple[int, int]] = (),
) -> tuple[Score, list[Firing]]:
    """A rehearsal in a ClickHouse of its own."""
    with own_clickhouse(home) as server:
        prepare(server.address)
        several, _ = asyncio.run(rehearse(server.address, options, end, told, sweep))
    return score(several, options.incidents, options.start, end), several


@click.command()
@click.option("--weeks", type=click.FloatRange(0.2, 12), default=8.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--incidents", "count", type=click.IntRange(1, 60), default=20, show_default=True)
@click.option("--orders", type=int, default=10_000, show_default=True, help="Takeaway orders of a mean day.")
@click.option("--cameras", type=int, default=60, show_default=True)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day; by default so that the end is past.")
@click.option("--sweep", is_flag=True, help="Also try other values of for and floor, the same for all indicators.")
@click.option("--out", type=click.Path(path_type=Path), help="A file for the firings as JSON.")
def main(
    weeks: float,
    seed: int,
    count: int,
    orders: int,
    cameras: int,
    start: datetime | None,
    sweep: bool,
    out: Path | None,
) -> None:
    """Rehearse the alerts: simulated weeks with incidents, judged by the shipped settings."""
    today = datetime.now(UTC).astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    first = start.replace(tzinfo=SHANGHAI) if start else today - timedelta(days=int(weeks * 7) + 2)
    end = first + timedelta(weeks=weeks)
    texts = drawn(seed, count, first, weeks)
    incidents: tuple[Incident, ...] = tuple(parse_incident(one) for one in texts)
    options = SimulationOptions(first, seed, orders_per_day=orders, cameras=cameras, incidents=incidents)
    with TemporaryDirectory() as home:
        result, several = scored(
            options, end, Path(home), lambda text: click.echo(text, err=True), SWEEP if sweep else ()
        )
    print_score(result)
    delay = result.median_delay("seal-drop")
    click.echo(f"median delay of a seal drop: {delay.total_seconds() / 60:.0f} min" if delay else "no seal drop found")
    if out:
        out.write_text(json.dumps([one._asdict() for one in several], default=str, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
