"""A rate over time: `rates_history` in buckets that a picture can show.

Flow and availability: numerators and denominators are summed, never rates averaged. Stock: the value at a bucket's end,
which holds until the next change."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from pipeline.commands.questions import query
from pipeline.settings import Settings
from schemas.durations import window_length
from schemas.indicator import SHANGHAI, Indicator
from sinks.clickhouse.rates import scope_ids

HOUR: Final = 3600
DAY: Final = 86_400
_EAST: Final = 8 * HOUR
"""Shanghai's clock is ahead of UTC by this, so that hours and days begin there."""
HOURS_UP_TO: Final = timedelta(days=7)
"""A longer time is shown by days."""

Counts = tuple[int, int, int]
"""Numerator, denominator, unknown."""


class Place(NamedTuple):
    """A place of an indicator."""

    scope: str
    scope_id: str


class Point(NamedTuple):
    """What was counted in [start, end), or of stock what there was at `end`; the target of that day."""

    start: datetime
    end: datetime
    numerator: int
    denominator: int
    unknown: int
    rate: float | None
    target: float | None


class Series(NamedTuple):
    """One indicator at one place over time. `now` is its row of rates_now."""

    indicator: Indicator
    place: Place
    bucket: str
    points: list[Point]
    now: Mapping[str, Any]

    @property
    def total(self) -> Counts:
        """Of flow and availability the sum over all points, of stock the last one."""
        points = self.points[-1:] if self.indicator.kind == "stock" else self.points
        return (
            sum(one.numerator for one in points),
            sum(one.denominator for one in points),
            sum(one.unknown for one in points),
        )


def places_of(indicator: Indicator, scope: str | None, chosen: Sequence[str]) -> list[Place]:
    """The places of an indicator that are chosen; the city where nothing is."""
    wanted = scope or (None if chosen else "city")
    return [
        Place(*one) for one in scope_ids(indicator) if wanted in (None, one[0]) and (not chosen or one[1] in chosen)
    ]


def bucket_seconds(indicator: Indicator, since: timedelta) -> int:
    """Hours for a short time, else days; always days for what happens a few times a day only."""
    shortest = min(window_length(window) for window in indicator.windows)
    return HOUR if since <= HOURS_UP_TO and shortest <= timedelta(hours=1) else DAY


def read_series(settings: Settings, indicator: Indicator, places: Sequence[Place], since: timedelta) -> list[Series]:
    """The series of an indicator, up to the end of its window now; none while it has no watermark."""
    codes = {"indicator": indicator.code, "places": [one.scope_id for one in places]}
    rows = query(
        settings,
        "SELECT * FROM rates_now WHERE indicator = {indicator:String} AND scope_id IN {places:Array(String)}",
        codes,
    )
    ends = {row["window_end"] for row in rows} - {None}
    if not ends:
        return []
    end = int(min(ends).timestamp())
    width = bucket_seconds(indicator, since)
    start = _floor(end - int(since.total_seconds()), width)
    counted = query(settings, _sql(indicator), {**codes, "width": width, "start": start, "end": end})
    targets = targets_of(settings, indicator)
    window = next((row["window"] for row in rows if row["window"] in indicator.alert_windows), rows[0]["window"])
    now = {(row["scope"], row["scope_id"]): row for row in rows if row["window"] == window}
    found = []
    for place in places:
        mine = {
            int(row["bucket"]): (int(row["numerator"]), int(row["denominator"]), int(row["unknown"]))
            for row in counted
            if (row["scope"], row["scope_id"]) == place
        }
        points = _points(indicator, mine, range(start, end, width), end, targets)
        found.append(Series(indicator, place, "hour" if width == HOUR else "day", points, now[place]))
    return found


def _floor(second: int, width: int) -> int:
    return (second + _EAST) // width * width - _EAST


def _sql(indicator: Indicator) -> str:
    """Counts by place and bucket; of stock the first bucket stands for everything before it too."""
    second = "toUnixTimestamp(minute)"
    stock = indicator.kind == "stock"
    bucket = f"intDiv({second}{' - 1' if stock else ''} + {_EAST}, {{width:UInt32}}) * {{width:UInt32}} - {_EAST}"
    begin = "true" if stock else f"{second} >= {{start:UInt32}}"
    until = f"{second} {'<=' if stock else '<'} {{end:UInt32}}"
    value = "argMax({0}, minute)" if stock else "sum({0})"
    counts = ", ".join(f"{value.format('h.' + one)} AS {one}" for one in ("numerator", "denominator", "unknown"))
    return f"""SELECT scope, scope_id, greatest({bucket}, toInt64({{start:UInt32}})) AS bucket, {counts}
FROM rates_history AS h
WHERE indicator = {{indicator:String}} AND scope_id IN {{places:Array(String)}} AND {begin} AND {until}
GROUP BY scope, scope_id, bucket"""


def targets_of(settings: Settings, indicator: Indicator) -> list[tuple[date, float]]:
    """The targets with the days from which they are valid, as they are configured; the oldest first."""
    rows = query(
        settings, "SELECT targets FROM indicators WHERE code = {indicator:String}", {"indicator": indicator.code}
    )
    pairs = [tuple(one.values()) if isinstance(one, dict) else tuple(one) for row in rows for one in row["targets"]]
    return sorted((day, float(value)) for day, value in pairs)


def target_on(targets: Sequence[tuple[date, float]], moment: datetime) -> float | None:
    """The target that is valid on the day of a moment in Asia/Shanghai, or None."""
    valid = [value for day, value in targets if day <= moment.astimezone(SHANGHAI).date()]
    return valid[-1] if valid else None


def _points(
    indicator: Indicator,
    counted: Mapping[int, Counts],
    starts: range,
    end: int,
    targets: Sequence[tuple[date, float]],
) -> list[Point]:
    points = []
    held: Counts = (0, 0, 0)
    for start in starts:
        counts = counted.get(start, held if indicator.kind == "stock" else (0, 0, 0))
        held = counts
        numerator, denominator, unknown = counts
        rate = float(numerator) if indicator.counts else numerator / denominator if denominator else None
        first, last = _moment(start), _moment(min(start + starts.step, end))
        points.append(Point(first, last, numerator, denominator, unknown, rate, target_on(targets, first)))
    return points


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC).astimezone(SHANGHAI)


def as_objects(series: Sequence[Series]) -> list[dict[str, Any]]:
    """Series for JSON."""
    return [
        {
            "indicator": one.indicator.code,
            "scope": one.place.scope,
            "scope_id": one.place.scope_id,
            "kind": one.indicator.kind,
            "comparator": one.now["comparator"],
            "bucket": one.bucket,
            "points": [point._asdict() for point in one.points],
        }
        for one in series
    ]
