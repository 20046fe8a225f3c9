"""What is true in the simulated city, whatever the pipeline says."""

from datetime import datetime, timedelta

import pytest

from pipeline.backtest.firings import Firing
from pipeline.backtest.truth import SimulatedTruth
from pipeline.simulator.incidents import parse_incident
from pipeline.simulator.options import SimulationOptions
from schemas.indicator import SHANGHAI

START = datetime(2026, 11, 16, tzinfo=SHANGHAI)
NOON = START + timedelta(hours=12)
HOUR = timedelta(hours=1)
TOWN, OTHER = "330681003", "330681104"


@pytest.fixture(scope="module")
def truth() -> SimulatedTruth:
    spans = "from=2026-11-16T11:00+08:00,to=2026-11-16T13:00+08:00"
    incidents = tuple(parse_incident(f"{one}:town={TOWN},{spans}") for one in ("kitchen-drop", "camera-dark"))
    options = SimulationOptions(START, operators={"takeaway": 400}, cameras=60, incidents=incidents)
    return SimulatedTruth(options, START + timedelta(days=1))


def share(counted: tuple[int, int]) -> float:
    return counted[0] / counted[1]


def firing(indicator: str, scope_id: str, window: str, at: datetime) -> Firing:
    return Firing(f"{indicator}.town.{scope_id}.{window}", indicator, "town", scope_id, window, at, None)


def test_kitchens_that_degrade_are_missed_until_they_are_back(truth: SimulatedTruth) -> None:
    before, during, after = (truth.kitchen_build("town", TOWN, NOON + hours * HOUR) for hours in (-2, 0, 2))
    assert share(before) > 0.9 > share(during) < share(after)
    assert before[1] == during[1]
    assert truth.kitchen_build("city", "330681", NOON)[1] > truth.kitchen_build("platform", "meituan", NOON)[1]


def test_a_dark_camera_is_up_in_no_slot_and_expected_in_all_of_its_open_hours(truth: SimulatedTruth) -> None:
    dark, cameras = truth.camera_online("town", TOWN, NOON, HOUR)
    assert dark == 0 < cameras
    assert share(truth.camera_online("town", OTHER, NOON, HOUR)) > 0.9
    assert truth.camera_online("city", "330681", START + 4 * HOUR, HOUR)[1] < cameras


def test_an_alert_is_true_where_the_place_is_below_its_target(truth: SimulatedTruth) -> None:
    expected = [
        firing("kitchen_build", TOWN, "now", NOON),
        firing("camera_online", TOWN, "1h", NOON),
    ]
    wrong = [
        firing("kitchen_build", TOWN, "now", NOON - 2 * HOUR),
        firing("camera_online", TOWN, "1h", NOON - 2 * HOUR),
        firing("seal_coverage", TOWN, "1h", NOON),
    ]
    assert truth.confirmed([*expected, *wrong]) == set(expected)
