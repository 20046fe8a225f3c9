"""Which incidents a rehearsal draws: any, in places where an alert can tell of them."""

from dataclasses import replace
from datetime import datetime

from pipeline.backtest.drawing import drawn, seal_towns, steady_towns
from pipeline.simulator.incidents import parse_incident
from pipeline.simulator.options import SimulationOptions
from schemas.indicator import SHANGHAI
from schemas.towns import TOWNS

OPTIONS = SimulationOptions(datetime(2026, 11, 16, tzinfo=SHANGHAI), 3, orders_per_day=20_000)


def test_drawn_incidents_can_be_read_and_are_the_same_for_a_seed() -> None:
    texts = drawn(20, OPTIONS, 8)
    assert texts == drawn(20, OPTIONS, 8) != drawn(20, replace(OPTIONS, seed=4), 8)
    assert {parse_incident(one).name for one in texts} == {"seal-drop", "kitchen-drop", "camera-dark"}


def test_a_small_town_is_drawn_once_it_has_the_sample_that_shows_the_drop() -> None:
    few, many = seal_towns(20_000, 0.75), seal_towns(200_000, 0.75)
    assert set(few) < set(many) == set(TOWNS)
    assert set(few) < set(seal_towns(20_000, 0.4))
    assert seal_towns(200, 0.4) == []


def test_seals_drop_only_in_towns_with_the_sample() -> None:
    incidents = [parse_incident(one) for one in drawn(60, OPTIONS, 12)]
    towns = [one for one in incidents if one.name == "seal-drop" and one.town is not None]
    assert towns
    assert all(one.town in seal_towns(OPTIONS.orders_per_day, one.rate) for one in towns)


def test_kitchens_drop_where_the_share_stays_above_the_target_by_itself() -> None:
    assert "330681001" in steady_towns(OPTIONS)
    assert "330681120" not in steady_towns(OPTIONS)
    assert steady_towns(replace(OPTIONS, kitchens_active=0.9)) == []
