"""`yangguang up`: all parts on this machine, watched, with a live table of rates and alerts."""

import io
import os
import ssl
import sys
import urllib.request
from collections.abc import Callable
from typing import Any, Final

import click
from rich.console import Console

from pipeline.commands.migrate import prepare_database
from pipeline.commands.screen import Screen
from pipeline.commands.watch import Watch
from pipeline.home_lock import HomeTakenError
from pipeline.keys.development import development_key
from pipeline.part import Part, PartError
from pipeline.ports import PortTakenError, require_free_port
from pipeline.settings import LOOPBACK, Settings, load_settings
from pipeline.simulator.incidents import IncidentError, parse_incident
from pipeline.supervisor import Supervisor
from streams.topics import ensure_topics, group_members


@click.command()
@click.option("--simulate/--no-simulate", default=True, show_default=True, help="Let a simulated city push events.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Worker processes.")
@click.option(
    "--incident", "incidents", multiple=True, metavar="NAME:KEY=VALUE,...", help="What goes wrong in the city."
)
@click.option("--seed", type=int, help="Seed of the city.")
@click.option("--orders-per-day", type=click.IntRange(0), help="Orders a day in the city.")
@click.option("--cameras", type=click.IntRange(0), help="Cameras of the city.")
@click.option("--from", "start", metavar="ISO", help="Past start of the city's life; 24 hours ago if not given.")
@click.option("--speed", type=click.FloatRange(0.01), help="Times real time; other than 1 needs YANGGUANG_CLOCK=event.")
def up(simulate: bool, workers: int, **city: Any) -> None:
    """Run all parts on this machine until Ctrl-C.

    Starts Apache Kafka and ClickHouse (unless YANGGUANG_KAFKA and YANGGUANG_CLICKHOUSE name others), workers, notifier,
    gateway and the simulated city, and shows rates and alerts as they come about."""
    settings = load_settings()
    settings.configuration()
    _check_city(settings, city)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what happens is said at once, in a file too
    console = Console()
    screen = Screen(console, settings)
    try:
        with Supervisor(settings.home, screen.event) as supervisor:
            supervisor.stop_on_signals()
            screen.supervisor = supervisor
            try:
                _start(
                    supervisor, screen, settings, workers, _simulator(supervisor, settings, city) if simulate else None
                )
                Watch(supervisor, settings, workers, screen.say).start()
                screen.show()
            except PartError as error:
                if not supervisor.wait(0):
                    raise click.ClickException(str(error)) from error
            screen.say("stopping")
    except (HomeTakenError, PortTakenError) as error:
        raise click.ClickException(str(error)) from error
    screen.say("stopped")


def _check_city(settings: Settings, city: dict[str, Any]) -> None:
    for text in city["incidents"]:
        try:
            parse_incident(text)
        except IncidentError as error:
            raise click.UsageError(str(error)) from error
    if city["speed"] not in (None, 1) and (settings.clock != "event" or not city["start"]):
        raise click.UsageError("--speed other than 1 needs YANGGUANG_CLOCK=event and a past start (--from)")


