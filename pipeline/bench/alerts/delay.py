"""The delay from the event that lets a minute be judged to the webhook, on a whole stack of real processes in the city
whose ticks are measured.

The city's rows are there and computed before the worker starts, and its cameras send heartbeats through all rounds; its
own orders end before, as the rounds' orders have to decide. What is wrong in the city fires already.

The pipeline waits for lateness and for the minute to be over, as no rate may be judged before. With the clock of events
both are a matter of the events' times, so they cost no time here: each round sends a minute of orders that move the
rate across its target, waits until they are stored and the minutes before are judged, and sends the event that is as
late as lateness and minute cut require, at a moment that has nothing to do with that. What passes from handing that
event to the Kafka client to the webhook's arrival is all that the pipeline adds: landing, aggregating, judging,
publishing, sending. Rounds fire and resolve in turns. Bench and webhook are one process with one clock.
"""

import asyncio
import os
import queue
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import orjson
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer

from pipeline.bench.alerts.city import compute, fill, move
from pipeline.bench.filled_city import MERCHANTS, Filling, fillings
from pipeline.bench.rates_measure import END, LATENESS, Say
from pipeline.bench.services import BenchError, last_line, own_clickhouse, own_kafka, running
from pipeline.configuration import Configuration
from pipeline.settings import LOOPBACK
from schemas.indicator import SHANGHAI, Indicator
from schemas.places import PLATFORMS
from schemas.seal import Order
from schemas.towns import TOWNS
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store, connect
from sinks.clickhouse.raw import DATABASE
from streams.alert import Alerter
from streams.conditions import ConditionWatch
from streams.event_alerts import EventAlerter
from streams.silences import Silences
from streams.topics import ensure_topics

FIRST: Final = datetime(2026, 11, 19, 12, 30, tzinfo=SHANGHAI)
"""The first round. The day of heartbeats of the city begins a quarter of an hour before."""
APART: Final = timedelta(minutes=65)
"""From round to round: the hour that is judged has only its own round's orders."""
ROUNDS_MOST: Final = 20
"""As many as the day of heartbeats has room for, with those that do not count."""
_BEFORE: Final = timedelta(minutes=100)
"""So long before the first round the city's own orders end: no hour that is judged has any, and no town is silent."""
_JUDGED_BEFORE: Final = (timedelta(minutes=30), timedelta(minutes=2))
"""So long before the first round the city is judged, twice: what has been wrong for ten minutes fires."""
_JUDGED_LAST: Final = "finding_critical"
"""What is judged after the rates."""
JUDGED: Final = "seal_coverage"
_ORDERS: Final = 60
_PARTITIONS: Final = 1
_PARTS: Final = ("worker", "notifier")
WARM_ROUNDS: Final = 2
_PATIENCE_SECONDS: Final = 60.0
_STORED: Final = f"SELECT count() FROM {DATABASE}.raw_orders WHERE delivered_at >= '{FIRST.astimezone(UTC):%F %T}'"
_JUDGED_UNTIL: Final = (
    f"SELECT toUnixTimestamp(max(as_of)) FROM {DATABASE}.alert_log WHERE alert_id = '' AND indicator = '{_JUDGED_LAST}'"
)
_CONFIG: Final = """[indicator.seal_coverage]
for = "0m"
settle = "0m"
[channel.bench]
type = "webhook"
url = "{url}"
"""


class Arrival(NamedTuple):
    """A message at the webhook: when, by the monotonic clock, and what it says of the city."""

    at: float
    scope: str
    indicator: str
    to_state: str


