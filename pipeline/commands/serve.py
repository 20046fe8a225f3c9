"""The long-running parts: worker, gateway, notifier."""

import logging
import re
import sys

import click
import faust

from pipeline.notifying import notifier_of, outage_watch_of
from pipeline.settings import load_settings
from streams.app import App
from streams.topics import ensure_topics
from streams.worker import create_worker


def _name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        raise click.BadParameter("write at most 64 of A-Z, a-z, 0-9, . _ -")
    return value


@click.command()
@click.option("--name", default="worker", show_default=True, help="Client id at Kafka, to tell workers apart.")
def worker(name: str) -> None:
    """Run one worker: land, aggregate, alert. Start as many as there are partitions to share."""
    settings = load_settings()
    options = settings.worker_options()
    catalogue = settings.configuration().catalogue()
    ensure_topics(
        settings.kafka_address,
        settings.partitions,
        settings.replication,
        rejected_kept=settings.configuration().retention.rejected,
    )
    _run(create_worker(options, catalogue, name))


@click.command()
@click.option("--name", default="notifier", show_default=True, help="Client id at Kafka.")
def notifier(name: str) -> None:
    """Run the notifier: it delivers what fires and what resolves to the channels of yangguang.toml."""
    settings = load_settings()
    configuration = settings.configuration()
    outage_watch_of(settings, configuration).start()
    ensure_topics(
        settings.kafka_address,
        settings.partitions,
        settings.replication,
        rejected_kept=configuration.retention.rejected,
    )
    _run(notifier_of(settings, configuration, name))


@click.command()
@click.option(
    "--name",
    default="gateway",
    show_default=True,
    metavar="NAME",
    callback=_name,
    help="Told to an MQTT broker, which keeps what is meant for this gateway under it: always the same for one, "
    "another for each.",
)
@click.option(
    "--leave",
    is_flag=True,
    help="Before a gateway is taken away for good: take what the MQTT broker still has for it, and end.",
)
def gateway(name: str, leave: bool) -> None:
    """Run the gateway: POST /v1/events, rates, alerts and the dashboard; events of an MQTT broker where YANGGUANG_MQTT
    names one."""
    from pipeline.gateway import run  # noqa: PLC0415 # only this part needs the web framework

    settings = load_settings()
    if leave and settings.mqtt is None:
        raise click.UsageError("--leave leaves an MQTT broker: set YANGGUANG_MQTT to the one it is")
    left = run(settings, name=name, leave=leave)
    if left:
        click.echo(f"the MQTT broker has nothing more for {name}: it can be taken away")
    elif leave:
        raise click.ClickException(f"{name} was ended before it had left the MQTT broker: run it again with --leave")


def _run(app: App) -> None:
    """Runs a Faust app until SIGTERM or SIGINT."""
    logging.getLogger().handlers.clear()
    faust.Worker(
        app,
        loglevel="INFO",
        logging_config=_logging(),
        redirect_stdouts=False,
        quiet=True,
        daemon=True,
    ).execute_from_commandline()
    sys.exit(0)


def _logging() -> dict[str, object]:
    """Faust's own chatter only from warnings on; ours from info on; one line each, to stderr."""
    quiet = ("faust", "mode", "aiokafka", "kafka", "clickhouse_connect")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {name: {"level": "WARNING"} for name in quiet},
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
