"""`yangguang alerts`: what fires, who was told, and what people do about it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from pydantic import ValidationError

from pipeline import audit
from pipeline.commands.arguments import PLACES, Length, Moment, shanghai
from pipeline.commands.backtest import backtest
from pipeline.commands.questions import conditions, query, to_json
from pipeline.commands.selecting import plain_table
from pipeline.commands.tables import alerts_table, cell, paper, printable
from pipeline.commands.test_channel import test_channel
from pipeline.configuration_routes import CODES, kind_of
from pipeline.settings import Settings, load_settings
from schemas.action import MATCHED, SILENCE_MAX, Action, Silence, acknowledgement, silence, unsilence
from schemas.places import place_label
from schemas.towns import CITY_CODE
from sinks.notify.message import severity as severity_of
from streams.actions import publish
from streams.rejects_condition import SCOPE
from streams.routing import explain, in_maintenance


@click.group()
def alerts() -> None:
    """Show alerts, acknowledge and silence them, and see who is told."""


alerts.add_command(test_channel)
alerts.add_command(backtest)


@alerts.command("list")
@click.option("--state", type=click.Choice(("ok", "pending", "firing", "resolved")), help="Only this state.")
@click.option("--indicator", type=click.Choice(CODES), help="Only this indicator, condition or event.")
@click.option("--scope", type=click.Choice([*PLACES, SCOPE]), help="Only these places, or sources.")
@click.option("--kind", type=click.Choice(("rate", "condition", "event")), help="Only this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_alerts(state: str | None, indicator: str | None, scope: str | None, kind: str | None, as_json: bool) -> None:
    """List alerts in their present state, the newest first."""
    where, parameters = conditions({"state": state, "indicator": indicator, "scope": scope, "kind": kind})
    rows = query(load_settings(), f"SELECT * FROM alerts{where} ORDER BY since DESC, alert_id", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        paper().print(alerts_table(rows, named=True) if rows else "no alerts")


@alerts.command()
@click.argument("alert_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(alert_id: str, as_json: bool) -> None:
    """Show one alert: its state, its changes, who was told, and what people did."""
    settings = load_settings()
    alert = _alert(settings, alert_id)
    given = {"id": alert_id}
    transitions = query(settings, "SELECT * FROM alert_transitions WHERE alert_id = {id:String} ORDER BY as_of", given)
    deliveries = query(
        settings,
        "SELECT * FROM alert_deliveries WHERE transition_id IN (SELECT transition_id FROM alert_transitions "
        "WHERE alert_id = {id:String}) ORDER BY at, channel",
        given,
    )
    actions = query(settings, "SELECT * FROM acknowledgements WHERE alert_id = {id:String} ORDER BY at", given)
    if as_json:
        found = {"alert": alert, "transitions": transitions, "deliveries": deliveries, "actions": actions}
        click.echo(to_json(found))
        return
    paper().print(alerts_table([alert]))
    click.echo(f"acknowledged by: {printable(alert['acknowledged_by'] or 'nobody')}")
    click.echo(f"silenced until: {shanghai(alert['silenced_until']) if alert['silenced_until'] else 'not silenced'}")
    _print("changes", transitions, ("as_of", "from_state", "to_state", "reason", "inhibited_by"))
    _print("deliveries", deliveries, ("at", "channel", "attempt", "outcome", "detail"))
    _print("actions", actions, ("at", "action", "by", "why", "until", "via"))


_who = click.option("--by", required=True, help="Who acts: name of a person on duty.")
_reason = click.option("--why", required=True, help="Why.")


@alerts.command()
@click.argument("alert_id")
@_who
@_reason
def ack(alert_id: str, by: str, why: str) -> None:
    """Acknowledge the firing of an alert, so that nobody else is called. Its next firing is not acknowledged."""
    settings = load_settings()
    alert = _alert(settings, alert_id)
    if alert["state"] != "firing":
        raise click.ClickException(f"alert {alert_id} is {alert['state']} and not firing: there is nothing to do")
    _do(settings, alert_id, lambda at: acknowledgement(alert_id, alert["since"].astimezone(UTC), by, why, at, "cli"))
    click.echo(f"acknowledged: {alert['indicator']} of {place_label(alert['scope'], alert['scope_id'])}")


@alerts.command("silence")
@click.argument("alert_id", required=False)
@click.option("--match", "matches", multiple=True, metavar="KEY=VALUE", help=f"Alerts with this: {', '.join(MATCHED)}.")
@click.option("--by", help="Who acts: name of a person on duty.")
@click.option("--why", help="Why.")
@click.option("--until", type=Moment(), help="When it ends, such as 2026-11-23T12:00 (Shanghai).")
@click.option("--for", "length", type=Length(), help="How long it holds, such as 2h.")
@click.option("--list", "listed", is_flag=True, help="List the silences that hold, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON.")
def silence_alerts(
    alert_id: str | None,
    matches: tuple[str, ...],
    by: str | None,
    why: str | None,
    until: datetime | None,
    length: timedelta | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Tell nobody of one alert, or of all that match, until a moment."""
    settings = load_settings()
    if listed:
        _list_silences(_silences(settings), as_json)
        return
    if (alert_id is None) is not bool(matches):
        raise click.UsageError("say what is silenced: ALERT_ID, or --match KEY=VALUE once or more")
    if not by or not why:
        raise click.UsageError("say who acts and why: --by and --why")
    if (until is None) is (length is None):
        raise click.UsageError("say how long: --until or --for")
    named = {"alert_id": alert_id} if alert_id is not None else _pairs(matches)
    if alert_id is not None:
        _alert(settings, alert_id)
    subject = ", ".join(f"{name}={value}" for name, value in named.items())
    action = _do(
        settings,
        subject,
        lambda at: silence(named, (until or at + (length or SILENCE_MAX)).astimezone(UTC), by, why, at, "cli"),
    )
    assert action.until is not None
    click.echo(f"silenced until {shanghai(action.until)}: {printable(subject)} (action {action.action_id})")


