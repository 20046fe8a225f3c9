"""A day of the simulated city in which the seals of the whole city drop at noon."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline.backtest.rehearsal import scored, sweep_table
from pipeline.backtest.replay import replay
from pipeline.bench.services import own_clickhouse
from pipeline.simulator.incidents import parse_incident
from pipeline.simulator.options import SimulationOptions
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from schemas.towns import CITY_CODE
from sinks.clickhouse import alerts
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store
from streams.alert_machine import AlertState
from streams.condition import Span, Subject, span_rows

START = datetime(2026, 11, 16, tzinfo=SHANGHAI)


def test_a_seal_drop_of_the_city_is_found_within_one_window_and_the_settle_time(tmp_path: Path) -> None:
    incident = parse_incident("seal-drop:rate=0.5,from=2026-11-16T11:00+08:00,to=2026-11-16T13:00+08:00")
    city = {"takeaway": 400, "banquet_cook": 10}
    options = SimulationOptions(START, 1, 4_000, city, villages=20, cameras=2, incidents=(incident,))
    end = START + timedelta(hours=15)
    rehearsed = scored(options, end, tmp_path, sweep=[(10, 30), (20, 30)])
    (found,) = rehearsed.score.found
    assert found.delay is not None
    assert timedelta(minutes=10) < found.delay < timedelta(minutes=75)
    assert [one for one in rehearsed.score.false_alarms if one.indicator == "seal_coverage"] == []
    same, patient = rehearsed.tried
    assert same.score.found == rehearsed.score.found
    assert patient.score.found[0].delay == found.delay + timedelta(minutes=10)
    assert sweep_table(rehearsed.tried).splitlines()[2].startswith("| 10 min | 30 | 1/1 after ")
    told: list[str] = []
    assert scored(options, end, tmp_path, told.append).several == rehearsed.several
    assert not any("landed" in one for one in told)
    with pytest.raises(ValueError, match="has the weeks of other options"):
        scored(replace(options, seed=2), end, tmp_path)
    with own_clickhouse(tmp_path) as server:
        assert "city" in asyncio.run(_firing_scopes(server.address, end, silent=False))
        assert "city" not in asyncio.run(_firing_scopes(server.address, end, silent=True))


async def _firing_scopes(address: Address, end: datetime, *, silent: bool) -> set[str]:
    """Where seals would have fired, if the log said that the city's stream was silent all day."""
    store = await Store.open(address)
    try:
        if silent:
            begin, until = int(START.timestamp()), int(end.timestamp())
            subject = Subject("no_data", "city", CITY_CODE, "2h", "yangguang.seal")
            _, rows = span_rows(subject, AlertState(), [Span(begin, until)], None, begin, until)
            await alerts.record(store, rows)
        return {one.scope for one in await replay(store, [CATALOGUE["seal_coverage"]], START, end, lambda: None)}
    finally:
        await store.close()
