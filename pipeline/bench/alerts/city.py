"""The city in which alerts are measured: 23 towns and 5 platforms with 5 000 operators and 10 000 cameras, the raw rows
of a month, and all that is computed of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipeline.bench import rates_measure
from pipeline.bench.filled_city import Filling
from pipeline.bench.rates_measure import ACTIVE_DAYS, LATENESS, Say
from schemas.catalogue import STREAMS
from schemas.indicator import Indicator
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store, connect
from sinks.clickhouse.progress import write_watermarks
from streams.rebuild import Rebuilder, adopt


def fill(address: Address, catalogue: Sequence[Indicator], fillings: Iterable[Filling], say: Say) -> None:
    """Does what `yangguang migrate` does, and writes the raw rows. Raises ClickHouseError."""
    client = connect(address, None)
    try:
        rates_measure.prepare(client, catalogue)
        rates_measure.fill(client, fillings, "filling raw tables", say)
    finally:
        client.close()


async def compute(store: Store, catalogue: Sequence[Indicator], mark: datetime, say: Say) -> None:
    """Computes everything up to a watermark, as a worker with this catalogue would have, and lets ClickHouse merge."""
    await move(store, mark)
    await adopt(store, catalogue, ACTIVE_DAYS)
    async for step in Rebuilder(store, catalogue, ACTIVE_DAYS).run():
        say(f"rebuild of everything: {step.what}", step.done, step.of)
    await rates_measure.merged(store, say)


async def move(store: Store, mark: datetime) -> None:
    """All streams' watermarks are at a moment, and the machine's clock is so far behind it as it has to be."""
    await write_watermarks(store, dict.fromkeys(STREAMS, mark), mark + LATENESS, "event", LATENESS)
