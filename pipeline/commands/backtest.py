"""`yangguang alerts backtest`: which alerts would have fired over a period with a configuration."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.backtest.events import replay_events
from pipeline.backtest.firings import Beside, Firing, beside, flaps, per_week
from pipeline.backtest.replay import computed_otherwise, days, judged, recorded, replay
from pipeline.backtest.scoring import Score, by_scope, score
from pipeline.commands.arguments import Moment, shanghai
from pipeline.commands.questions import to_json
from pipeline.commands.selecting import plain_table
from pipeline.commands.tables import cell, paper, printable
from pipeline.configuration import Configuration, SettingsError
from pipeline.configuration_file import read_configuration
from pipeline.counted_bar import counted_bar
from pipeline.settings import load_settings
from pipeline.simulator.incidents import Incident, IncidentError, parse_incident
from schemas.event_alerts import EVENT_CODES
from schemas.places import place_label
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store, brief

_COLUMNS: Final = 72


@click.command()
@click.option("--from", "begin", type=Moment(), required=True, help="Begin, such as 2026-11-01T00:00 (Shanghai).")
@click.option("--to", "end", type=Moment(), required=True, help="End; its minute is not judged.")
@click.option(
    "--config",
    "other",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Judge by this file instead.",
)
@click.option(
    "--incident", "texts", multiple=True, help="What is known to have gone wrong, as of simulate; repeatable."
)
@click.option(
    "--incidents", "listed", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file, one a line."
)
@click.option("--own-times", is_flag=True, help="Let records count from their own time, however late they landed.")
@click.option("--plot", "as_plot", is_flag=True, help="Draw each alert's firings as bars.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backtest(
    begin: datetime,
    end: datetime,
    other: Path | None,
    texts: tuple[str, ...],
    listed: Path | None,
    own_times: bool,
    as_plot: bool,
    as_json: bool,
) -> None:
    """Judge a past period again by today's or another configuration, beside what fired then. Nothing is written.

    Alerts of rates and of events are judged, conditions are not. Every alert begins the period in state ok. A flap is
    a firing that is over within 30 minutes, or that begins within a day after the same alert resolved."""
    if begin >= end:
        raise click.UsageError("--from should be before --to")
    settings = load_settings()
    own = settings.configuration()
    chosen = own if other is None else _other(own, other)
    incidents = _incidents(texts, listed)
    try:
        would, did = asyncio.run(_judge(settings.writer, chosen, begin, end, own_times=own_times))
    except ClickHouseError as error:
        raise click.ClickException(
            f"ClickHouse does not give the numbers of the period ({brief(error)}): run yangguang doctor"
        ) from error
    by = {one.code: one for one in chosen.catalogue()}
    scored = score(would, incidents, begin, end, by=by) if incidents else None
    if as_json:
        click.echo(to_json(_object(would, did, scored, begin, end)))
        return
    _print(would, did, begin, end)
    if as_plot:
        click.echo(bars(would, begin, end))
    if scored is not None:
        print_score(scored)


def _other(own: Configuration, path: Path) -> Configuration:
    try:
        configuration = read_configuration(path.read_text(encoding="utf-8"), str(path))
    except (SettingsError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    changed = computed_otherwise(own.catalogue(), configuration.catalogue())
    if own.takeaway_active_days != configuration.takeaway_active_days:
        changed.append("takeaway_active_days")
    if changed:
        raise click.ClickException(
            f"{path} changes what is counted ({', '.join(changed)}), and a backtest reads numbers that are stored: "
            "change only target, recovery, for, floor, settle, deadline, alert_windows and [event.*] in it"
        )
    return configuration


def _incidents(texts: Sequence[str], listed: Path | None) -> list[Incident]:
    lines = [*texts, *(listed.read_text(encoding="utf-8").splitlines() if listed else ())]
    try:
        return [parse_incident(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    except IncidentError as error:
        raise click.UsageError(str(error)) from error


async def _judge(
    address: Address, configuration: Configuration, begin: datetime, end: datetime, *, own_times: bool
) -> tuple[list[Firing], list[Firing]]:
    catalogue, rules = configuration.catalogue(), configuration.event.rules()
    bar = counted_bar(transient=False)
    store = await Store.open(address)
    try:
        with bar:
            portions = len(days(begin, end)) * len(judged(catalogue)) + len(EVENT_CODES)
            task = bar.add_task("days of alerts", total=portions)
            would = await replay(store, catalogue, begin, end, lambda: bar.advance(task))
            would += await replay_events(store, rules, begin, end, lambda: bar.advance(task), own_times=own_times)
            would.sort(key=lambda one: one.begin)
        return would, await recorded(store, begin, end)
    finally:
        await store.close()


def _lasted(one: Firing, end: datetime) -> str:
    minutes = int(((one.end or end) - one.begin).total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60:02d} min" + ("" if one.end else " and on")


def _did(pair: Beside) -> str:
    if not pair.would or pair.did is None:
        says = "only then" if pair.did else "no"
    else:
        says = "yes" if pair.did.begin == pair.shown.begin else f"since {shanghai(pair.did.begin)}"
    return says + (" (held back)" if pair.shown.inhibited else "")


def _print(would: Sequence[Firing], did: Sequence[Firing], begin: datetime, end: datetime) -> None:
    table = plain_table("alert", "place", "window or subject", "fires", "lasts", "did fire")
    for pair in beside(would, did, begin):
        one = pair.shown
        place, what = place_label(one.scope, one.scope_id), cell(one.subject or one.window)
        table.add_row(one.indicator, cell(place), what, shanghai(one.begin), _lasted(one, end), _did(pair))
    paper().print(table if would or did else "no alert would have fired, and none did")
    began = [one for one in did if one.begin >= begin]
    click.echo(
        f"would have fired {len(would)} times, flaps a week {per_week(flaps(would), begin, end)}; "
        f"did fire {len(began)} times, flaps a week {per_week(flaps(began), begin, end)}"
    )


def bars(several: Sequence[Firing], begin: datetime, end: datetime) -> str:
    """Each alert's firings as a bar over the period."""
    rows: dict[str, list[str]] = {}
    for one in several:
        line = rows.setdefault(printable(one.alert_id), ["·"] * _COLUMNS)
        low = int((one.begin - begin) / (end - begin) * _COLUMNS)
        high = int(((one.end or end) - begin) / (end - begin) * _COLUMNS)
        for column in range(min(low, _COLUMNS - 1), min(max(high, low + 1), _COLUMNS)):
            line[column] = "█"
    wide = max((len(name) for name in rows), default=0)
    lines = [f"{name:<{wide}} {''.join(line)}" for name, line in rows.items()]
    return "\n".join([*lines, f"{'':<{wide}} {shanghai(begin)[:16]} to {shanghai(end)[:16]}"])


