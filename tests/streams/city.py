"""A small city in a ClickHouse of the test: its tables alone, or with raw rows and what is computed from them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from pipeline.bench.filled_city import fillings
from schemas.catalogue import STREAMS
from schemas.indicator import Indicator
from schemas.indicators import INDICATORS
from sinks.clickhouse.address import Address
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from streams.rebuild import Rebuilder, adopt
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server

Result = TypeVar("Result")

END: Final = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LATENESS: Final = timedelta(seconds=60)
AS_OF: Final = END - timedelta(minutes=1)
ACTIVE_DAYS: Final = 30


class City:
    """Tables and catalogue, and nothing that has happened yet.

    :param catalogue: what is counted."""

    def __init__(self, home: Path, catalogue: Sequence[Indicator] = INDICATORS) -> None:
        self.server = Server(home / "data")
        self.writer = self.server.client()
        self.catalogue = catalogue
        self.prepare(catalogue)

    def prepare(self, catalogue: Sequence[Indicator]) -> None:
        """What `yangguang migrate` does with this catalogue."""
        self.catalogue = catalogue
        migrator = Migrator(self.writer, catalogue=catalogue)
        migrator.prepare()
        migrator.apply(migrator.plan())
        sync_catalogue(self.writer, catalogue)

    def run(self, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Runs something with a store of its own."""

        async def opened() -> Result:
            store = await Store.open(Address("127.0.0.1", self.server.port, "writer", WRITER_PASSWORD))
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows that the writer reads."""
        return [tuple(row) for row in self.writer.query(sql).result_rows]

    def stop(self) -> None:
        """Ends the server."""
        self.writer.close()
        self.server.stop()


class FilledCity(City):
    """Raw rows of a month until `END`, computed by a catalogue.

    :param catalogue: what is counted."""

    def __init__(self, home: Path, catalogue: Sequence[Indicator] = INDICATORS, orders: int = 20_000) -> None:
        super().__init__(home, catalogue)
        for filling in fillings(orders, END, cameras=60):
            self.writer.command(filling.statement)
        self.run(self._compute)

    async def _compute(self, store: Store) -> None:
        await self.move_to(store, END)
        await self.adopt(store)
        await self.rebuild(store)

    async def move_to(self, store: Store, clock: datetime) -> None:
        """Writes the watermarks of all streams."""
        await write_watermarks(store, dict.fromkeys(STREAMS, clock - LATENESS), clock, "event", LATENESS)

    async def adopt(self, store: Store) -> None:
        """What a worker does with this catalogue when it starts."""
        await adopt(store, self.catalogue, ACTIVE_DAYS)

    async def rebuild(self, store: Store) -> None:
        """Everything anew."""
        async for _ in Rebuilder(store, self.catalogue, ACTIVE_DAYS).run():
            pass
