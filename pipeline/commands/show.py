"""What people look at: rates, alerts, schemas."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.settings import Settings, load_settings
from schemas.catalogue import ENVELOPES
from schemas.indicators import CATALOGUE
from schemas.places import place_label
from sinks.clickhouse.client import brief, connect

STYLES: Final = {
    "ok": "green",
    "below": "bold red",
    "low_sample": "yellow",
    "no_activity": "dim",
    "no_data": "yellow",
    "stale": "magenta",
    "error": "bold red",
    "firing": "bold red",
    "pending": "yellow",
    "resolved": "green",
}
_SIGNS: Final = {">=": "≥", "<=": "≤"}
_NUMBERS: Final = ("rate", "counted", "unknown", "target")
_PLACES: Final = ("city", "town", "platform")


def query(settings: Settings, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows by column name, read as the analyst. Raises click.ClickException where that fails."""
    address = settings.analyst
    try:
        client = connect(address)
        result = client.query(sql, parameters=parameters)
    except (ClickHouseError, OSError) as error:
        raise click.ClickException(
            f"ClickHouse at {address.host}:{address.port} does not answer the question ({brief(error)}): "
            "run yangguang doctor"
        ) from error
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def to_json(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as JSON; moments in ISO 8601 with their offset."""
    return json.dumps(rows, ensure_ascii=False, default=_plain, indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _table(title: str | None, headings: Sequence[str]) -> Table:
    """A table that fits 80 columns: numbers to the right, nothing broken over lines."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    return table


def rates_table(rows: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """Rates as people read them: numerator and denominator beside every share."""
    table = _table(title, ("indicator", "place", "window", "rate", "counted", "unknown", "target", "status"))
    for row in rows:
        entry = CATALOGUE.get(row["indicator"])
        counts = bool(entry and entry.counts)
        rate = "-" if row["rate"] is None else f"{row['rate']:g}" if counts else f"{row['rate']:.1%}"
        target = "" if row["target"] is None else f"{row['target']:g}" if counts else f"{row['target']:.0%}"
        table.add_row(
            row["indicator"],
            place_label(row["scope"], row["scope_id"]),
            row["window"],
            rate,
            str(row["numerator"]) if counts else f"{row['numerator']}/{row['denominator']}",
            str(row["unknown"]),
            _SIGNS.get(row["comparator"], "") + target if target else "",
            Text(row["status"], STYLES.get(row["status"], "")),
        )
    moments = {row["as_of"] for row in rows if row["as_of"]}
    if moments:
        table.caption = f"as of {min(moments):%Y-%m-%d %H:%M}" + (" and later" if len(moments) > 1 else "")
        table.caption_justify = "left"
    return table


def alerts_table(rows: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """Alerts as people read them."""
    table = _table(title, ("alert", "place", "window", "state", "since", "rate", "counted", "target"))
    for row in rows:
        table.add_row(
            row["indicator"],
            place_label(row["scope"], row["scope_id"]),
            row["window"],
            Text(row["state"], STYLES.get(row["state"], "")),
            row["since"].strftime("%m-%d %H:%M"),
            "-" if row["rate"] is None else f"{row['rate']:.1%}",
            f"{row['numerator']}/{row['denominator']}",
            "" if row["target"] is None else f"{row['target']:.0%}",
        )
    return table


def _conditions(chosen: dict[str, str | None]) -> tuple[str, dict[str, Any]]:
    given = {name: value for name, value in chosen.items() if value}
    conditions = " AND ".join(f"`{name}` = {{{name}:String}}" for name in given)
    return (f" WHERE {conditions}" if conditions else ""), dict(given)


@click.command()
@click.option("--indicator", type=click.Choice(list(CATALOGUE)), help="Only this indicator.")
@click.option("--scope", type=click.Choice(_PLACES), help="Only these places; the city if nothing is chosen.")
@click.option("--place", help="Only this town code or platform.")
@click.option("--window", help="Only this window, such as 1h, 24h, 7d, 30d or now.")
@click.option("--status", help="Only this status, such as below.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rates(
    indicator: str | None, scope: str | None, place: str | None, window: str | None, status: str | None, as_json: bool
) -> None:
    """Show the rates as they are now: the city's, or those that are chosen."""
    if not (scope or place or as_json):
        scope = "city"
    where, parameters = _conditions(
        {"indicator": indicator, "scope": scope, "scope_id": place, "window": window, "status": status}
    )
    order = "ORDER BY indicator, scope, scope_id, indexOf(['now', '1h', '24h', '7d', '30d', '365d'], window)"
    rows = query(load_settings(), f"SELECT * FROM rates_now{where} {order}", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        Console().print(rates_table(rows))


@click.group()
def alerts() -> None:
    """Show alerts."""


@alerts.command("list")
@click.option("--state", type=click.Choice(("ok", "pending", "firing", "resolved")), help="Only this state.")
@click.option("--indicator", type=click.Choice(list(CATALOGUE)), help="Only this indicator.")
@click.option("--scope", type=click.Choice(_PLACES), help="Only these places.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_alerts(state: str | None, indicator: str | None, scope: str | None, as_json: bool) -> None:
    """List alerts in their present state, the newest first."""
    where, parameters = _conditions({"state": state, "indicator": indicator, "scope": scope})
    rows = query(load_settings(), f"SELECT * FROM alerts{where} ORDER BY since DESC, alert_id", parameters)
    if as_json:
        click.echo(to_json(rows))
    else:
        Console().print(alerts_table(rows) if rows else "no alerts")


@click.command()
@click.argument("event_type", required=False, type=click.Choice(list(ENVELOPES)))
def schema(event_type: str | None) -> None:
    """Print the JSON Schema of EVENT_TYPE, or of all event types by their names."""
    chosen = [event_type] if event_type else list(ENVELOPES)
    schemas = {name: ENVELOPES[name].model_json_schema() for name in chosen}
    click.echo(json.dumps(schemas[event_type] if event_type else schemas, ensure_ascii=False, indent=2))
