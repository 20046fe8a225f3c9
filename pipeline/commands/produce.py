"""`yangguang produce`: events from a file or from standard input into Kafka."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from kafka import KafkaProducer
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.settings import load_settings
from pipeline.simulator.records import Record, RecordError, read_records
from schemas.catalogue import STREAMS

PORTION = 5_000


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--topic", type=click.Choice(STREAMS), help="Topic for lines that do not say where they belong.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def produce(file: str, topic: str | None, as_json: bool) -> None:
    """Send the events of FILE (NDJSON, - for standard input) to Kafka and wait until all replicas have them."""
    settings = load_settings()
    try:
        producer = KafkaProducer(
            bootstrap_servers=settings.servers.split(","),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=20,
            batch_size=256 * 1024,
        )
    except KafkaError as error:
        raise click.ClickException(
            f"Kafka at {settings.servers} does not answer ({type(error).__name__}): start it, or set YANGGUANG_KAFKA"
        ) from error
    sent = 0
    with click.open_file(file, "rb") as lines, _bar(file) as progress:
        task = progress.add_task("events", total=None)
        try:
            for portion in _portions(read_records(lines, topic)):
                _send(producer, portion)
                sent += len(portion)
                progress.update(task, completed=sent)
        except RecordError as error:
            raise click.ClickException(f"{file}: {error} ({sent} events before it were sent)") from error
        except KafkaError as error:
            raise click.ClickException(
                f"Kafka at {settings.servers} did not acknowledge ({type(error).__name__}) after {sent} events: "
                "send the file again when it is back, duplicates count once"
            ) from error
        finally:
            producer.close()
    click.echo(f'{{"sent": {sent}}}' if as_json else f"{sent} events are on Kafka")


def _bar(file: str) -> Progress:
    name = TextColumn("standard input" if file == "-" else Path(file).name)
    console = Console(stderr=True)
    return Progress(
        name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )


def _portions(records: Iterator[Record]) -> Iterator[list[Record]]:
    portion: list[Record] = []
    for record in records:
        portion.append(record)
        if len(portion) >= PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _send(producer: Any, portion: list[Record]) -> None:
    futures = [producer.send(one.topic, value=one.value, key=one.key) for one in portion]
    producer.flush()
    for future in futures:
        future.get(timeout=30)
