"""Servers and clients of a measurement, each in a process of its own, and what they say."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from pipeline.bench.gateway import bare, load
from pipeline.bench.gateway.load import Answered, Load
from pipeline.bench.services import BenchError, last_line
from pipeline.child import dying_with_this_process
from pipeline.keys.key import new_key
from pipeline.keys.topic import write_key
from pipeline.ports import free_port_near
from pipeline.settings import LOOPBACK
from schemas.seal import Order
from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress

GATEWAY: Final = "gateway"
BARE: Final = "bare"
SERVERS: Final = (GATEWAY, BARE)
"""What is compared, in the order of a round."""

_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 60.0


class Shape(NamedTuple):
    """How a client pushes: events a request, connections, and requests/s (None: as fast as answers come)."""

    batch: int
    connections: int
    rate: float | None = None

    @property
    def words(self) -> str:
        """For people."""
        said = "1 event" if self.batch == 1 else f"{self.batch} events"
        return f"{said}, {self.rate:.0f}/s" if self.rate else said


class Run(NamedTuple):
    """What one server did in one shape."""

    server: str
    shape: Shape
    round: int
    answered: Answered


class Peak(NamedTuple):
    """The greatest resident memory, in bytes, that a server had in a round."""

    server: str
    round: int
    bytes: int


class Server:
    """A server in its process."""

    def __init__(self, name: str, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.port = port
        self.pid = process.pid
        self.peak_bytes = 0
        """Known when the process has ended."""
        self._process = process
        self._log = log

    def wait_ready(self) -> None:
        """Returns when it takes events. Raises BenchError where it does not."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/readyz", timeout=5):
                    return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(
                        f"the {self.name} does not start ({last_line(self._log)}); mend that and try again"
                    ) from None
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ends the process."""
        self._process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while self._process.returncode is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self.peak_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            if time.monotonic() > deadline:
                self._process.kill()
            time.sleep(_POLL_SECONDS)


@contextmanager
def gateway_process(kafka: KafkaAddress, clickhouse: Address, home: Path) -> Iterator[Server]:
    """The gateway as its user starts it, with settings of its own."""
    port = free_port_near(25_000 + os.getpid() % 4_000)
    config = home / "yangguang.toml"
    config.touch()
    settings = {
        "YANGGUANG_HOME": str(home),
        "YANGGUANG_CONFIG": str(config),
        "YANGGUANG_KAFKA": str(kafka),
        "YANGGUANG_CLICKHOUSE": clickhouse.url,
        "YANGGUANG_HTTP_PORT": str(port),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("YANGGUANG_")}
    with _server(GATEWAY, port, ["-m", "pipeline", "gateway"], home, b"", others | settings) as started:
        yield started


@contextmanager
def bare_handler(kafka: KafkaAddress, home: Path) -> Iterator[Server]:
    """The bare handler."""
    port = free_port_near(25_000 + os.getpid() % 4_000)
    told = bare.to_json(bare.Bare(port, kafka))
    with _server(BARE, port, ["-m", "pipeline.bench.gateway.bare"], home, told, dict(os.environ)) as started:
        yield started


@contextmanager
def _server(
    name: str, port: int, arguments: Sequence[str], home: Path, told: bytes, environment: dict[str, str]
) -> Iterator[Server]:
    log = home / f"{name.replace(' ', '-')}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            dying_with_this_process([sys.executable, *arguments]),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    server = Server(name, port, process, log)
    try:
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        server.wait_ready()
        yield server
    finally:
        server.stop()


def api_key(kafka: KafkaAddress) -> str:
    """Makes a key as a platform has it, and returns its text: for one stream, and for sources that begin alike."""
    made = new_key("bench", datetime.now(UTC), grant={"streams": ["seal"], "sources": ["/platform"]})
    write_key(kafka, made.key)
    return made.text


def measure(kafka: KafkaAddress, server: Server, told: Load) -> Answered:
    """Lets a client push.

    Raises BenchError where not everything was answered 202, or Kafka has not exactly what was."""
    before = _stored(kafka)
    client = subprocess.run(
        dying_with_this_process([sys.executable, "-m", "pipeline.bench.gateway.load"]),
        input=load.to_json(told),
        capture_output=True,
        timeout=told.warm + told.seconds + _PATIENCE_SECONDS,
        check=False,
    )
    if client.returncode:
        lines = client.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BenchError(f"the client ended with status {client.returncode} ({lines[-1:]}); mend that and try again")
    answered = load.answered_from_json(client.stdout)
    if answered.refused:
        raise BenchError(f"the {server.name} did not answer 202: {answered.refused[:500]}; look into its log")
    if (stored := _stored(kafka) - before) != answered.accepted:
        raise BenchError(
            f"the {server.name} answered 202 for {answered.accepted} events and Kafka has {stored}, so its speed means "
            "nothing"
        )
    return answered


def _stored(kafka: KafkaAddress) -> int:
    consumer = KafkaConsumer(**kafka.for_kafka_python())
    try:
        partitions = [TopicPartition(Order.stream, one) for one in consumer.partitions_for_topic(Order.stream) or ()]
        return sum(consumer.end_offsets(partitions).values())
    finally:
        consumer.close()
