"""`yangguang rates`: as they are now, between two moments, or as curves over time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console

from pipeline.commands.arguments import PLACES, Length, Moment, shanghai
from pipeline.commands.plot import limits_of, picture
from pipeline.commands.questions import conditions, query, to_json
from pipeline.commands.series import Series, as_objects, places_of, read_series
from pipeline.commands.tables import between_table, paper, rates_table
from pipeline.settings import load_settings
from schemas.indicators import CATALOGUE

_ORDER = "ORDER BY indicator, scope, scope_id, indexOf(['now', '1h', '24h', '7d', '30d', '365d'], window)"
_WIDEST = 110


@click.command()
@click.option(
    "--indicator",
    "codes",
    multiple=True,
    metavar="CODE",
    type=click.Choice(list(CATALOGUE)),
    help="Only this indicator; repeatable.",
)
@click.option("--scope", type=click.Choice(PLACES), help="Only these places; the city if nothing is chosen.")
@click.option("--place", "places", multiple=True, help="Only this town code or platform; repeatable.")
@click.option("--window", help="Only this window, such as 1h, 24h, 7d, 30d, 365d or now.")
@click.option("--status", help="Only this status, such as below.")
@click.option("--plot", is_flag=True, help="Draw the chosen indicators over time, with their targets.")
@click.option("--since", type=Length(), help="How far back --plot looks, such as 24h, 7d or 90d; 7d if not given.")
@click.option(
    "--between",
    nargs=2,
    type=Moment(),
    metavar="START END",
    help="The rates over [START, END), stock at END; moments such as 2026-11-23T12:00 (Shanghai).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --plot the points of each curve.")
def rates(
    codes: tuple[str, ...],
    scope: str | None,
    places: tuple[str, ...],
    window: str | None,
    status: str | None,
    plot: bool,
    since: timedelta | None,
    between: tuple[datetime, datetime] | None,
    as_json: bool,
) -> None:
    """Show the rates as they are now: the city's, or those that are chosen.

    With --between, what they were over any span of time; with --plot, curves over time."""
    if (plot or between) and (window or status):
        raise click.UsageError("--window and --status choose among the rates of now, not with --plot or --between")
    if plot and between:
        raise click.UsageError("--plot draws what --since says, so leave out --between")
    if since and not plot:
        raise click.UsageError("--since says how far back --plot looks: add --plot")
    if plot:
        if not codes:
            raise click.UsageError("say which --indicator to plot; yangguang rates lists them")
        _plot(_series(codes, scope, places, since or timedelta(days=7)), as_json=as_json)
    elif between:
        _between(codes, scope, places, between, as_json=as_json)
    else:
        _now(codes, scope, places, window, status, as_json=as_json)


def _now(
    codes: Sequence[str],
    scope: str | None,
    places: Sequence[str],
    window: str | None,
    status: str | None,
    *,
    as_json: bool,
) -> None:
    if not (scope or places or as_json):
        scope = "city"
    where, parameters = conditions(
        {"indicator": codes, "scope": scope, "scope_id": places, "window": window, "status": status}
    )
    rows = query(load_settings(), f"SELECT * FROM rates_now{where} {_ORDER}", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        paper().print(rates_table(rows))


def _between(
    codes: Sequence[str],
    scope: str | None,
    places: Sequence[str],
    between: tuple[datetime, datetime],
    *,
    as_json: bool,
) -> None:
    start, end = between
    if start >= end:
        raise click.UsageError("START of --between should be before END")
    if not (scope or places or as_json):
        scope = "city"
    settings = load_settings()
    where, parameters = conditions({"scope": scope, "scope_id": places})
    called = "rate_between(indicator={indicator:String}, start={start:String}, end={end:String})"
    rows: list[dict[str, Any]] = []
    for code in codes or CATALOGUE:
        asked = {**parameters, "indicator": code, "start": shanghai(start), "end": shanghai(end)}
        found = query(settings, f"SELECT * FROM {called}{where} ORDER BY scope, scope_id", asked)
        rows += [{"indicator": code, "start": start, "end": end, **row} for row in found]
    if as_json:
        click.echo(to_json(rows))
    else:
        click.echo(f"from {shanghai(start)} to {shanghai(end)} (Asia/Shanghai); stock at the end")
        paper().print(between_table(rows))


def _series(codes: Sequence[str], scope: str | None, places: Sequence[str], since: timedelta) -> list[list[Series]]:
    """The series of each indicator."""
    settings = load_settings()
    found = []
    for code in codes:
        indicator = CATALOGUE[code]
        chosen = places_of(indicator, scope, places)
        if not chosen:
            raise click.UsageError(f"{code} is not shown for such places: its scopes are {', '.join(indicator.scopes)}")
        series = read_series(settings, indicator, chosen, since)
        if not series:
            raise click.ClickException(f"{code} has no numbers yet: run yangguang doctor")
        found.append(series)
    return found


def _plot(several: Sequence[Sequence[Series]], *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json([one for series in several for one in as_objects(series)]))
        return
    console = Console()
    for series in several:
        limits = limits_of(series)
        for one in series:
            drawn = picture(one, limits, min(console.width, _WIDEST), colours=console.is_terminal)
            click.echo(f"{drawn}\n")
