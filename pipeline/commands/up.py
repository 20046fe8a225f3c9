"""`yangguang up`: all parts on this machine, watched, with a live table of rates and alerts."""

import contextlib
import io
import logging
import os
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.errors import KafkaError as KafkaClientError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pipeline.commands.migrate import prepare_database
from pipeline.commands.show import alerts_table, query, rates_table
from pipeline.home_lock import HomeTakenError
from pipeline.part import Part, PartError, PartEvent
from pipeline.ports import PortTakenError, require_free_port
from pipeline.settings import LOOPBACK, Settings, load_settings
from pipeline.simulator.incidents import IncidentError, parse_incident
from pipeline.supervisor import Supervisor
from sinks.clickhouse.client import brief
from streams.stall import StallWatch
from streams.topics import WORKER_TOPICS, Offsets, ensure_topics, group_members

REFRESH_SECONDS: Final = 2.0
PLAIN_SECONDS: Final = 10.0
WATCH_SECONDS: Final = 5.0
EVENTS_SHOWN: Final = 6

_CITY: Final = (
    "SELECT * FROM rates_now WHERE scope = 'city' "
    "ORDER BY indicator, indexOf(['now', '1h', '24h', '7d', '30d'], window)"
)
_ALERTS: Final = (
    "SELECT * FROM alerts WHERE state IN ('pending', 'firing') OR (state = 'resolved' AND since > as_of - 3600) "
    "ORDER BY state = 'firing' DESC, scope = 'city' DESC, since DESC LIMIT 12"
)


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
    screen = _Screen(console, settings)
    try:
        with Supervisor(settings.home, screen.event) as supervisor:
            supervisor.stop_on_signals()
            screen.supervisor = supervisor
            try:
                _start(
                    supervisor, screen, settings, workers, _simulator(supervisor, settings, city) if simulate else None
                )
                screen.show(_Watch(supervisor, settings, workers))
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


def _start(supervisor: Supervisor, screen: "_Screen", settings: Settings, workers: int, simulator: Part | None) -> None:
    screen.say("starting Kafka and ClickHouse")
    stores = [*_kafka(supervisor, screen, settings), *_clickhouse(supervisor, settings)]
    require_free_port(settings.http_port, "YANGGUANG_HTTP_PORT")
    supervisor.start(stores)
    ensure_topics(settings.servers, settings.partitions, settings.replication)
    if applied := prepare_database(settings):
        screen.say(f"database prepared: {len(applied)} migrations and views")
    screen.say("starting workers, notifier and gateway")

    def joined(group: str, name: str) -> Callable[[], None]:
        def check() -> None:
            if name not in group_members(settings.servers, group):
                raise PartError(f"{name} has not joined group {group} yet")

        return check

    def answers() -> None:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{settings.http_port}/readyz", timeout=2):  # our own
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
    screen.say(f"ready: dashboard and API http://{LOOPBACK}:{settings.http_port}/, Kafka {settings.servers},")
    address = settings.analyst
    screen.say(f"ClickHouse http://{address.host}:{address.port}/ (user analyst, database yangguang)")


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


def _kafka(supervisor: Supervisor, screen: "_Screen", settings: Settings) -> list[Part]:
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
            env={**os.environ, "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": settings.writer.password},
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


class _Watch:
    """Looks now and then whether a worker's consumer has died silently, and has it restarted."""

    def __init__(self, supervisor: Supervisor, settings: Settings, workers: int) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self._watch = StallWatch(settings.stall_seconds)
        self._offsets: Offsets | None = None
        self._next = 0.0

    def look(self) -> list[str]:
        """What was found and done, one sentence each."""
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + WATCH_SECONDS
        try:
            self._offsets = self._offsets or Offsets(self._settings.servers, self._settings.group)
            stalled = self._watch.stalled(self._offsets.positions_now(WORKER_TOPICS), time.monotonic())
        except (KafkaClientError, OSError, KeyError):
            self._watch.forget()  # without Kafka nothing can advance
            return []
        if not stalled or not _answers(self._settings):
            if stalled:
                self._watch.forget()  # workers wait for ClickHouse: that is no fault of theirs
            return []
        self._watch.forget()
        reason = f"offsets of {', '.join(stalled)} do not advance while there is lag"
        for name in self._workers:
            self._supervisor.restart(name, reason)
        return [f"{', '.join(self._workers)} restarted: {reason}"]


