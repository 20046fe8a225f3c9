"""`yangguang audit`: who did what by hand."""

import json
from collections import deque
from datetime import datetime
from typing import get_args

import click
from kafka.errors import KafkaError

from pipeline.audit import Entry, read
from pipeline.commands.arguments import Moment, shanghai
from pipeline.commands.selecting import plain_table
from pipeline.commands.tables import cell, paper
from pipeline.settings import load_settings
from schemas.action import Via


@click.command()
@click.option("--action", help="Only actions that begin so, such as keys or rejected show.")
@click.option("--user", help="Only of this account.")
@click.option("--subject", help="Only what was done to this.")
@click.option("--via", type=click.Choice(get_args(Via)), help="Only by this door.")
@click.option("--since", type=Moment(), help="At or after this, such as 2026-11-23T12:00 (Shanghai).")
@click.option("--until", type=Moment(), help="Before this.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Show so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(
    action: str | None,
    user: str | None,
    subject: str | None,
    via: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show who did what by hand, the newest first: raw bytes of refused events seen, replays, API keys made, revoked,
    alerts acknowledged, silenced.

    The log is topic yangguang.audit, kept for three years."""
    settings = load_settings()

    def wanted(entry: Entry) -> bool:
        return (
            (not action or entry.action.startswith(action))
            and user in (None, entry.user)
            and subject in (None, entry.subject)
            and via in (None, entry.via)
            and (until is None or entry.at < until)
        )

    try:
        entries = deque(filter(wanted, read(settings.kafka_address, since)), maxlen=limit)
    except KafkaError as error:
        raise click.ClickException(
            f"Kafka at {settings.kafka_address} does not hand out the audit log ({error}): run yangguang doctor"
        ) from error
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in reversed(entries)], ensure_ascii=False, indent=2))
        return
    table = plain_table("at", "user", "host", "via", "action", "subject", "why", wide="why")
    for one in reversed(entries):
        table.add_row(shanghai(one.at), *map(cell, (one.user, one.host, one.via, one.action, one.subject, one.why)))
    if entries:
        paper().print(table)
    else:
        click.echo("no entries")
