"""`yangguang produce`: events from a file or from standard input into Kafka."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from pipeline.commands.selecting import plain_table
from pipeline.commands.tables import cell, paper
from pipeline.produce.bookmark import Bookmark, ChangedError, Place, Written
from pipeline.produce.check import Judge, Tally
from pipeline.produce.lines import read_lines
from pipeline.produce.sending import Sender, send_file
from pipeline.settings import Settings, load_settings
from pipeline.simulator.records import RecordError
from schemas.catalogue import STREAMS
from schemas.event import latest_acceptable
from streams.kafka_access import KafkaAccessError

_SHOWN_EVERY = 1_000


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--topic", type=click.Choice(STREAMS), help="Topic for lines that do not say where they belong.")
@click.option("--check", is_flag=True, help="Send nothing: say which lines would be refused, and why.")
@click.option(
    "--resume/--restart",
    default=True,
    show_default=True,
    help="Go on where an interrupted run of the same file was, or send all of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def produce(file: str, topic: str | None, check: bool, resume: bool, as_json: bool) -> None:
    """Send the events of FILE (NDJSON, - for standard input) to Kafka and wait until all replicas have them.

    A run that was interrupted, however it was, is gone on with by the same command. With --check the lines are
    judged as a worker would, without Kafka; status 1 if any would be refused."""
    if check:
        _check(file, topic, as_json)
    else:
        _produce(load_settings(), file, topic, resume, as_json)


def _produce(settings: Settings, name: str, topic: str | None, resume: bool, as_json: bool) -> None:
    before, place = Place(), Place()
    try:
        with click.open_file(name, "rb") as file, closing(Sender(settings.kafka_address)) as sender:
            bookmark = _bookmark(settings, name, sender, topic)
            found = _found(bookmark, file, name) if bookmark is not None and resume else None
            if found is not None:
                before = place = found.place
            with _bar(name, file) as progress:
                task = progress.add_task("", total=_size(file), completed=place.position, events=0)

                def reached(now: Place) -> None:
                    nonlocal place
                    place = now
                    progress.update(task, completed=now.position, events=now.events - before.events)

                send_file(file, topic, sender, bookmark, found, reached)
    except KafkaAccessError:
        raise  # it says itself what to do
    except RecordError as error:
        raise click.ClickException(
            f"{_shown(name)}: {error}; the {place.events} events before it are on Kafka, so mend it and run the same "
            "again; --check shows all such lines at once"
        ) from error
    except KafkaError as error:
        raise click.ClickException(
            f"Kafka at {settings.servers} did not acknowledge ({type(error).__name__}) after {place.events} events: "
            f"run the same again when it is back, {_then(name)}"
        ) from error
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted after {place.events} events: run the same again, {_then(name)}"
        ) from None
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or _shown(name)} cannot be read or written ({error.strerror}) after {place.events} "
            f"events: mend that and run the same again, {_then(name)}"
        ) from error
    sent = place.events - before.events
    if as_json:
        click.echo(json.dumps({"sent": sent, "sent_before": before.events, "lines": place.line}))
    else:
        earlier = f", {before.events} more since an earlier run" if before.events else ""
        click.echo(f"{sent} events are on Kafka{earlier}")


def _bookmark(settings: Settings, name: str, sender: Sender, topic: str | None) -> Bookmark | None:
    """Where to keep how far the run is; None for what can be read once only, and where nothing can be kept."""
    if name == "-" or not Path(name).is_file():
        return None
    bookmark = Bookmark.of(settings.home, Path(name), sender.cluster(), topic)
    try:
        bookmark.prepare()
    except OSError as error:
        click.echo(
            f"{error.filename} cannot be written ({error.strerror}), so a run that is interrupted begins anew: set "
            "YANGGUANG_HOME to a folder of yours",
            err=True,
        )
        return None
    return bookmark


def _found(bookmark: Bookmark, file: IO[bytes], name: str) -> Written | None:
    """What an earlier run left behind, which is told."""
    try:
        found = bookmark.read(file)
    except ChangedError as error:
        click.echo(f"{_shown(name)}: {error}: all of it is sent, what is the same counts once", err=True)
        return None
    if found is not None:
        line = found.place.line
        click.echo(f"{_shown(name)}: an earlier run ended after line {line}, gone on there (--restart: all)", err=True)
    return found


def _then(name: str) -> str:
    return "duplicates count once" if name == "-" else "it goes on there"


def _check(name: str, topic: str | None, as_json: bool) -> None:
    judge = Judge(topic)
    with click.open_file(name, "rb") as file, _bar(name, file) as progress:
        task = progress.add_task("", total=_size(file), events=0)
        latest = latest_acceptable(datetime.now(UTC))
        for number, line in enumerate(read_lines(file), 1):
            judge.take(line, latest)
            if not number % _SHOWN_EVERY:
                progress.update(task, completed=line.end, events=number)
    tally = judge.tally
    if as_json:
        click.echo(json.dumps(_as_object(tally)))
    else:
        _tell(tally, name)
    if tally.refused:
        raise click.exceptions.Exit(1)


def _as_object(tally: Tally) -> dict[str, object]:
    refused = {
        reason.value: {"count": count, "first": [one._asdict() for one in tally.examples[reason]]}
        for reason, count in tally.refused.most_common()
    }
    return {"accepted": tally.accepted, "refused": refused, "stops_at": tally.stops_at}


def _tell(tally: Tally, name: str) -> None:
    total = tally.accepted + tally.refused.total()
    if not tally.refused:
        click.echo(f"{_shown(name)}: all {total} events would be accepted")
        return
    click.echo(f"{_shown(name)}: {tally.refused.total()} of {total} events would be refused")
    table = plain_table("reason", "events", "line", "detail", wide="detail")
    for reason, count in tally.refused.most_common():
        heading = (reason.value, str(count))
        for one in tally.examples[reason]:
            table.add_row(*heading, str(one.line), cell(one.detail))
            heading = ("", "")
        if count > len(tally.examples[reason]):
            table.add_row("", "", "...", "")
    paper().print(table)
    if tally.stops_at is not None:
        click.echo(f"without --check a run ends at line {tally.stops_at}, which cannot be sent")


class _EventsColumn(ProgressColumn):
    """How many events, and how many a second."""

    def render(self, task: Task) -> Text:
        events: int = task.fields["events"]
        rate = events / task.elapsed if task.elapsed else 0
        return Text(f"{events} events, {rate:.0f}/s")


def _bar(name: str, file: IO[bytes]) -> Progress:
    """On a terminal only: where in the file, and when it will be done."""
    console = Console(stderr=True)
    columns: list[ProgressColumn] = [TextColumn(Text(_shown(name)).markup), BarColumn()]
    columns += [DownloadColumn(), TimeRemainingColumn()] if _size(file) else []
    return Progress(*columns, _EventsColumn(), console=console, disable=not console.is_terminal)


def _shown(name: str) -> str:
    return "standard input" if name == "-" else Path(name).name


def _size(file: IO[bytes]) -> int | None:
    """Bytes of a file; None of what has no size, such as a pipe."""
    return os.fstat(file.fileno()).st_size or None
