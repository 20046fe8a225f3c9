"""A rate over time as a picture in the terminal, of plain Unicode: a line of braille dots, the target dotted.

It needs no terminal and, without one, has no colours."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from textwrap import wrap
from typing import Final

import plotille

from pipeline.commands.series import Point, Series
from pipeline.commands.tables import shown_rate, shown_target
from schemas.places import place_label

_GUTTER: Final = 13
"""Columns left of the plotting area, as plotille draws its y axis."""
_ROWS: Final = 12
_DOT_ROWS: Final = 4
"""Dots of braille in a row of text."""
_LABEL: Final = 11
"""Columns of a moment on the x axis, with a space."""
_STEPS: Final = (1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 240, 336, 720, 1440, 2160, 4320, 8760, 17_520)
"""Hours between two moments on the x axis."""


def picture(series: Series, limits: tuple[float, float], width: int, *, colours: bool) -> str:
    """One series: what it is, the curve, and below it what its numbers mean.

    :param limits: of the y axis; pictures of one indicator have the same, so that they compare.
    :param width: columns that there are."""
    head = f"{series.indicator.code} {series.indicator.name_zh} · {_where(series)} · {_how(series)}"
    drawn = _drawn(series, limits, max(20, width - _GUTTER - 1), colours=colours)
    return "\n".join([head, *drawn, *(part for line in _legend(series) for part in wrap(line, width))])


def limits_of(several: Sequence[Series]) -> tuple[float, float]:
    """Of the y axis: room for every value and target, of shares not more than there can be, of counts from 0."""
    values = [value for one in several for point in one.points for value in (point.rate, point.target)]
    known = [value for value in values if value is not None] or [0.0]
    if several[0].indicator.counts:
        return 0.0, max(4.0, max(known) * 1.1)
    margin = max(0.02, (max(known) - min(known)) * 0.08)
    return max(0.0, min(known) - margin), min(1.0, max(known) + margin)


def _where(series: Series) -> str:
    return place_label(series.place.scope, series.place.scope_id)


def _how(series: Series) -> str:
    return f"value at the end of each {series.bucket}" if series.indicator.kind == "stock" else f"by {series.bucket}"


def _drawn(series: Series, limits: tuple[float, float], columns: int, *, colours: bool) -> list[str]:
    points = series.points
    if all(point.rate is None for point in points):
        return ["nothing was counted in this time"]
    low, high = limits
    figure = plotille.Figure()
    figure.linesep = "\n"
    figure.width, figure.height = columns, _ROWS
    figure.origin = False
    figure.with_x_axis = False
    figure.with_colors = colours
    figure.set_x_limits(0.0, 1.0)
    figure.set_y_limits(low, high)
    figure.y_label = "number" if series.indicator.counts else "%"
    figure.y_ticks_fkt = _y_label(low, high, counts=series.indicator.counts)
    top = high - (high - low) / (_ROWS * _DOT_ROWS)  # the upper limit itself lies outside
    begin, end = points[0].start, points[-1].end

    def x(point: Point) -> float:
        moment = point.end if series.indicator.kind == "stock" else point.start + (point.end - point.start) / 2
        return (moment - begin) / (end - begin)

    for target, several in groupby(points, key=lambda point: point.target):
        if target is not None:
            same = list(several)
            dots = _dotted((same[0].start - begin) / (end - begin), (same[-1].end - begin) / (end - begin), columns)
            figure.scatter(dots, [min(target, top)] * len(dots), lc="yellow")
    for run in _runs(points):
        figure.plot([x(one) for one in run], [min(one.rate or 0.0, top) for one in run], lc="cyan")
    return [line.rstrip(" \u2800") for line in figure.show().split("\n")] + _x_axis(begin, end, columns)


def _dotted(first: float, last: float, columns: int) -> list[float]:
    return [(number + 0.25) / columns for number in range(ceil(first * columns), max(1, int(last * columns)), 2)]


def _runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Neighbours that have a rate, so that no line crosses a time in which nothing was counted."""
    for counted, run in groupby(points, key=lambda point: point.rate is not None):
        if counted:
            yield list(run)


class _YLabels:
    """Round numbers on the y axis, at about every third row."""

    def __init__(self, low: float, high: float, *, counts: bool) -> None:
        steps = [base * 10**power for power in range(8) for base in (1, 2, 5)] if counts else _SHARES
        self._step = next((one for one in steps if one * 5 >= high - low), steps[-1])
        self._counts = counts

    def __call__(self, value: float, following: float) -> str:
        row = following - value
        number = ceil(round((value - row / 2) / self._step, 9)) * self._step
        if number >= value + row / 2:
            return ""
        return f"{number:g}" if self._counts else f"{round(number * 100, 4):g}%"


_SHARES: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def _y_label(low: float, high: float, *, counts: bool) -> _YLabels:
    return _YLabels(low, high, counts=counts)


def _x_axis(begin: datetime, end: datetime, columns: int) -> list[str]:
    """A line with a mark at round moments of Asia/Shanghai, and the moments below it."""
    span = end - begin
    step = next((one for one in _STEPS if columns / max(1.0, span / timedelta(hours=one)) >= _LABEL + 2), _STEPS[-1])
    by_day = step >= 24
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    line, labels = ["─"] * columns, [" "] * columns
    for number in range(ceil((begin - midnight) / timedelta(hours=step)), 10_000):
        moment = midnight + timedelta(hours=step * number)
        if moment > end:
            break
        column = min(columns - 1, int((moment - begin) / span * columns))
        text = f"{moment:%m-%d}" if by_day else f"{moment:%m-%d %H:%M}"
        line[column] = "┴"
        if column + len(text) <= columns:
            labels[column : column + len(text)] = text
    return [
        " " * (_GUTTER - 2) + "└" + "─" + "".join(line),
        " " * _GUTTER + "".join(labels).rstrip(),
    ]


def _legend(series: Series) -> list[str]:
    """What the picture's numbers are: numerator and denominator by name, the target, and the definition."""
    entry = series.indicator
    numerator, denominator, unknown = series.total
    begin, end = (f"{one:%Y-%m-%d %H:%M}" for one in (series.points[0].start, series.points[-1].end))
    when = f"at {end}" if entry.kind == "stock" else f"from {begin} to {end}"
    if entry.counts:
        counted = f"number {numerator}"
    else:
        share = shown_rate(entry.code, numerator / denominator if denominator else None)
        counted = f"numerator {numerator} / denominator {denominator} = {share}, unknown {unknown}"
    lines = [f"{counted} (unit: {entry.units.unit}) {when}"]
    target = series.points[-1].target
    if target is not None:
        lines.append(f"dotted: target {shown_target(entry.code, target, series.now['comparator'])}")
    return [*lines, entry.words]
