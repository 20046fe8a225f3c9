"""A day of the simulated city in which the seals of the whole city drop at noon."""

from datetime import datetime, timedelta
from pathlib import Path

from pipeline.backtest.rehearsal import drawn, scored
from pipeline.simulator.incidents import parse_incident
from pipeline.simulator.options import SimulationOptions
from schemas.indicator import SHANGHAI

START = datetime(2026, 11, 16, tzinfo=SHANGHAI)


def test_a_seal_drop_of_the_city_is_found_within_one_window_and_the_settle_time(tmp_path: Path) -> None:
    incident = parse_incident("seal-drop:rate=0.5,from=2026-11-16T11:00+08:00,to=2026-11-16T13:00+08:00")
    options = SimulationOptions(START, orders_per_day=4_000, cameras=2, incidents=(incident,))
    result, _ = scored(options, START + timedelta(hours=15), tmp_path)
    (found,) = result.found
    assert found.delay is not None
    assert timedelta(minutes=10) < found.delay < timedelta(minutes=75)
    assert [one for one in result.false_alarms if one.indicator == "seal_coverage"] == []


def test_drawn_incidents_can_be_read_and_are_the_same_for_a_seed() -> None:
    texts = drawn(3, 20, START, 8)
    assert texts == drawn(3, 20, START, 8) != drawn(4, 20, START, 8)
    assert {parse_incident(one).name for one in texts} == {"seal-drop", "kitchen-drop", "camera-dark"}