def _start(supervisor: Supervisor, screen: Screen, settings: Settings, workers: int, simulator: Part | None) -> None:
    screen.say("starting Kafka and ClickHouse")
    stores = [*_kafka(supervisor, screen, settings), *_clickhouse(supervisor, settings)]
    require_free_port(settings.http_port, "YANGGUANG_HTTP_PORT")
    supervisor.start(stores)
    ensure_topics(settings.kafka_address, settings.partitions, settings.replication)
    if applied := prepare_database(settings):
        screen.say(f"database prepared: {len(applied)} migrations and views")
    key = development_key(settings)
    screen.say("starting workers, notifier and gateway")

    def joined(group: str, name: str) -> Callable[[], None]:
        def check() -> None:
            if name not in group_members(settings.kafka_address, group):
                raise PartError(f"{name} has not joined group {group} yet")

        return check

    def answers() -> None:
        own = ssl._create_unverified_context()  # its certificate is made out to the name that others call it by
        with urllib.request.urlopen(f"{settings.gateway_url}/readyz", timeout=2, context=own):
            pass

    environment = _environment(settings)
    run = f"-{os.getpid()}"  # Kafka may still list the members of the run before
    services = [
        Part(
            f"worker-{number}",
            [*_PYTHON, "worker", "--name", f"worker-{number}{run}"],
            supervisor.log_path(f"worker-{number}"),
            env=environment,
            ready=joined(settings.group, f"worker-{number}{run}"),
            stage="services",
        )
        for number in range(1, workers + 1)
    ]
    services.append(
        Part(
            "notifier",
            [*_PYTHON, "notifier", "--name", f"notifier{run}"],
            supervisor.log_path("notifier"),
            env=environment,
            ready=joined(f"{settings.group}-notify", f"notifier{run}"),
            stage="services",
        )
    )
    services.append(
        Part(
            "gateway",
            [*_PYTHON, "gateway"],
            supervisor.log_path("gateway"),
            env=environment,
            ready=answers,
            stage="services",
        )
    )
    supervisor.start(services)
    if simulator is not None:
        supervisor.start([simulator])
    screen.say(f"ready: dashboard and API {settings.gateway_url}/, Kafka {settings.kafka_address},")
    address = settings.analyst
    screen.say(f"ClickHouse {address.url} (user analyst, database yangguang)")
    if key is not None:
        screen.say(f"API key of this machine: {key} (kept in {settings.development_key_path})")


_PYTHON: Final = [sys.executable, "-m", "pipeline"]


def _environment(settings: Settings) -> dict[str, str]:
    """Children see the same settings from wherever they run; few malloc arenas keep their memory small."""
    return {
        **os.environ,
        "YANGGUANG_HOME": str(settings.home.absolute()),
        "YANGGUANG_KAFKA": settings.servers,
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }


def _kafka(supervisor: Supervisor, screen: Screen, settings: Settings) -> list[Part]:
    if settings.kafka is not None:
        return []
    from pipeline.embedded.kafka import EmbeddedKafka, KafkaError  # noqa: PLC0415 # only installed for embedded use

    require_free_port(settings.kafka_port, "YANGGUANG_KAFKA_PORT")
    kafka = EmbeddedKafka(settings.home / "kafka", settings.kafka_port)
    try:
        if not kafka.is_fetched():
            screen.say("fetching Apache Kafka (45 MB, once for all checkouts)")
            with screen.download() as progress:
                kafka.fetch(progress)
        else:
            kafka.fetch()
    except KafkaError as error:
        raise click.ClickException(str(error)) from error
    return [Part("kafka", kafka.command(), supervisor.log_path("kafka"), ready=kafka.check_ready, stage="stores")]


def _clickhouse(supervisor: Supervisor, settings: Settings) -> list[Part]:
    if settings.clickhouse is not None:
        return []
    require_free_port(settings.clickhouse_port, "YANGGUANG_CLICKHOUSE_PORT")
    data = settings.home / "clickhouse"

    def answers() -> None:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{settings.clickhouse_port}/ping", timeout=2):  # our own
            pass

    command = [sys.executable, "-m", "pipeline.embedded.clickhouse"]
    return [
        Part(
            "clickhouse",
            [*command, "--data", str(data.absolute()), "--port", str(settings.clickhouse_port)],
            supervisor.log_path("clickhouse"),
            env={
                **os.environ,
                "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": settings.writer.password,
                "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD": settings.analyst.password,
            },
            ready=answers,
            stage="stores",
        )
    ]


def _simulator(supervisor: Supervisor, settings: Settings, city: dict[str, Any]) -> Part:
    command = [
        *_PYTHON,
        "simulate",
        "--kafka",
        settings.servers,
        "--state",
        str(settings.home.absolute() / "city.json"),
    ]
    for name, value in city.items():
        option = {"start": "--from", "incidents": "--incident"}.get(name, f"--{name.replace('_', '-')}")
        for one in value if isinstance(value, tuple) else [] if value is None else [value]:
            command += [option, str(one)]
    return Part("simulator", command, supervisor.log_path("simulator"), env=_environment(settings))
