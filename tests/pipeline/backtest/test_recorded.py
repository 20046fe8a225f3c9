"""What the alert stage recorded, as firings."""

import asyncio
from datetime import timedelta
from pathlib import Path

from pipeline.backtest.rehearsal import prepare
from pipeline.backtest.replay import recorded
from pipeline.bench.services import own_clickhouse
from schemas.indicators import INDICATORS
from sinks.clickhouse import alerts
from sinks.clickhouse.address import Address
from sinks.clickhouse.alerts import SeriesPoint
from sinks.clickhouse.client import Store, now
from streams.alert import Evaluation
from tests.pipeline.backtest.test_firings import NOON, TOWN, WEEK_END


async def _record_and_read(address: Address) -> list[tuple[str, str]]:
    seal = next(one for one in INDICATORS if one.code == "seal_coverage")
    evaluation = Evaluation(seal, {})
    points = [
        SeriesPoint("town", TOWN, "1h", NOON, 10, 100, 0),
        SeriesPoint("town", TOWN, "1h", NOON + timedelta(hours=1), 99, 100, 0),
    ]
    evaluation.run(points, NOON, NOON + timedelta(hours=3))
    store = await Store.open(address)
    try:
        await alerts.record(store, [{**row, "recorded_at": now()} for row in evaluation.rows])
        found = await recorded(store, NOON, WEEK_END)
        assert await recorded(store, WEEK_END, WEEK_END + timedelta(days=1)) == []
        assert all(one.end is not None for one in found)
        return [(one.scope_id, f"{one.begin:%H:%M} {one.end:%H:%M}") for one in found]
    finally:
        await store.close()


def test_what_was_recorded_is_read_as_firings_in_utc(tmp_path: Path) -> None:
    with own_clickhouse(tmp_path) as server:
        prepare(server.address)
        assert asyncio.run(_record_and_read(server.address)) == [(TOWN, "04:10 05:10")]
