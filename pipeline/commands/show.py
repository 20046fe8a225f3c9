"""What people look at beside rates: alerts and schemas."""

import json

import click

from pipeline.commands.arguments import PLACES
from pipeline.commands.questions import conditions, query, to_json
from pipeline.commands.tables import alerts_table, paper
from pipeline.settings import load_settings
from schemas.catalogue import EVENT_TYPES
from schemas.indicators import CATALOGUE
from schemas.json_schema import event_schema, event_schemas
from streams.rejects_condition import CODE, SCOPE


@click.group()
def alerts() -> None:
    """Show alerts."""


@alerts.command("list")
@click.option("--state", type=click.Choice(("ok", "pending", "firing", "resolved")), help="Only this state.")
@click.option("--indicator", type=click.Choice([*CATALOGUE, CODE]), help="Only this indicator or condition.")
@click.option("--scope", type=click.Choice([*PLACES, SCOPE]), help="Only these places, or sources.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_alerts(state: str | None, indicator: str | None, scope: str | None, as_json: bool) -> None:
    """List alerts in their present state, the newest first."""
    where, parameters = conditions({"state": state, "indicator": indicator, "scope": scope})
    rows = query(load_settings(), f"SELECT * FROM alerts{where} ORDER BY since DESC, alert_id", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        paper().print(alerts_table(rows) if rows else "no alerts")


@click.command(epilog=f"Event types: {', '.join(EVENT_TYPES)}.")
@click.argument("event_type", required=False, metavar="[EVENT_TYPE]", type=click.Choice(list(EVENT_TYPES)))
@click.option("--openapi", is_flag=True, help="Print the OpenAPI document of the HTTP gateway instead.")
@click.option("--asyncapi", is_flag=True, help="Print the AsyncAPI document for Kafka and MQTT instead.")
def schema(event_type: str | None, openapi: bool, asyncapi: bool) -> None:
    """Print the JSON Schema of EVENT_TYPE, or of all event types by their names."""
    if (event_type is not None) + openapi + asyncapi > 1:
        raise click.UsageError("these are several documents: ask for EVENT_TYPE, --openapi or --asyncapi alone")
    if openapi:
        from pipeline.gateway.pages.openapi import document  # noqa: PLC0415 # FastAPI takes half a second

        shown = document(authentication=load_settings().authentication == "required")
    elif asyncapi:
        from pipeline.gateway.pages.asyncapi import asyncapi as document_of_messages  # noqa: PLC0415 # likewise

        shown = document_of_messages()
    else:
        shown = event_schema(event_type) if event_type else event_schemas()
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
