"""`yangguang rejected replay`: refused events through the same validation once more."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import click
from kafka.errors import KafkaError

from pipeline.audit import record
from pipeline.commands.selecting import EventName, plain_table, progress_bar, selecting, selection_of
from pipeline.commands.tables import cell, paper
from pipeline.rejected.doors import events_of, permitted
from pipeline.rejected.raw import RawBytes
from pipeline.rejected.reading import count, rows_in_order
from pipeline.rejected.replay import Judge, Replayer, Sender, Tally
from pipeline.rejected.selection import Name, Selection, row_of
from pipeline.settings import Settings, load_settings
from schemas.event import latest_acceptable
from streams.kafka_access import KafkaAccessError


@click.command(short_help="Send refused events again.")
@click.argument("events", nargs=-1, type=EventName())
@selecting
@click.option("--all", "everything", is_flag=True, help="All that were not replayed, where nothing else says which.")
@click.option("--again", is_flag=True, help="Those too that were replayed before.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(
    events: tuple[Name, ...], everything: bool, again: bool, dry_run: bool, as_json: bool, **chosen: Any
) -> None:
    """Send refused EVENTS again, named as list names them, or chosen by the options.

    Each is judged as if it had just come. What is accepted now goes to its topic and counts once, however often it is
    replayed; what is refused still stays where it is, and is counted by reason. Status 1 if Kafka or ClickHouse failed,
    or an event that was named is not there; then it can be begun again."""
    selection = selection_of(chosen, events, waiting=not again)
    if not (selection or everything):
        raise click.UsageError("say which: name events, give options such as --reason, or --all")
    settings = load_settings()
    started = datetime.now(UTC)
    selection = selection._replace(until=min(selection.until or started, started))
    _require_named(settings, events)
    total = count(settings, selection)
    tally = Tally()
    if total:
        with _kafka(settings, tally):
            if not dry_run:
                record(settings.kafka_address, "rejected replay", f"{selection}; {total} events")
            _replay(settings, selection, total, dry_run, tally)
    _tell(tally, total, dry_run, as_json)


def _require_named(settings: Settings, events: tuple[Name, ...]) -> None:
    for one in events:
        if not count(settings, Selection(names=(one,))):
            raise click.ClickException(
                f"there is no refused event {one}: yangguang rejected list names those there are"
            )


@contextmanager
def _kafka(settings: Settings, tally: Tally) -> Iterator[None]:
    try:
        yield
    except KafkaAccessError as error:  # it says what to do
        raise click.ClickException(str(error)) from error
    except KafkaError as error:
        raise click.ClickException(
            f"the replay ended after {tally.replayed} events ({error or type(error).__name__}): see that Kafka at "
            f"{settings.kafka_address} is well and begin it again, what was sent counts once"
        ) from error


def _replay(settings: Settings, selection: Selection, total: int, dry_run: bool, tally: Tally) -> None:
    judge = Judge(events_of(settings), permitted(settings))
    with (
        RawBytes(settings.kafka_address) as kept,
        nullcontext() if dry_run else closing(Sender(settings.kafka_address)) as sender,
        progress_bar() as progress,
    ):
        replayer = Replayer(judge, sender, tally)
        task = progress.add_task("judged" if dry_run else "replayed", total=total)
        rows = (row_of(one) for one in rows_in_order(settings, selection))
        for found in kept.read(rows):
            now = datetime.now(UTC)
            replayer.take(found, latest_acceptable(now), now)
            progress.update(task, completed=tally.seen)
        replayer.flush(datetime.now(UTC))


def _tell(tally: Tally, total: int, dry_run: bool, as_json: bool) -> None:
    refused = dict(tally.refused.most_common())
    if as_json:
        told = {"dry_run": dry_run, "selected": total, "replayed": tally.replayed, "events": tally.events}
        click.echo(json.dumps({**told, "gone": tally.gone, "refused": refused}))
        return
    if not total:
        click.echo("no refused event is waiting that was chosen")
        return
    word = "would be accepted" if dry_run else "accepted, and on their topics"
    click.echo(f"{tally.replayed} of {total} refused events {word}")
    if tally.gone:
        click.echo(f"{tally.gone} have no bytes any more: topic yangguang.rejected keeps them for 30 days at most")
    if refused:
        click.echo(f"{sum(refused.values())} are refused still:")
        table = plain_table("reason", "events")
        for reason, number in refused.items():
            table.add_row(reason, str(number))
        paper().print(table)
        table = plain_table("event", "reason", "detail", wide="detail")
        for row, rejection in tally.examples:
            name = Name(row.topic, row.partition, row.offset)
            table.add_row(str(name), rejection.reason.value, cell(rejection.detail))
        click.echo("such as:")
        paper().print(table)
    if tally.replayed and not dry_run:
        click.echo("the rows get replayed_at as soon as a worker has read the marks")