def print_score(scored: Score) -> None:
    """The incidents with the firing that found each, and what nothing explains."""
    table = plain_table("incident", "place", "began", "found by", "after")
    for one in scored.found:
        incident, first = one.occurrence.incident, one.first
        where = incident.town or incident.platform or "city"
        who = f"{first.indicator} {place_label(first.scope, first.scope_id)}" if first else "missed"
        late = "" if one.delay is None else f"{one.delay.total_seconds() / 60:.0f} min"
        firing = " (was firing already)" if one.already else ""
        table.add_row(incident.name, where, shanghai(one.occurrence.begin), who + firing, late)
    paper().print(table)
    click.echo(
        f"found {sum(one.first is not None for one in scored.found)} of {len(scored.found)}, "
        f"false alarms: {_counted(scored.false_alarms)}; flaps a week {scored.flaps_per_week}"
    )
    for false in scored.false_alarms:
        click.echo(f"  not explained: {false.alert_id} at {shanghai(false.begin)}")
    for code in dict.fromkeys(one.indicator for one in scored.own_breaches):
        own = [one for one in scored.own_breaches if one.indicator == code]
        click.echo(f"  true without an incident: {code}, {_counted(own)}")


def _counted(several: Sequence[Firing]) -> str:
    return ", ".join(f"{scope} {count}" for scope, count in by_scope(several).items())


def _object(
    would: Sequence[Firing], did: Sequence[Firing], scored: Score | None, begin: datetime, end: datetime
) -> dict[str, Any]:
    began = [one for one in did if one.begin >= begin]
    found: dict[str, Any] = {
        "from": begin,
        "to": end,
        "would_fire": [one._asdict() for one in would],
        "did_fire": [one._asdict() for one in began],
        "fired_before": [one._asdict() for one in did if one.begin < begin],
        "flaps_per_week": {"would": per_week(flaps(would), begin, end), "did": per_week(flaps(began), begin, end)},
    }
    if scored is not None:
        found["incidents"] = [
            {
                "name": one.occurrence.incident.name,
                "begin": one.occurrence.begin,
                "end": one.occurrence.end,
                "found": one.first is not None,
                "already_firing": one.already,
                "alert_id": one.first.alert_id if one.first else None,
                "delay_minutes": None if one.delay is None else one.delay.total_seconds() / 60,
            }
            for one in scored.found
        ]
        found["false_alarms"] = [one._asdict() for one in scored.false_alarms]
    return found
