"""The command line of the simulated city. `python -m pipeline.simulator --help` says what it can."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from pipeline.settings import load_settings
from pipeline.simulator.doors import Door, DoorError, FileDoor, HttpDoor, KafkaDoor
from pipeline.simulator.incidents import KEYS, Incident, IncidentError, parse_incident
from pipeline.simulator.moments import SHANGHAI
from pipeline.simulator.options import FaultRates, SimulationOptions
from pipeline.simulator.run import PORTION, Progress, StateError, run_backfill_and_realtime
from pipeline.simulator.simulation import simulate
from streams.kafka_address import KafkaAddress

_FAULT_NAMES: Final = tuple(one.name for one in fields(FaultRates))
_BACKFILL: Final = timedelta(hours=24)


class _Moment(click.ParamType):
    name = "ISO time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no ISO time: write it as 2026-11-23T18:00+08:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


class _Incident(click.ParamType):
    name = "name:key=value,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Incident:
        try:
            return value if isinstance(value, Incident) else parse_incident(value)
        except IncidentError as error:
            self.fail(str(error), param, ctx)


class _Fault(click.ParamType):
    name = "name=share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, share = str(value).partition("=")
        try:
            if name not in (*_FAULT_NAMES, "all") or not 0 <= float(share) <= 1:
                raise ValueError
        except ValueError:
            names = ", ".join((*_FAULT_NAMES, "all"))
            self.fail(f"{value} is no fault: write name=share, a share from 0 to 1 and a name of {names}", param, ctx)
        return name, float(share)


_CITY_OPTIONS: Final = (
    click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal bytes."),
    click.option("--orders-per-day", type=click.IntRange(0), default=200_000, show_default=True),
    click.option("--merchants", type=click.IntRange(0), default=3_800, show_default=True, help="Takeaway merchants."),
    click.option("--cameras", type=click.IntRange(0), default=200, show_default=True),
    click.option(
        "--incident",
        "incidents",
        type=_Incident(),
        multiple=True,
        help=f"What goes wrong, and when; may be repeated. Names: {', '.join(KEYS)}.",
    ),
    click.option(
        "--fault",
        "faults",
        type=_Fault(),
        multiple=True,
        help=f"Share of events with a fault ({', '.join(_FAULT_NAMES)}; or all); may be repeated.",
    ),
    click.option("--history/--no-history", default=True, help="Whether the start has a past."),
)


def city_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command the options that describe a city; it gets them by name, for `options_from`."""
    for option in reversed(_CITY_OPTIONS):
        command = option(command)
    return command


def options_from(
    start: datetime,
    *,
    seed: int,
    orders_per_day: int,
    merchants: int,
    cameras: int,
    incidents: Iterable[Incident],
    faults: Iterable[tuple[str, float]],
    history: bool,
) -> SimulationOptions:
    """The options of a simulation from those of the command line."""
    rates = FaultRates()
    for name, share in faults:
        rates = replace(rates, **{one: share for one in _FAULT_NAMES if name in (one, "all")})
    return SimulationOptions(
        start=start,
        seed=seed,
        orders_per_day=orders_per_day,
        operators={"takeaway": merchants},
        cameras=cameras,
        history=history,
        faults=rates,
        incidents=tuple(incidents),
    )


@click.command("simulate")
@city_options
@click.option("--kafka", help="Send to Kafka at host:port, with user and TLS of the settings; the default is theirs.")
@click.option("--http", help="Send through the gateway at this URL, with the key in YANGGUANG_API_KEY.")
@click.option("--out", type=click.Path(dir_okay=False, allow_dash=True), help="Write NDJSON to a file, - for stdout.")
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="With --out: which lines are invalid.")
@click.option("--from", "start", type=_Moment(), help="Start of the city's life; 24 hours ago if not given.")
@click.option("--to", "end", type=_Moment(), help="Stop before this moment; without it go on in real time.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that remembers what was reached; city.json in the home unless --from is given.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01),
    help="Times real time until now is reached; other than 1 needs YANGGUANG_CLOCK=event and --from.",
)
def simulate_command(
    *,
    kafka: str | None,
    http: str | None,
    out: str | None,
    ledger: Path | None,
    start: datetime | None,
    end: datetime | None,
    state: Path | None,
    speed: float | None,
    **city: Any,
) -> None:
    """Simulate all producers of a city of 1.2 million people: its registry, cameras, banquets and takeaway orders."""
    if out is not None and (http is not None or end is None):
        raise click.UsageError("--out writes a finished span: give --to, and no other place to send to")
    if ledger is not None and out is None:
        raise click.UsageError("--ledger says which lines of a file are invalid: give --out too")
    settings = load_settings()
    if speed not in (None, 1) and (settings.clock != "event" or start is None):
        raise click.UsageError("--speed other than 1 needs YANGGUANG_CLOCK=event and a past start (--from)")
    if state is None and start is None:
        state = settings.home / "city.json"
    options = options_from(start or datetime.now(UTC) - _BACKFILL, **city)
    stop = threading.Event()
    address = settings.kafka_address.at(kafka) if kafka else settings.kafka_address
    with contextlib.ExitStack() as stack:
        door = _door(stack, stop, address, http, key=settings.own_api_key, out=out, ledger=ledger)
        for name in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, name, signal.signal(name, lambda *_: stop.set()))
        try:
            if end is not None:
                _send_span(door, options, end, stop)
            else:
                run_backfill_and_realtime(
                    door, options, stop=stop, state_file=state, on_progress=_Screen().show, speed=speed
                )
        except (DoorError, StateError) as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:  # whoever read the output has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _door(
    stack: contextlib.ExitStack,
    stop: threading.Event,
    kafka: KafkaAddress,
    http: str | None,
    *,
    key: str,
    out: str | None,
    ledger: Path | None,
) -> Door:
    door: Door
    if out is not None:
        files = [stack.enter_context(click.open_file(str(one), "wb")) for one in (out, ledger) if one is not None]
        door = FileDoor(*files)
    elif http is not None:
        door = HttpDoor(http, stop, key=key)
    else:
        door = KafkaDoor(kafka, stop)
    stack.callback(door.close)
    return door


def _send_span(door: Door, options: SimulationOptions, end: datetime, stop: threading.Event) -> None:
    arriving = simulate(options, None, end)
    while not stop.is_set() and (portion := list(islice(arriving, PORTION))):
        door.send(portion)


class _Screen:
    """Lines on stderr while the past is told; the last one says 100%."""

    def __init__(self) -> None:
        self._done = False

    def show(self, progress: Progress) -> None:
        if not self._done:
            self._done = progress.phase == "realtime"
            share = 1.0 if self._done else min(0.99, progress.share)
            click.echo(
                f"simulated up to {progress.reached:%m-%d %H:%M} ({share:.0%}), {progress.sent} records sent, "
                f"{progress.per_second:.0f}/s",
                err=True,
            )


def main() -> None:
    """Runs the command with its log on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("kafka").setLevel(logging.ERROR)
    simulate_command()
