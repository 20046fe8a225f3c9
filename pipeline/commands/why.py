"""`yangguang why`: the units behind a number, each with the events that decide what it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any, Final

import click
from rich.table import Table

from pipeline.commands.arguments import PLACES, Moment, shanghai
from pipeline.commands.questions import query, to_json
from pipeline.commands.series import places_of, target_on, targets_of
from pipeline.commands.tables import paper, shown_counts, shown_rate, shown_target
from pipeline.settings import Settings, load_settings
from schemas.indicator import SHANGHAI, Indicator
from schemas.indicators import CATALOGUE
from schemas.places import place_label
from schemas.towns import CITY_CODE

_ASKED: Final = (
    "why(indicator={indicator:String}, scope={scope:String}, scope_id={scope_id:String}, window={window:String}, "
    "at={at:String})"
)
_SUMS: Final = f"""
SELECT count() AS units, sum(numerator) AS numerator, sum(denominator) AS denominator, sum(unknown) AS unknown
FROM {_ASKED}"""
_UNITS: Final = f"""
SELECT unit_id, town_code, minute, numerator, denominator, unknown, events FROM {_ASKED}
ORDER BY toInt64(denominator) - toInt64(numerator) DESC, unknown DESC, numerator DESC, unit_id
LIMIT {{limit:UInt32}}"""
"""Those that lower the rate come first."""


@click.command()
@click.argument("indicator", type=click.Choice(list(CATALOGUE)), metavar="INDICATOR")
@click.option("--scope", type=click.Choice(PLACES), help="What kind of place; that of --place, or the city.")
@click.option("--place", help="Town code or platform.")
@click.option("--window", help="The window, such as 1h, 24h, 7d, 30d, 365d or now; the shortest if not given.")
@click.option(
    "--at", type=Moment(), help="Its end, such as 2026-11-23T12:00 (Shanghai); the present one's if not given."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Show so many units.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def why(
    indicator: str,
    scope: str | None,
    place: str | None,
    window: str | None,
    at: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what counts in a number of INDICATOR, unit by unit: those that lower a rate first.

    Each unit is in the numerator, in the denominator only, or unknown (and in the denominator), and has the events that
    decide it. The codes of the indicators are those that yangguang rates shows."""
    entry = CATALOGUE[indicator]
    asked = {"indicator": indicator, **_place(entry, scope, place), "window": _window(entry, window)}
    settings = load_settings()
    row = _row_of_now(settings, asked)
    end = at or row["window_end"]
    if end is None:
        raise click.ClickException(f"{indicator} has no numbers yet: run yangguang doctor")
    question = {**asked, "at": shanghai(end), "limit": limit}
    (sums,) = query(settings, _SUMS, question)
    units = query(settings, _UNITS, question) if sums["units"] else []
    answer = {
        **asked,
        "at": end.astimezone(SHANGHAI),
        **sums,
        "rate": _rate(entry, sums),
        "target": target_on(targets_of(settings, entry), end),
        "comparator": row["comparator"],
        "status": None if at else row["status"],
    }
    if as_json:
        click.echo(to_json({**answer, "words": entry.words, "shown": [_unit(one) for one in units]}))
        return
    for line in _head(entry, answer):
        click.echo(line)
    if units:
        paper().print(_table(entry, units))
    click.echo(f"{len(units)} of {sums['units']} units" if units else "nothing counts there in this time")


def _place(entry: Indicator, scope: str | None, place: str | None) -> dict[str, str]:
    """The one place that is asked for. Raises a usage error where the indicator has no such place."""
    if scope in (None, "city") and place in (None, CITY_CODE):
        return {"scope": "city", "scope_id": CITY_CODE}
    if place is None:
        raise click.UsageError(f"say which {scope}: add --place")
    found = places_of(entry, scope, (place,))
    if not found:
        raise click.UsageError(f"{entry.code} is not shown for {scope or 'a place'} {place}")
    return found[0]._asdict()


def _window(entry: Indicator, window: str | None) -> str:
    if window is not None and window not in entry.windows:
        raise click.UsageError(f"{entry.code} has no window {window}: use {', '.join(entry.windows)}")
    return window or entry.windows[0]


def _row_of_now(settings: Settings, asked: Mapping[str, str]) -> dict[str, Any]:
    chosen = " AND ".join(f"`{name}` = {{{name}:String}}" for name in asked)
    rows = query(settings, f"SELECT * FROM rates_now WHERE {chosen}", asked)
    if not rows:
        raise click.ClickException(f"the database does not know {asked['indicator']}: run yangguang migrate")
    return rows[0]


def _rate(entry: Indicator, sums: Mapping[str, Any]) -> float | None:
    if entry.counts:
        return float(sums["numerator"])
    return sums["numerator"] / sums["denominator"] if sums["denominator"] else None


def _unit(row: Mapping[str, Any]) -> dict[str, Any]:
    """One unit for JSON."""
    names = ("unit_id", "town_code", "minute", "numerator", "denominator", "unknown")
    return {**{name: row[name] for name in names}, "events": _events(row)}


def _events(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A unit's events by the names of their attributes, the oldest first; a driver may give the names or not."""
    names = ("type", "source", "id", "time")
    found = [dict(one) if isinstance(one, Mapping) else dict(zip(names, one, strict=True)) for one in row["events"]]
    return sorted(found, key=lambda event: (event["time"], event["type"]))


def _head(entry: Indicator, answer: Mapping[str, Any]) -> list[str]:
    """What is asked, in words, and the numbers."""
    window = "" if answer["window"] == "now" else f", {answer['window']}"
    place = place_label(answer["scope"], answer["scope_id"])
    rate = shown_rate(entry.code, answer["rate"])
    counted = shown_counts(answer) if entry.counts else f"{shown_counts(answer)} = {rate}"
    numbers = f"{counted}, unknown {answer['unknown']}" if not entry.counts else counted
    target = shown_target(entry.code, answer["target"], answer["comparator"])
    return [
        f"{entry.code} {entry.name_zh} · {place}{window} until {shanghai(answer['at'])}",
        *wrap(entry.words, 110),
        ", ".join(
            [numbers, *([f"target {target}"] if target else []), *([answer["status"]] if answer["status"] else [])]
        ),
        "",
    ]


def _counted_as(entry: Indicator, row: Mapping[str, Any]) -> str:
    if entry.kind == "availability":
        return f"{row['numerator']} of {row['denominator']} slots"
    if row["numerator"]:
        return "numerator"
    return "unknown" if row["unknown"] else "denominator only"


def _table(entry: Indicator, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A line a unit, and one more for each further event that decides it."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in (entry.units.unit, "town", "counted as", "because of", "source", "event", "time"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        unit = [row["unit_id"], place_label("town", row["town_code"]), _counted_as(entry, row)]
        for event in _events(row):
            kind = event["type"].removeprefix("yangguang.").rsplit(".", 1)[0]
            table.add_row(*unit, kind, event["source"], event["id"], shanghai(event["time"]))
            unit = ["", "", ""]
        if unit[0]:
            table.add_row(*unit)
    return table
