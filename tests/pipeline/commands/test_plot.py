"""Pictures of rates: round numbers on both axes, nothing drawn where nothing was counted."""

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.plot import limits_of, picture
from pipeline.commands.series import Place, Point, Series
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE

START = datetime(2026, 11, 20, 3, 0, tzinfo=SHANGHAI)
DOTS = re.compile(r"[\u2801-\u28ff]")


def series(*rates: float | None, code: str = "seal_coverage", hours: float = 1) -> Series:
    """A series with these rates, one a bucket."""
    points = []
    for number, rate in enumerate(rates):
        start = START + timedelta(hours=hours * number)
        count = 0 if rate is None else 1000
        target = CATALOGUE[code].target_on(start.date())
        points.append(Point(start, start + timedelta(hours=hours), int((rate or 0) * count), count, 0, rate, target))
    return Series(CATALOGUE[code], Place("city", "330681"), "hour", points, {"comparator": ">="})


def drawn(one: Series, width: int = 80, *, colours: bool = False) -> list[str]:
    return picture(one, limits_of([one]), width, colours=colours).split("\n")


def labels(lines: list[str]) -> list[str]:
    """What stands on the y axis, from the top."""
    return [line[:11].strip() for line in lines if line[11:12] == "|" and line[:11].strip()]


def moments(lines: list[str]) -> list[str]:
    """What stands below the x axis."""
    (axis,) = [number for number, line in enumerate(lines) if line[11:12] == "└"]
    return re.findall(r"\S+(?: \d\d:\d\d)?", lines[axis + 1])


def test_the_y_axis_has_round_percents_and_for_counts_round_numbers() -> None:
    assert labels(drawn(series(0.91, 0.94, 0.88))) == ["96%", "94%", "92%", "90%", "88%", "86%"]
    numbers = labels(drawn(series(3.0, 35.0, code="school_6h")))
    assert numbers == sorted(numbers, key=int, reverse=True)
    assert {int(number) % 5 for number in numbers} == {0}


def test_the_x_axis_has_round_moments_of_shanghai() -> None:
    assert moments(drawn(series(*[0.9] * 24))) == ["11-20 06:00", "11-20 12:00", "11-20 18:00"]
    assert moments(drawn(series(*[0.9] * 168))) == ["11-22", "11-24", "11-26"]
    assert moments(drawn(series(*[0.9] * 300, hours=24)))[:2] == ["01-19", "03-20"]


def test_a_rate_at_the_upper_end_is_drawn_too() -> None:
    lines = drawn(series(1.0, 1.0, 1.0))
    top = next(line for line in lines if DOTS.search(line))
    assert len(DOTS.findall(top)) > 40


def test_no_line_crosses_a_time_in_which_nothing_was_counted() -> None:
    whole, gap = series(*[0.5] * 40), series(*[0.5] * 10, *[None] * 20, *[0.5] * 10)
    dots = [sum(len(DOTS.findall(line)) for line in drawn(one)) for one in (whole, gap)]
    assert dots[1] < dots[0] - 20


def test_the_target_is_dotted_and_the_curve_is_not_hidden_by_it() -> None:
    lines = drawn(series(*[0.5] * 40))
    target, curve = [line for line in lines if DOTS.search(line)]
    assert len(DOTS.findall(target)) * 2 < len(DOTS.findall(curve)) + 10
    assert "dotted: target ≥90%" in lines


def test_what_is_shown_only_has_no_target() -> None:
    assert not [line for line in drawn(series(0.5, 0.6, code="seal_evidence")) if "dotted" in line]


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in "".join(drawn(series(0.5, 0.6)))
    assert "\x1b" in "".join(drawn(series(0.5, 0.6), colours=True))


def test_pictures_of_one_indicator_have_the_same_axis() -> None:
    one, other = series(0.2, 0.3), series(0.8, 0.9)
    limits = limits_of([one, other])
    pictures = [labels(picture(each, limits, 80, colours=False).split("\n")) for each in (one, other)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("code", ["seal_coverage", "school_6h", "school_grade_c", "kitchen_build", "banquet_filed"])
@given(
    rates=st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=60),
    hours=st.sampled_from([1 / 60, 0.4, 1, 24]),
    width=st.integers(10, 160),
)
def test_anything_can_be_drawn_within_the_width(code: str, rates: list[float | None], hours: float, width: int) -> None:
    counts = CATALOGUE[code].counts
    values = [None if rate is None else float(int(rate * 1000)) if counts else rate for rate in rates]
    lines = drawn(series(*values, code=code, hours=hours), width)
    body = [line for line in lines if line[11:12] in "|└" and len(line) > 12]
    assert all(len(line) <= max(width, 34) for line in body)
