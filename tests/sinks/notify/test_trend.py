"""The picture of a trend: small, drawn where there is a line to draw, and showing what it was given."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sinks.clickhouse.briefing import TrendPoint
from sinks.notify.trend import HEIGHT, WIDTH, draw_trend

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


def points(*rates: float) -> list[TrendPoint]:
    return [TrendPoint(BEGIN + timedelta(hours=hour), rate) for hour, rate in enumerate(rates)]


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
    st.none() | st.floats(0, 1),
)
def test_any_trend_is_a_small_picture_of_the_same_size(rates: list[float], target: float | None) -> None:
    data = draw_trend(points(*rates), target)
    assert len(data) < 20_000
    assert picture(data).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("rates", [(), (0.9,)])
def test_less_than_a_line_is_no_picture(rates: tuple[float, ...]) -> None:
    assert draw_trend(points(*rates), 0.9) == b""


def colours(image: Image.Image) -> list[tuple[int, int, int]]:
    data = image.tobytes()
    return list(zip(data[::3], data[1::3], data[2::3], strict=True))


def red(image: Image.Image) -> int:
    return sum(r > 150 and g < 90 and b < 90 for r, g, b in colours(image))


def test_the_target_is_drawn_where_there_is_one() -> None:
    assert red(picture(draw_trend(points(0.9, 0.8, 0.85), 0.9))) > 100
    assert red(picture(draw_trend(points(0.9, 0.8, 0.85), None))) == 0


def blue_height(image: Image.Image, x: int) -> float:
    column = colours(image.crop((x, 0, x + 1, HEIGHT)))
    found = [y for y, (r, _, b) in enumerate(column) if b > 120 and r < 80]
    return sum(found) / len(found)


def test_a_falling_rate_goes_down() -> None:
    image = picture(draw_trend(points(0.95, 0.9, 0.7), 0.9))
    assert blue_height(image, 60) < blue_height(image, WIDTH // 2) < blue_height(image, WIDTH - 20)


def test_counts_are_numbers_and_need_no_share() -> None:
    assert len(draw_trend(points(14, 13, 12), 14, counts=True)) > 0