def _answers(settings: Settings) -> bool:
    address = settings.analyst
    try:
        with urllib.request.urlopen(f"http://{address.host}:{address.port}/ping", timeout=3):  # http only
            return True
    except OSError:
        return False


class _Screen:
    """What `up` shows: a live table on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console, settings: Settings) -> None:
        self._console = console
        self._settings = settings
        self._lines: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._live = False
        self.supervisor: Supervisor | None = None

    def say(self, text: str) -> None:
        """One line for people."""
        line = f"{datetime.now().astimezone():%H:%M:%S} {text}"
        self._lines.append(line)
        if not self._live:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def event(self, event: PartEvent) -> None:
        """Something happened to a part."""
        self.say(str(event))

    @contextlib.contextmanager
    def download(self) -> Iterator[Callable[[int, int], None]]:
        """A progress bar for bytes, on a terminal."""
        with Progress(
            TextColumn("Apache Kafka"), BarColumn(), DownloadColumn(), console=self._console,
            disable=not self._console.is_terminal,
        ) as progress:  # fmt: skip
            task = progress.add_task("fetch", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def show(self, watch: _Watch) -> None:
        """Shows rates and alerts until a stop is asked for."""
        assert self.supervisor is not None
        for noisy in ("kafka", "urllib3", "clickhouse_connect"):  # what a client says would tear the table
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        if not self._console.is_terminal:
            while not self.supervisor.wait(PLAIN_SECONDS):
                self._look(watch)
                self._console.print(self._plain(), highlight=False, markup=False, soft_wrap=True)
            return
        self._live = True
        try:
            with Live(self._page(), console=self._console, screen=False, auto_refresh=False) as live:
                while not self.supervisor.wait(REFRESH_SECONDS):
                    self._look(watch)
                    live.update(self._page(), refresh=True)
        finally:
            self._live = False

    def _look(self, watch: _Watch) -> None:
        for found in watch.look():
            self.say(found)

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        try:
            return query(self._settings, sql, {})
        except (click.ClickException, ClickHouseError) as error:
            self.say(f"no answer from ClickHouse ({brief(error)})")
            return []

    def _plain(self) -> str:
        now = f"{datetime.now().astimezone():%H:%M:%S}"
        rates = [
            f"{row['indicator']} {row['window']} {'-' if row['rate'] is None else format(row['rate'], '.1%')} "
            f"({row['numerator']}/{row['denominator']}) {row['status']}"
            for row in self._ask(_CITY)
            if row["window"] in ("now", "1h")
        ]
        firing = [row for row in self._ask(_ALERTS) if row["state"] == "firing"]
        return f"{now} " + "; ".join([*rates, f"{len(firing)} alerts firing", *self._backfill()])

    def _page(self) -> Group:
        rates = self._ask(_CITY)
        alerts = self._ask(_ALERTS)
        address = self._settings.analyst
        head = (
            f"yangguang 阳光 · dashboard http://{LOOPBACK}:{self._settings.http_port}/ · "
            f"Kafka {self._settings.servers} · ClickHouse http://{address.host}:{address.port}/ · Ctrl-C stops"
        )
        parts: list[Any] = [head, rates_table(rates, "诸暨市 rates")]
        parts.append(alerts_table(alerts, "alerts") if alerts else "no alerts")
        parts.append(self._memory())
        parts += [*self._backfill(), *self._lines]
        return Group(*parts)

    def _memory(self) -> str:
        assert self.supervisor is not None
        used = self.supervisor.memory()
        own = ", ".join(f"{name} {one.pss // 2**20}" for name, one in used.items())
        return f"memory {sum(one.pss for one in used.values()) // 2**20} MB ({own})"

    def _backfill(self) -> list[str]:
        """How far the simulated city is with its past, as its log says last."""
        assert self.supervisor is not None
        log = self.supervisor.log_path("simulator")
        last = _last_line(log) if log.exists() else ""
        return [last] if last.startswith("simulated up to") and "(100%)" not in last else []


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""