class Receiver:
    """A webhook that takes everything and notes when."""

    def __init__(self) -> None:
        self.arrivals: queue.Queue[Arrival] = queue.Queue()
        arrivals = self.arrivals

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.monotonic()
                body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                arrivals.put(Arrival(at, body["scope"], body["indicator"], body["to_state"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, state: str, seconds: float) -> float:
        """When the city's alert was said to be in that state. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while True:
            try:
                one = self.arrivals.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                raise TimeoutError(f"no webhook says {state} within {seconds:.0f} s") from None
            if (one.scope, one.indicator, one.to_state) == ("city", JUDGED, state):
                return one.at

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()


def order(name: str, number: int, moment: datetime, *, intact: bool) -> tuple[bytes, bytes]:
    """Kafka key and value of an order that was delivered at a moment.

    :param number: of it in the round: merchant, platform and town are others than those of the ones beside it."""
    time_ = moment.isoformat()
    platform = tuple(PLATFORMS)[number % len(PLATFORMS)]
    data = {
        "order_id": name,
        "operator_id": f"op-{number * 61 % MERCHANTS}",
        "platform": platform,
        "town_code": tuple(TOWNS)[number % len(TOWNS)],
        "delivered_at": time_,
        "fulfilment": "delivered",
        "packages": 1,
        "sealed_packages": 1,
        "seal_state": "intact" if intact else "broken",
        "evidence_level": 2,
    }
    event = {
        "specversion": "1.0",
        "id": name,
        "source": f"/platform/{platform}",
        "type": Order.type,
        "time": time_,
        "data": data,
    }
    return name.encode(), orjson.dumps(event)


def round_of(number: int) -> tuple[list[tuple[bytes, bytes]], tuple[bytes, bytes], str]:
    """The orders of a round, the event after which their minute is judged, and the state that then follows. Rounds with
    an even number fire."""
    begin, intact = FIRST + number * APART, bool(number % 2)
    step = timedelta(minutes=1) / (_ORDERS + 1)
    orders = [order(f"o-{number}-{one}", one, begin + one * step, intact=intact) for one in range(_ORDERS)]
    last = order(f"o-{number}-last", 0, begin + timedelta(minutes=1) + LATENESS, intact=True)
    return orders, last, "resolved" if intact else "firing"


def measure_delays(home: Path, orders: int, cameras: int, rounds: int, say: Say) -> list[float]:
    """Seconds from event to webhook, of each round but the first ones, in which everything warms up. Raises BenchError
    where nothing arrives, and ClickHouseError.

    :param orders: of the city, in the month before.
    :param rounds: at most `ROUNDS_MOST`."""
    receiver = Receiver()
    try:
        with ExitStack() as stack:
            kafka = stack.enter_context(own_kafka(home))
            clickhouse = stack.enter_context(own_clickhouse(home))
            ensure_topics(kafka.address, _PARTITIONS)
            client = connect(clickhouse.address, None)
            stack.callback(client.close)
            config = home / "yangguang.toml"
            config.write_text(_CONFIG.format(url=receiver.url), "utf-8")
            catalogue = Configuration.model_validate(tomllib.loads(config.read_text("utf-8"))).catalogue()
            fill(clickhouse.address, catalogue, _city(orders, cameras), say)
            asyncio.run(_computed(clickhouse.address, catalogue, say))
            variables = {
                "YANGGUANG_HOME": str(home),
                "YANGGUANG_CONFIG": str(config),
                "YANGGUANG_KAFKA": str(kafka.address),
                "YANGGUANG_CLICKHOUSE": clickhouse.address.url,
                "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": clickhouse.address.password,
                "YANGGUANG_CLOCK": "event",
            }
            parts = [
                stack.enter_context(
                    running([sys.executable, "-m", "pipeline", name], home / f"{name}.log", _environment(variables))
                )
                for name in _PARTS
            ]
            producer = KafkaProducer(bootstrap_servers=str(kafka.address), acks="all")
            stack.callback(producer.close)
            try:
                return _rounds(rounds, producer, client, receiver, say)
            except TimeoutError as error:
                raise BenchError(f"{error} ({_ends(home, parts)}); mend that and try again") from None
    finally:
        receiver.close()


def _city(orders: int, cameras: int) -> Iterator[Filling]:
    """The rows of the city, whose orders end before the rounds."""
    yield from (one for one in fillings(0, END, cameras) if one.table != "orders")
    yield from (one for one in fillings(orders, FIRST - _BEFORE, cameras) if one.table == "orders")


async def _computed(address: Address, catalogue: Sequence[Indicator], say: Say) -> None:
    """Computes the city to its end, and leaves it judged as it was before the first round."""

    async def told_nobody(_: Sequence[Mapping[str, Any]]) -> None:
        """What was wrong before."""

    store = await Store.open(address)
    try:
        await compute(store, catalogue, END, say)
        silences = Silences()
        judges = (
            ConditionWatch(store, catalogue, told_nobody, event_clock=False, silences=silences),
            Alerter(store, catalogue, told_nobody, event_clock=False, silences=silences),
            EventAlerter(store, told_nobody, event_clock=False),
        )
        for before in _JUDGED_BEFORE:
            await move(store, FIRST - before)
            for one in judges:
                await one.evaluate()
    finally:
        await store.close()


def _rounds(rounds: int, producer: KafkaProducer, client: Client, receiver: Receiver, say: Say) -> list[float]:
    delays = []
    rng = Random(1)
    for number in range(rounds + WARM_ROUNDS):
        say("rounds", number, rounds + WARM_ROUNDS)
        orders, last, state = round_of(number)
        _send(producer, orders)
        _until(client, _STORED, (number + 1) * (_ORDERS + 1) - 1)
        _until(client, _JUDGED_UNTIL, int((FIRST + number * APART - timedelta(minutes=1)).timestamp()))
        time.sleep(rng.random())  # the stages' own rhythm has begun anew with what was just judged
        sent = time.monotonic()
        _send(producer, [last])
        delays.append(receiver.wait(state, _PATIENCE_SECONDS) - sent)
    return delays[WARM_ROUNDS:]


def _send(producer: KafkaProducer, events: Sequence[tuple[bytes, bytes]]) -> None:
    for key, value in events:
        producer.send(Order.stream, value, key)
    producer.flush()


def _until(client: Client, statement: str, least: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while (found := client.query(statement).result_rows[0][0]) < least:
        if time.monotonic() > until:
            raise TimeoutError(f"{statement} is {found} and not {least} within {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)


def _ends(home: Path, parts: Sequence["subprocess.Popen[bytes]"]) -> str:
    return "; ".join(
        f"{name} {'lives' if one.poll() is None else 'ended'}: {last_line(home / f'{name}.log')}"
        for name, one in zip(_PARTS, parts, strict=True)
    )


def _environment(variables: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("YANGGUANG_")} | variables
