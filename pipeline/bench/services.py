"""The Kafka and ClickHouse that are measured against: running ones where the settings name them, else own ones.

Own ones live in a temporary home on free ports and are gone afterwards.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.child import dying_with_this_process
from pipeline.embedded.clickhouse import WRITER_PASSWORD
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.ports import free_port_near
from pipeline.settings import LOOPBACK, Settings
from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0


class BenchError(Exception):
    """A measurement that cannot be made, in one sentence that says what to do."""


class Services(NamedTuple):
    """Where the services are; process ids only of own ones."""

    kafka: KafkaAddress
    clickhouse: Address
    kafka_pid: int | None
    clickhouse_pid: int | None

    @property
    def own(self) -> bool:
        """Whether both were started for this measurement and hold nothing else."""
        return self.kafka_pid is not None and self.clickhouse_pid is not None


@contextmanager
def services(settings: Settings, home: Path) -> Iterator[Services]:
    """Services for the time of the context. Raises BenchError, KafkaError or PortTakenError where one cannot start."""
    with ExitStack() as stack:
        kafka, kafka_pid = settings.kafka_address, None
        if settings.kafka is None:
            kafka, kafka_pid = stack.enter_context(own_kafka(home))
        if settings.clickhouse is not None:
            yield Services(kafka, settings.writer, kafka_pid, None)
            return
        own = stack.enter_context(own_clickhouse(home))
        yield Services(kafka, own.address, kafka_pid, own.pid)


class OwnKafka(NamedTuple):
    """A Kafka that was started for a measurement."""

    address: KafkaAddress
    pid: int


@contextmanager
def own_kafka(home: Path) -> Iterator[OwnKafka]:
    """The embedded Kafka with data in `home`, for the time of the context. Raises KafkaError or PortTakenError."""
    broker = EmbeddedKafka(home / "kafka", free_port_near(21_000 + os.getpid() % 4_000 * 2))
    broker.fetch()
    with running(broker.command(), home / "kafka.log") as process:
        broker.wait_ready(_READY_SECONDS)
        yield OwnKafka(KafkaAddress(broker.bootstrap), process.pid)


class OwnClickHouse(NamedTuple):
    """A ClickHouse that was started for a measurement."""

    address: Address
    pid: int


@contextmanager
def own_clickhouse(home: Path) -> Iterator[OwnClickHouse]:
    """The embedded ClickHouse with data in `home`, for the time of the context. Raises BenchError."""
    password = secrets.token_hex(16)
    command = [sys.executable, "-m", "pipeline.embedded.clickhouse", "--data", str(home / "clickhouse")]
    log = home / "clickhouse.log"
    with running([*command, "--port", "0"], log, os.environ | {WRITER_PASSWORD: password}, piped=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline().decode()
        if not line.startswith("listening on"):
            raise BenchError(f"the embedded ClickHouse does not start ({last_line(log)}); mend that and try again")
        port = int(line.rpartition(":")[2])
        yield OwnClickHouse(Address(LOOPBACK, port, "writer", password), server.pid)


@contextmanager
def running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None, *, piped: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end of the context, and that ends with this one.

    :param environment: all of its variables; None: those of this process.
    :param piped: whether its standard output is a pipe, or goes to the log as its stderr does."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            dying_with_this_process(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            env=environment,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """The last line of a log, for an error message."""
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []
    return lines[-1][:200] if lines else "its log is empty"
