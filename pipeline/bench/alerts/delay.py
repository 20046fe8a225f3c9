"""The delay from the event that lets a minute be judged to the webhook, on a whole stack of real processes.

The pipeline waits for lateness and for the minute to be over, as no rate may be judged before. With the clock of events
both are a matter of the events' times, so they cost no time here: each round sends a minute of orders that
move the rate across its target, waits until they are stored, and sends the event that is as late as lateness and minute
cut require. What passes from handing that event to the Kafka client to the webhook's arrival is all that the pipeline
adds: landing, aggregating, judging, publishing, sending. Rounds fire and resolve in turns. Bench and webhook are one
process with one clock.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer

from pipeline.bench.rates_measure import Say
from pipeline.bench.services import BenchError, last_line, own_clickhouse, own_kafka, running
from pipeline.settings import LOOPBACK
from schemas.indicator import SHANGHAI
from schemas.seal import Order
from sinks.clickhouse.client import connect
from streams.topics import ensure_topics

FIRST: Final = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
"""A Monday's morning."""
_APART: Final = timedelta(hours=2)
"""From round to round: the hour that is judged has only its own round's orders."""
_LATENESS: Final = timedelta(seconds=60)
JUDGED: Final = "seal_coverage"
_ORDERS: Final = 60
_PARTITIONS: Final = 1
_PARTS: Final = ("worker", "notifier")
_WARM_ROUNDS: Final = 2
_PATIENCE_SECONDS: Final = 60.0
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


def order(name: str, moment: datetime, *, intact: bool) -> tuple[bytes, bytes]:
    """Kafka key and value of an order that was delivered at a moment."""
    time_ = moment.isoformat()
    data = {
        "order_id": name,
        "operator_id": "tw-1",
        "platform": "meituan",
        "town_code": "330681003",
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
        "source": "/platform/meituan",
        "type": Order.type,
        "time": time_,
        "data": data,
    }
    return name.encode(), orjson.dumps(event)


def round_of(number: int) -> tuple[list[tuple[bytes, bytes]], tuple[bytes, bytes], str]:
    """The orders of a round, the event after which their minute is judged, and the state that then follows. Rounds with
    an even number fire."""
    begin, intact = FIRST + number * _APART, bool(number % 2)
    step = timedelta(minutes=1) / (_ORDERS + 1)
    orders = [order(f"o-{number}-{one}", begin + one * step, intact=intact) for one in range(_ORDERS)]
    last = order(f"o-{number}-last", begin + timedelta(minutes=1) + _LATENESS, intact=True)
    return orders, last, "resolved" if intact else "firing"


def measure_delays(home: Path, rounds: int, say: Say) -> list[float]:
    """Seconds from event to webhook, of each round but the first ones, in which everything warms up. Raises BenchError
    where nothing arrives."""
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
            variables = {
                "YANGGUANG_HOME": str(home),
                "YANGGUANG_CONFIG": str(config),
                "YANGGUANG_KAFKA": str(kafka.address),
                "YANGGUANG_CLICKHOUSE": clickhouse.address.url,
                "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": clickhouse.address.password,
                "YANGGUANG_CLOCK": "event",
            }
            _migrate(home, variables)
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


def _rounds(rounds: int, producer: KafkaProducer, client: Client, receiver: Receiver, say: Say) -> list[float]:
    delays = []
    for number in range(rounds + _WARM_ROUNDS):
        say("rounds", number, rounds + _WARM_ROUNDS)
        orders, last, state = round_of(number)
        _send(producer, orders)
        _until_stored(client, (number + 1) * (_ORDERS + 1) - 1)
        sent = time.monotonic()
        _send(producer, [last])
        delays.append(receiver.wait(state, _PATIENCE_SECONDS) - sent)
    return delays[_WARM_ROUNDS:]


def _send(producer: KafkaProducer, events: Sequence[tuple[bytes, bytes]]) -> None:
    for key, value in events:
        producer.send(Order.stream, value, key)
    producer.flush()


def _until_stored(client: Client, count: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while client.query("SELECT count() FROM yangguang.raw_orders").result_rows[0][0] < count:
        if time.monotonic() > until:
            raise TimeoutError(f"{count} orders are not stored within {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)


def _ends(home: Path, parts: Sequence["subprocess.Popen[bytes]"]) -> str:
    return "; ".join(
        f"{name} {'lives' if one.poll() is None else 'ended'}: {last_line(home / f'{name}.log')}"
        for name, one in zip(_PARTS, parts, strict=True)
    )


def _migrate(home: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "migrate"],
        env=_environment(variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"yangguang migrate ended with {done.returncode} ({done.stderr.strip()[-200:]}); mend that")


def _environment(variables: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("YANGGUANG_")} | variables