@alerts.command("unsilence")
@click.argument("action_id")
@_who
@_reason
def unsilence_alerts(action_id: str, by: str, why: str) -> None:
    """End a silence that `alerts silence --list` shows."""
    settings = load_settings()
    found = next((one for one in _silences(settings) if one.action_id == action_id), None)
    if found is None:
        raise click.ClickException(f"no silence {action_id} holds: see yangguang alerts silence --list")
    _do(settings, action_id, lambda at: unsilence(found, by, why, at, "cli"))
    click.echo(f"silence {action_id} is ended")


@alerts.command()
@click.argument("alert_id", required=False)
@click.option("--explain", "explained", is_flag=True, help="Say of each route why it matches or not. The only way.")
@click.option("--indicator", type=click.Choice(CODES), help="Code of the indicator, condition or event.")
@click.option("--scope", type=click.Choice([*PLACES, SCOPE]), default="city", show_default=True, help="Kind of place.")
@click.option("--scope-id", help="Town code, platform or source; of the city its code.")
@click.option("--subject", default="", help="What a condition is about, such as an indicator.")
@click.option("--kind", type=click.Choice(("rate", "condition", "event")), help="By default that of the code.")
@click.option("--severity", type=click.Choice(("critical", "warning", "info")), help="By default that of the alert.")
@click.option("--state", type=click.Choice(("firing", "resolved")), default="firing", show_default=True)
@click.option("--at", type=Moment(), help="At this moment, such as 2026-11-23T12:00 (Shanghai); by default now.")
def route(alert_id: str | None, explained: bool, **asked: Any) -> None:
    """Say who is told of an alert, and why; nobody is told by this."""
    del explained  # there is nothing else that this command could do
    settings = load_settings()
    if (alert_id is None) is (asked["indicator"] is None):
        raise click.UsageError("say which alert is meant: ALERT_ID, or --indicator")
    transition = dict(_alert(settings, alert_id)) if alert_id is not None else _imagined(asked)
    transition["to_state"] = asked["state"]
    severity = asked["severity"] or severity_of(transition)
    at = asked["at"] or datetime.now(UTC)
    configuration = settings.configuration()
    for line in explain([one.route() for one in configuration.route], transition, severity, at):
        click.echo(printable(line))
    windows = [one.maintenance() for one in configuration.maintenance]
    held = in_maintenance(windows, transition, severity, at)
    if held is not None:
        click.echo(f"held back: maintenance {printable(held.name)}")


def _imagined(asked: Mapping[str, Any]) -> dict[str, Any]:
    code, scope = asked["indicator"], asked["scope"]
    if asked["scope_id"] is None and scope != "city":
        raise click.UsageError(f"say which {scope} is meant: --scope-id")
    scope_id = asked["scope_id"] or CITY_CODE
    return {
        "indicator": code,
        "kind": asked["kind"] or kind_of(code),
        "scope": scope,
        "scope_id": scope_id,
        "subject": asked["subject"],
    }


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or name not in MATCHED or not value:
            raise click.UsageError(f"{one!r} names nothing: write KEY=VALUE with a key of {', '.join(MATCHED)}")
        pairs[name] = value
    return pairs


def _alert(settings: Settings, alert_id: str) -> dict[str, Any]:
    rows = query(settings, "SELECT * FROM alerts WHERE alert_id = {id:String}", {"id": alert_id})
    if not rows:
        raise click.ClickException(f"there is no alert {printable(alert_id)}: see yangguang alerts list --json")
    return rows[0]


def _do(settings: Settings, subject: str, made: Any) -> Action:
    """Has an action on the audit topic and then on its own, each acknowledged by all replicas."""
    try:
        action = made(datetime.now(UTC))
    except ValidationError as error:
        first = error.errors()[0]
        raise click.ClickException(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    assert isinstance(action, Action)
    audit.record(settings.kafka_address, f"alerts {action.action}", subject, f"{action.by}: {action.why}")
    publish(settings.kafka_address, action)
    return action


def _silences(settings: Settings) -> list[Silence]:
    rows = query(
        settings,
        "SELECT * FROM acknowledgements WHERE action = 'silence' AND `until` > now64(6) AND action_id NOT IN (\n"
        "    SELECT matches['action_id'] FROM acknowledgements WHERE action = 'unsilence')\n"
        "ORDER BY `until`, action_id",
        {},
    )
    return [Silence(one["action_id"], one["matches"], one["until"], one["by"], one["why"], one["at"]) for one in rows]


def _list_silences(found: list[Silence], as_json: bool) -> None:
    if as_json:
        click.echo(to_json([one._asdict() for one in found]))
        return
    if not found:
        click.echo("no silences")
        return
    table = plain_table("action", "until", "what", "by", "why", wide="why")
    for one in found:
        what = ", ".join(f"{name}={value}" for name, value in one.matches.items())
        table.add_row(one.action_id, shanghai(one.until), *map(cell, (what, one.by, one.why)))
    paper().print(table)


def _print(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if not rows:
        click.echo(f"{title}: none")
        return
    table = plain_table(*columns, wide=columns[-1])
    table.title, table.title_justify = title, "left"
    for one in rows:
        values = [one[name] for name in columns]
        table.add_row(*(cell(shanghai(v) if isinstance(v, datetime) else "" if v is None else v) for v in values))
    paper().print(table)
