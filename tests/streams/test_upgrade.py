"""A database of an earlier shape goes forward with its events, back again, and forward once more; what is computed
follows each time, as a worker that starts does it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.indicators import INDICATORS
from sinks.clickhouse.address import Address
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store
from sinks.clickhouse.migrate import Migrator
from streams.rebuild import adopt
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server

BEFORE = "3"
"""The last migration before the whole catalogue was computed."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(tmp_path / "data")
    yield server
    server.stop()


async def start_worker(server: Server) -> None:
    """What a worker does before it aggregates."""
    store = await Store.open(Address("127.0.0.1", server.port, "writer", WRITER_PASSWORD))
    await adopt(store, INDICATORS, 30)
    await store.close()


def test_events_outlive_an_upgrade_and_what_is_computed_follows(server: Server) -> None:
    writer = server.client()
    migrator = Migrator(writer)
    migrator.prepare()
    migrator.apply(migrator.plan(BEFORE))
    writer.command(
        "INSERT INTO yangguang.raw_villages (village_id, name, town_code, event_id, source, event_time, landed_at) "
        "VALUES ('v-1', '斯宅村', '330681124', '1', '/registry', '2026-01-01 00:00:00', '2026-01-01 00:00:01')"
    )
    writer.command("INSERT INTO yangguang.settings VALUES ('takeaway_active_days', '30', now64(6))")
    for _ in range(2):
        migrator.apply(migrator.plan())
        sync_catalogue(writer, INDICATORS)
        assert migrator.check() == []
        asyncio.run(start_worker(server))
        assert writer.query("SELECT id FROM yangguang.events").result_rows == [("1",)]
        served = "SELECT unit_id, arrayMap(one -> one.indicator, span.counts) FROM yangguang.stock_spans FINAL"
        rows = writer.query(f"{served} ARRAY JOIN spans AS span").result_rows
        assert [(unit, list(codes)) for unit, codes in rows] == [("v-1", ["caring_canteen_villages"])]
        migrator.apply(migrator.plan(BEFORE))
        assert writer.query("SELECT id FROM yangguang.raw_events").result_rows == [("1",)]
    writer.close()
