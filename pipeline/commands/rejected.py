"""`yangguang rejected`: what was refused, why, and what to do about it."""

import base64
import sys
from typing import Any, Final

import click
from kafka.errors import KafkaError

from pipeline.audit import record
from pipeline.commands.arguments import shanghai
from pipeline.commands.questions import query, to_json
from pipeline.commands.replay import replay
from pipeline.commands.selecting import (
    EventName,
    name_of,
    plain_table,
    progress_bar,
    selecting,
    selection_of,
)
from pipeline.commands.tables import cell, paper, printable
from pipeline.rejected.export import FORMATS, Format, format_of, written
from pipeline.rejected.raw import RawBytes
from pipeline.rejected.reading import count, rows_in_order
from pipeline.rejected.selection import NEWEST_FIRST, Name, Selection, row_of
from pipeline.settings import Settings, load_settings
from schemas.masking import masked

_BY: Final = {"day": "toDate(time)", **{name: name for name in ("reason", "source", "producer", "topic", "type")}}


@click.group()
def rejected() -> None:
    """Refused events: list and count them, show one, replay them after a fix, export them for their producer."""


rejected.add_command(replay)


@rejected.command("list", short_help="List or count refused events.")
@selecting
@click.option("--by", type=click.Choice(list(_BY)), help="Count them instead, by this.")
@click.option("--waiting", is_flag=True, help="Only those that were not replayed.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Show so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_rejected(by: str | None, waiting: bool, limit: int, as_json: bool, **chosen: Any) -> None:
    """List refused events, the newest first, or count them.

    What stands under event is the name by which show and replay take one. No payload is shown."""
    settings = load_settings()
    selection = selection_of(chosen, waiting=waiting)
    (_count if by else _list)(settings, selection, limit, as_json, by or "")


def _list(settings: Settings, selection: Selection, limit: int, as_json: bool, _by: str) -> None:
    where = selection.where()
    rows = query(
        settings,
        f"SELECT * FROM rejected{where.sql} ORDER BY {NEWEST_FIRST} LIMIT {{limit:UInt32}}",
        {**where.parameters, "limit": limit},
    )
    if as_json:
        click.echo(to_json([{"event": str(name_of(row)), **row} for row in rows]))
        return
    if not rows:
        click.echo("no refused events")
        return
    table = plain_table("time", "reason", "event", "source", "detail", wide="detail")
    for row in rows:
        source = row["source"] or (f"({row['producer']})" if row["producer"] else "")
        reason = row["reason"] + (" ↻" if row["replayed_at"] else "")
        table.add_row(shanghai(row["time"]), reason, str(name_of(row)), cell(source), cell(row["detail"]))
    paper().print(table)
    if any(row["replayed_at"] for row in rows):
        click.echo("↻ was replayed")
    if len(rows) == limit:
        click.echo(f"the newest {limit}: say which, count them with --by, or give a greater --limit")


def _count(settings: Settings, selection: Selection, limit: int, as_json: bool, by: str) -> None:
    where = selection.where()
    rows = query(
        settings,
        f"SELECT {_BY[by]} AS `by`, count() AS count, countIf(replayed_at IS NOT NULL) AS replayed,\n"
        f"    max(time) AS newest\n"
        f"FROM rejected{where.sql} GROUP BY `by` ORDER BY {'`by` DESC' if by == 'day' else 'count DESC, `by`'}\n"
        "LIMIT {limit:UInt32}",
        {**where.parameters, "limit": limit},
    )
    if as_json:
        click.echo(to_json([{by: str(row.pop("by")), **row} for row in rows]))
        return
    if not rows:
        click.echo("no refused events")
        return
    table = plain_table(by, "count", "replayed", "newest", wide=by)
    for row in rows:
        table.add_row(cell(row["by"] or "-"), str(row["count"]), str(row["replayed"]), shanghai(row["newest"]))
    paper().print(table)


@rejected.command(short_help="Show one refused event.")
@click.argument("event", type=EventName())
@click.option("--raw", is_flag=True, help="Show the bytes as they came, personal data and all. It is recorded.")
@click.option("--why", default="", help="The reason for --raw, which is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(event: Name, raw: bool, why: str, as_json: bool) -> None:
    """Show one refused EVENT, named as list names it: why it was refused, and what of it cannot be about a person.

    With --raw exactly its bytes are written, after the audit log has who looks and why (see yangguang audit)."""
    if raw and not why.strip():
        raise click.UsageError("--raw shows personal data: say what for, with --why")
    settings = load_settings()
    row = _row(settings, event)
    found = _bytes(settings, row)
    if not raw:
        _show(event, row, found, as_json)
    elif found is None:
        raise click.ClickException(_gone(event))
    else:
        try:
            record(settings.kafka_address, "rejected show --raw", str(event), why)
        except KafkaError as error:
            raise click.ClickException(str(error)) from error
        _show_raw(event, row, found, as_json)


def _row(settings: Settings, event: Name) -> dict[str, Any]:
    where = Selection(names=(event,)).where()
    rows = query(settings, f"SELECT * FROM rejected{where.sql}", where.parameters)
    if not rows:
        raise click.ClickException(f"there is no refused event {event}: yangguang rejected list names those there are")
    return rows[0]


def _bytes(settings: Settings, row: dict[str, Any]) -> bytes | None:
    try:
        with RawBytes(settings.kafka_address) as kept:
            return next(kept.read([row_of(row)])).raw
    except KafkaError as error:
        raise click.ClickException(
            f"Kafka at {settings.kafka_address} does not hand out the bytes ({error}): run yangguang doctor"
        ) from error


def _gone(event: Name) -> str:
    return f"the bytes of {event} are gone: topic yangguang.rejected keeps them for 30 days at most"


def _show(event: Name, row: dict[str, Any], found: bytes | None, as_json: bool) -> None:
    payload = None if found is None else masked(found)
    if as_json:
        seen: dict[str, Any] = {"bytes": None, "payload": None, "sha256": None}
        if payload is not None:
            seen = {"bytes": payload.size, "payload": payload.event, "sha256": payload.sha256}
        click.echo(to_json({"event": str(event), **row, **seen}))
        return
    table = plain_table("", "", wide="")
    table.show_header = False
    moments = {"time", "replayed_at"}
    for name, value in {"event": event, **row}.items():
        if value not in ("", None):
            table.add_row(name, shanghai(value) if name in moments else cell(value))
    paper().print(table)
    click.echo()
    click.echo(_gone(event) if payload is None else payload.text())


def _show_raw(event: Name, row: dict[str, Any], found: bytes, as_json: bool) -> None:
    if as_json:
        click.echo(to_json({"event": str(event), **row, "raw": base64.b64encode(found).decode()}))
    elif sys.stdout.isatty():
        click.echo("\n".join(map(printable, found.decode(errors="replace").split("\n"))))
    else:
        click.echo(found, nl=False)


@rejected.command(short_help="Write refused events to a file for their producer.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@selecting
@click.option("--waiting", is_flag=True, help="Only those that were not replayed.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="The form; that of the file's name if not given.")
def export(file: str, waiting: bool, kind: Format | None, **chosen: Any) -> None:
    """Write refused events to FILE (- for standard output) for those who sent them: CSV or NDJSON, without payloads."""
    settings = load_settings()
    selection = selection_of(chosen, waiting=waiting)
    form = kind or format_of(file)
    if form is None:
        raise click.UsageError(f"{file} says neither .csv nor .ndjson: add --format")
    number = 0
    with click.open_file(file, "w", encoding="utf-8", atomic=file != "-") as out, progress_bar() as progress:
        task = progress.add_task("refused events", total=count(settings, selection))
        for number, line in enumerate(written(rows_in_order(settings, selection), form), 1 - (form == "csv")):
            out.write(line)
            progress.update(task, completed=number)
    if file != "-":
        click.echo(f"{number} refused events are in {file}")
