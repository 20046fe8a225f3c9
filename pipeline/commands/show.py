"""What people look at beside rates: alerts and schemas."""

import json

import click

from pipeline.commands.arguments import PLACES
from pipeline.commands.questions import conditions, query, to_json
from pipeline.commands.tables import alerts_table, paper
from pipeline.settings import load_settings
from schemas.catalogue import ENVELOPES
from schemas.indicators import CATALOGUE


@click.group()
def alerts() -> None:
    """Show alerts."""


@alerts.command("list")
@click.option("--state", type=click.Choice(("ok", "pending", "firing", "resolved")), help="Only this state.")
@click.option("--indicator", type=click.Choice(list(CATALOGUE)), help="Only this indicator.")
@click.option("--scope", type=click.Choice(PLACES), help="Only these places.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_alerts(state: str | None, indicator: str | None, scope: str | None, as_json: bool) -> None:
    """List alerts in their present state, the newest first."""
    where, parameters = conditions({"state": state, "indicator": indicator, "scope": scope})
    rows = query(load_settings(), f"SELECT * FROM alerts{where} ORDER BY since DESC, alert_id", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        paper().print(alerts_table(rows) if rows else "no alerts")


@click.command()
@click.argument("event_type", required=False, type=click.Choice(list(ENVELOPES)))
def schema(event_type: str | None) -> None:
    """Print the JSON Schema of EVENT_TYPE, or of all event types by their names."""
    chosen = [event_type] if event_type else list(ENVELOPES)
    schemas = {name: ENVELOPES[name].model_json_schema() for name in chosen}
    click.echo(json.dumps(schemas[event_type] if event_type else schemas, ensure_ascii=False, indent=2))
