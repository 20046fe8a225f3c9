"""The trend of a rate as a small picture: dark on white, with the target as a dashed line, numbers only."""

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from schemas.indicator import SHANGHAI, percent
from sinks.clickhouse.briefing import TrendPoint

WIDTH: Final = 480
HEIGHT: Final = 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 24
_INK: Final = (32, 40, 56)
_PALE: Final = (216, 220, 228)
_TARGET: Final = (192, 48, 40)
_LINE: Final = (24, 84, 160)
_DASH: Final = 6
COLOURS: Final = 32


def draw_trend(points: Sequence[TrendPoint], target: float | None, *, counts: bool = False) -> bytes:
    """PNG of the points in time; empty where fewer than two make no line.

    :param points: ascending in time.
    :param counts: numbers rather than shares."""
    if len(points) < 2:
        return b""
    values = [point.rate for point in points] + ([] if target is None else [target])
    least, most = min(values), max(values)
    room = max((most - least) * 0.15, 1.0 if counts else 0.005)
    least, most = max(least - room, 0.0), most + room if counts else min(most + room, 1.0)
    first, last = points[0].at, points[-1].at
    whole = (last - first).total_seconds() or 1.0

    def spot(point: TrendPoint) -> tuple[float, float]:
        along = (point.at - first).total_seconds() / whole
        return _LEFT + along * (WIDTH - _LEFT - _RIGHT), height(point.rate)

    def height(value: float) -> float:
        return _TOP + (most - value) / ((most - least) or 1.0) * (HEIGHT - _TOP - _BOTTOM)

    def said(value: float) -> str:
        return f"{value:.0f}" if counts else percent(value)

    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    for value in (least, most):
        pen.line([(_LEFT, height(value)), (WIDTH - _RIGHT, height(value))], fill=_PALE)
        pen.text((4, height(value) - 6), said(value), fill=_INK)
    if target is not None:
        for begin in range(_LEFT, WIDTH - _RIGHT, 2 * _DASH):
            pen.line([(begin, height(target)), (begin + _DASH, height(target))], fill=_TARGET, width=2)
        if min(abs(height(target) - height(one)) for one in (least, most)) > 12:
            pen.text((4, height(target) - 6), said(target), fill=_TARGET)
    line = [spot(point) for point in points]
    pen.line(line, fill=_LINE, width=3, joint="curve")
    x, y = line[-1]
    pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=_LINE)
    label = said(points[-1].rate)
    # on the side that the line does not come from
    falls = y > line[-2][1]
    beside = y + 6 if (falls or y < 30) and y < HEIGHT - _BOTTOM - 8 else y - 20
    pen.text((x - 6 * len(label) - 6, beside), label, fill=_LINE)
    form = "%H:%M" if whole <= 2 * 86400 else "%m-%d"
    for moment, position in ((first, _LEFT), (last, WIDTH - _RIGHT - 32)):
        pen.text((position, HEIGHT - 16), moment.astimezone(SHANGHAI).strftime(form), fill=_INK)
    written = io.BytesIO()
    image.quantize(COLOURS).save(written, "PNG", optimize=True)
    return written.getvalue()
