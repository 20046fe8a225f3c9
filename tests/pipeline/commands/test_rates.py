"""`yangguang rates`: now, between two moments, and over time."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from rich.cells import cell_len

from schemas.indicators import CATALOGUE
from tests.little_city import HOURS, OTHER
from tests.pipeline.commands.conftest import City, Run

Objects = Callable[..., Any]
BRAILLE = re.compile(r"[\u2801-\u28ff]")


def test_without_options_every_indicator_of_the_city_is_shown_once_a_window(run: Run) -> None:
    lines = run("rates").stdout.splitlines()
    shown = [line.split()[0] for line in lines if line.split() and line.split()[0] in CATALOGUE]
    assert sorted(shown) == sorted(code for code, one in CATALOGUE.items() for _ in one.windows)


def test_a_share_stands_beside_its_counts_and_a_count_beside_its_target(run: Run) -> None:
    text = run("rates").stdout
    assert text.startswith("诸暨市")
    assert re.search(r"kitchen_build +now +33.3% +1/3 +1 +≥90% below", text)
    assert re.search(r"school_6h +now +1 +1 of 40 +0 +≥40 below", text)
    assert re.search(r"school_grade_c +now +1 +1, at most 0 +0 +≤0 below", text)


def test_what_is_chosen_is_shown_and_nothing_else(objects: Objects) -> None:
    rows = objects("rates", "--indicator", "kitchen_build", "--indicator", "staffing", "--place", OTHER)
    assert [(row["indicator"], row["scope"], row["numerator"], row["denominator"]) for row in rows] == [
        ("kitchen_build", "town", 0, 2),
        ("staffing", "town", 1, 2),
    ]


def test_between_two_moments_units_are_summed_and_stock_is_that_of_the_end(objects: Objects, city: City) -> None:
    start, end = (one.isoformat() for one in (city.now - timedelta(days=2), city.now - timedelta(minutes=1)))
    found = {row["indicator"]: row for row in objects("rates", "--between", start, end) if row["scope"] == "city"}
    assert found.keys() == CATALOGUE.keys()
    seal = found["seal_coverage"]
    assert (seal["numerator"], seal["denominator"], seal["unknown"]) == (302, 362, 60)
    assert (found["kitchen_build"]["numerator"], found["kitchen_build"]["denominator"]) == (1, 3)


def test_stock_between_two_moments_is_that_of_its_end(objects: Objects, city: City) -> None:
    days = ((15, 0), (5, 1))
    for back, built in days:
        start, end = (city.now - timedelta(days=back + 1)).isoformat(), (city.now - timedelta(days=back)).isoformat()
        (row,) = objects("rates", "--between", start, end, "--indicator", "eldercare_kitchens", "--scope", "city")
        assert row["numerator"] == built


def test_the_table_of_a_span_says_which_span_it_is(run: Run) -> None:
    text = run("rates", "--between", "2020-01-01", "2020-02-01T06:00+00:00", "--indicator", "seal_coverage").stdout
    assert "from 2020-01-01 00:00:00 to 2020-02-01 14:00:00 (Asia/Shanghai)" in text
    assert re.search(r"seal_coverage +诸暨市 +- +0/0 +0", text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--plot",), "say which --indicator to plot"),
        (("--plot", "--indicator", "seal_coverage", "--window", "1h"), "--window and --status choose"),
        (("--plot", "--indicator", "camera_online", "--place", "meituan"), "its scopes are city, town"),
        (("--plot", "--indicator", "camera_online", "--since", "soon"), "write it as 24h"),
        (("--plot", "--indicator", "camera_online", "--since", "0h"), "write it as 24h"),
        (("--plot", "--indicator", "camera_online", "--between", "2026-01-01", "2026-01-02"), "leave out --between"),
        (("--since", "7d"), "add --plot"),
        (("--between", "2026-01-02", "2026-01-01"), "should be before END"),
        (("--between", "2026-01-02", "tomorrow"), "write it as 2026-11-23T12:00"),
        (("--between", "0001-01-01", "2026-01-01"), "should be from 2000-01-01"),
        (("--indicator", "seal"), "is not one of"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_to_do(run: Run, arguments: tuple[str, ...], says: str) -> None:
    result = run("rates", *arguments, status=2)
    assert says in " ".join(result.stderr.split())


def test_a_clickhouse_that_is_away_is_status_1_and_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YANGGUANG_CLICKHOUSE", "http://127.0.0.1:9")
    result = run("rates", status=1)
    assert "does not answer the question" in result.stderr
    assert "run yangguang doctor" in result.stderr


def test_a_plot_is_plain_unicode_without_colours_and_names_its_numbers(run: Run) -> None:
    text = run("rates", "--plot", "--indicator", "seal_coverage", "--since", "24h").stdout
    assert BRAILLE.search(text)
    assert "\x1b" not in text
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert "seal_coverage 外卖封签使用率 · 诸暨市 · by hour" in text
    assert re.search(r"numerator \d+ / denominator \d+ = 8\d\.\d%, unknown \d+ \(unit: order\)", text)
    assert "dotted: target ≥90%" in text
    assert "Delivered orders whose every package" in text


def test_each_indicator_and_place_is_a_picture(run: Run) -> None:
    text = run("rates", "--plot", "--indicator", "kitchen_build", "--indicator", "staffing", "--scope", "town").stdout
    heads = [line for line in text.splitlines() if " · value at the end of each hour" in line]
    assert len(heads) == 2 * 23


def test_a_place_in_which_nothing_was_counted_says_so(run: Run) -> None:
    text = run("rates", "--plot", "--indicator", "seal_coverage", "--place", "330681201").stdout
    assert "nothing was counted in this time" in text


def test_the_series_of_a_flow_sums_what_rates_history_has(objects: Objects) -> None:
    (series,) = objects("rates", "--plot", "--indicator", "seal_coverage", "--since", "7d")
    assert (series["kind"], series["bucket"], series["comparator"]) == ("flow", "hour", ">=")
    points = series["points"]
    assert sum(point["denominator"] for point in points) == 2 * 6 * HOURS + 2
    assert sum(point["unknown"] for point in points) == 60
    assert all(point["target"] == 0.9 for point in points)
    assert {point["rate"] for point in points if not point["denominator"]} == {None}
    starts = [datetime.fromisoformat(point["start"]) for point in points]
    assert {(one.minute, one.utcoffset()) for one in starts} == {(0, timedelta(hours=8))}
    assert {later - one for one, later in pairwise(starts)} == {timedelta(hours=1)}


def test_a_long_time_is_shown_by_days_and_so_is_what_is_rare(objects: Objects) -> None:
    for code, since in (("seal_coverage", "30d"), ("banquet_filed", "7d")):
        (series,) = objects("rates", "--plot", "--indicator", code, "--since", since)
        assert series["bucket"] == "day"
        assert {point["start"][11:] for point in series["points"]} == {"00:00:00+08:00"}


def test_the_series_of_stock_holds_the_last_value_until_the_next_change(objects: Objects, city: City) -> None:
    (series,) = objects("rates", "--plot", "--indicator", "eldercare_kitchens", "--since", "30d")
    built = [(datetime.fromisoformat(point["end"]), point["numerator"]) for point in series["points"]]
    changed = city.now - timedelta(days=9)
    assert {number for end, number in built if end <= changed} <= {0}
    assert {number for end, number in built if end > changed + timedelta(minutes=1)} == {1}
    assert built[-1][0] == city.now - timedelta(minutes=1)
