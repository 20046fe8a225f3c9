"""What people look at beside rates: schemas."""

import json

import click

from pipeline.settings import load_settings
from schemas.catalogue import EVENT_TYPES
from schemas.json_schema import event_schema, event_schemas


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
