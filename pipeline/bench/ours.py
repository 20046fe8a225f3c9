"""The worker as it is measured: its own app, transport, validation, blocks, acknowledgements and commits.

For speed only the landing stage is run, on a topic, a `landed` topic and a database of the measurement, so that running
services keep their own data. What the stage does with a record is the product's code, unchanged.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import faust
from clickhouse_connect.driver.asyncclient import AsyncClient

from schemas.indicators import CATALOGUE
from schemas.personal import Tokeniser
from schemas.seal import Order
from sinks.clickhouse.client import Store, connect_async
from sinks.clickhouse.raw import DATABASE
from streams.app import RecordListSchema, create_app
from streams.garbage import quieten_garbage_collector
from streams.land import Block, Gatherer, Landed, Lander, Landing, Refused
from streams.options import Options
from streams.transport import Records
from streams.worker import TICK_SECONDS, create_worker

LANDED_SUFFIX: Final = ".landed"


class _SealGatherer(Gatherer):
    """Takes the measurement's topic for the seal stream."""

    def add(self, block: Block, topic: str, partition: int, records: Records) -> None:
        del topic
        super().add(block, Order.stream, partition, records)


class _OtherDatabase(Store):
    """Writes to the measurement's database."""

    def __init__(self, client: AsyncClient, database: str) -> None:
        super().__init__(client)
        self._database = database

    async def insert(
        self, table: str, names: Sequence[str], types: Sequence[str], columns: Sequence[Sequence[Any]]
    ) -> None:
        """The same insert, into the table of that name in the other database."""
        await super().insert(f"{self._database}.{table.removeprefix(f'{DATABASE}.')}", names, types, columns)


def landing_stage(options: Options, topic: str, database: str) -> None:
    """Runs a worker that has only the landing stage. Never returns."""
    app = create_app(options)
    opened = asyncio.Event()
    stage: list[Landing] = []

    async def publish(landed: Landed) -> None:
        await app.producer.send_and_wait(
            topic + LANDED_SUFFIX, landed.stream.encode(), landed.to_json(), None, None, None
        )

    async def reject(refused: Sequence[Refused]) -> None:
        raise RuntimeError(f"{len(refused)} events of the measurement are rejected: {refused[0].rejection}")

    async def land(stream: Any) -> None:
        store = _OtherDatabase(await connect_async(options.clickhouse), database)
        lander = Lander(store, Tokeniser(options.personal_key), publish, reject)
        landing = Landing(_SealGatherer(), lander, app.lists.landed)
        quieten_garbage_collector()
        stage.append(landing)
        opened.set()
        async for event in stream.noack().events():
            await landing.take(event.message)

    async def ticks() -> None:
        await opened.wait()
        while not app.should_stop:
            await stage[0].tick()
            await app.sleep(TICK_SECONDS)

    app.agent(app.topic(topic, schema=RecordListSchema()), name="land")(land)
    app.task()(ticks)
    _run(app)


def whole_worker(options: Options) -> None:
    """Runs a worker with all its stages. Never returns."""
    _run(create_worker(options, CATALOGUE.values()))


def _run(app: faust.App) -> None:
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
