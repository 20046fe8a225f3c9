"""`yangguang why`: the units of a number are those that the rate counts, with the events that decide them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from schemas.indicators import CATALOGUE
from tests.little_city import OTHER
from tests.pipeline.commands.conftest import City, Run

Objects = Callable[..., Any]
EVENT = ("type", "source", "id", "time")


@pytest.mark.parametrize("code", CATALOGUE)
def test_the_units_add_up_to_the_rate_of_now(objects: Objects, code: str) -> None:
    answer = objects("why", code, "--limit", "100000")
    (row,) = objects("rates", "--indicator", code, "--scope", "city", "--window", CATALOGUE[code].windows[0])
    assert {name: answer[name] for name in ("numerator", "denominator", "unknown", "rate", "target", "status")} == {
        name: row[name] for name in ("numerator", "denominator", "unknown", "rate", "target", "status")
    }
    assert answer["at"] == row["window_end"]
    units = answer["shown"]
    assert len(units) == answer["units"]
    assert [sum(unit[name] for unit in units) for name in ("numerator", "denominator", "unknown")] == [
        answer[name] for name in ("numerator", "denominator", "unknown")
    ]
    assert all(tuple(event) == EVENT for unit in units for event in unit["events"])
    assert all(unit["events"] for unit in units)


def test_what_lowers_the_rate_comes_first_and_the_sums_are_of_all_units(objects: Objects) -> None:
    answer = objects("why", "seal_coverage", "--window", "24h", "--limit", "2")
    assert [unit["unknown"] for unit in answer["shown"]] == [1, 1]
    assert answer["units"] == answer["denominator"] > 200


def test_the_table_names_units_and_their_events(run: Run) -> None:
    lines = run("why", "kitchen_build").stdout.splitlines()
    assert lines[0].startswith("kitchen_build 外卖商家阳光厨房建设率 · 诸暨市 until ")
    assert "1/3 = 33.3%, unknown 1, target ≥90%, below" in lines
    cells = [line.split() for line in lines]
    assert ["op-3", "枫桥镇", "unknown"] in [one[:3] for one in cells]
    assert ["op-2", "枫桥镇", "denominator", "only", "registry.operator", "/licensing/zhuji"] in [
        one[:6] for one in cells
    ]
    assert ["camera.kitchen", "/platform/kitchens"] in [one[:2] for one in cells]
    assert lines[-1] == "3 of 3 units"


def test_of_a_camera_slots_are_counted(run: Run) -> None:
    text = run("why", "camera_online").stdout
    assert " of 11 slots" in text or " of 12 slots" in text
    assert "c-1" in text


def test_a_place_and_a_moment_can_be_chosen(objects: Objects, city: City) -> None:
    at = (city.now - timedelta(days=5)).isoformat()
    answer = objects("why", "kitchen_build", "--place", OTHER, "--at", at)
    assert (answer["scope"], answer["scope_id"], answer["status"], answer["target"]) == ("town", OTHER, None, 0.9)
    assert answer["numerator"] == 0
    (platform,) = objects("why", "seal_coverage", "--place", "jd", "--window", "30d")["shown"][:1]
    assert platform["unit_id"] == "o-conflict"


def test_where_nothing_counts_it_says_so(run: Run) -> None:
    assert "nothing counts there in this time" in run("why", "banquet_filed", "--at", "2020-01-01").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("kitchen_build", "--scope", "town"), "say which town: add --place"),
        (("camera_online", "--place", "meituan"), "camera_online is not shown for a place meituan"),
        (("seal_coverage", "--scope", "platform", "--place", "330681001"), "is not shown for platform 330681001"),
        (("seal_coverage", "--window", "now"), "use 1h, 24h, 7d, 30d"),
        (("seal_coverage", "--at", "noon"), "write it as 2026-11-23T12:00"),
        (("seal",), "is not one of"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_to_do(run: Run, arguments: tuple[str, ...], says: str) -> None:
    result = run("why", *arguments, status=2)
    assert says in " ".join(result.stderr.split())
