"""One measurement after the other: fill a topic, let a consumer land it in a process of its own, check what it stored.

Every consumer gets a consumer group and a database of its own, which are dropped afterwards: nobody profits from rows
that another has stored. All write the same table: the product's raw table with its columns, engine, sorting key, digest
and index by identity, so the server does the same work for each.
"""

import asyncio
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import psutil
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.client import Client
from kafka.admin import KafkaAdminClient, NewTopic

from pipeline.bench.events import seal_events
from pipeline.bench.ours import LANDED_SUFFIX
from pipeline.bench.probe import Measured
from pipeline.bench.runner import Task
from pipeline.bench.services import BenchError, Services, last_line
from pipeline.child import dying_with_this_process
from schemas.seal import Order
from sinks.clickhouse.migrate import load_migrations
from sinks.clickhouse.raw import DATABASE, create_statements
from streams.kafka_address import KafkaAddress

PARTITIONS: Final = 4
_PORTION: Final = 4_000
_RUN_SECONDS: Final = 900.0


class Filled(NamedTuple):
    """A topic with the events of a measurement: end offsets, and the size of all values in bytes."""

    topic: str
    ends: tuple[int, ...]
    size: int


class Run(NamedTuple):
    """What one consumer did with all events.

    Seconds are wall clock; CPU seconds are the consumer's own process's, and ClickHouse's from the consumer's start to
    its end (None where it is not our child). `others` is the share (0..1) of the machine's CPU time that went to
    processes which do not belong to the measurement."""

    runner: str
    round: int
    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    clickhouse_cpu_seconds: float | None
    others: float | None

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU of the consumer's own process, microseconds an event."""
        return self.cpu_seconds / self.events * 1_000_000


@contextmanager
def filled_topic(
    services: Services, name: str, events: int, seed: int, progress: Callable[[int], None]
) -> Iterator[Filled]:
    """Makes the topic and its `landed` topic, fills it, and deletes both at the end."""
    admin = KafkaAdminClient(**services.kafka.for_kafka_python())
    topics = [name, name + LANDED_SUFFIX]
    try:
        admin.create_topics([NewTopic(one, PARTITIONS, 1) for one in topics])
        try:
            ends, size = asyncio.run(_fill(services.kafka, name, events, seed, progress))
            yield Filled(name, ends, size)
        finally:
            admin.delete_topics(topics)
    finally:
        admin.close()


async def _fill(
    address: KafkaAddress, topic: str, events: int, seed: int, progress: Callable[[int], None]
) -> tuple[tuple[int, ...], int]:
    producer = AIOKafkaProducer(**address.for_aiokafka(), enable_idempotence=True, max_batch_size=256 * 1024)
    await producer.start()
    ends, size = [0] * PARTITIONS, 0
    try:
        stream = seal_events(events, seed)
        while portion := list(islice(stream, _PORTION)):
            for partition in range(PARTITIONS):
                of_partition = iter(portion[partition::PARTITIONS])
                ends[partition] += len(portion[partition::PARTITIONS])
                pending = next(of_partition, None)
                while pending is not None:
                    batch = producer.create_batch()
                    while pending is not None and batch.append(key=pending[0], value=pending[1], timestamp=None):
                        pending = next(of_partition, None)
                    await producer.send_batch(batch, topic, partition=partition)
            size += sum(len(value) for _, value in portion)
            progress(sum(ends))
        await producer.flush()
    finally:
        await producer.stop()
    return tuple(ends), size


@contextmanager
def own_database(client: Client, name: str) -> Iterator[str]:
    """A database with the raw table of orders and its index by identity, dropped at the end."""
    statements = [load_migrations()[0].forward[0], *create_statements(Order)]
    client.command(f"CREATE DATABASE {name}")
    try:
        for statement in statements:
            text = re.sub(rf"\b{DATABASE}\.raw_", f"{name}.raw_", statement)
            client.command(text.replace("{on_cluster}", "").replace("{replacing}", "ReplacingMergeTree"))
        yield name
    finally:
        client.command(f"DROP DATABASE {name} SYNC")


def measure(services: Services, client: Client, filled: Filled, home: Path, runner: str, number: int) -> Run:
    """Lets one consumer land all events. Raises BenchError where it fails, or has stored another number of rows."""
    name = f"yangguang_bench_{re.sub('[^a-z]', '', runner.lower())}_{number}_{time.time_ns():x}"
    result = home / f"{name}.json"
    events = sum(filled.ends)
    task = Task(
        runner, services.kafka, services.clickhouse, name, str(home), filled.topic, filled.ends, name, str(result)
    )
    with own_database(client, name):
        watch = _Watch(services)
        with started(task, home / f"{name}.log") as process:
            try:
                process.wait(_RUN_SECONDS)
            except subprocess.TimeoutExpired:
                raise BenchError(
                    f"the {runner} has not landed all events in {_RUN_SECONDS:.0f} s; ask for fewer than {events}"
                ) from None
        if process.returncode or not result.exists():
            raise BenchError(
                f"the {runner} ended with status {process.returncode} ({last_line(home / f'{name}.log')}); mend that "
                "and try again"
            )
        measured = Measured(**orjson.loads(result.read_bytes()))
        clickhouse_cpu, others = watch.read()
        counted = client.query(f"SELECT count(), uniqExact(source, event_id) FROM {name}.raw_orders").result_rows
        rows, identities = counted[0]
        if (rows, identities) != (events, events):
            raise BenchError(
                f"the {runner} stored {rows} rows with {identities} identities of {events} events, so its speed means "
                "nothing; look into its log"
            )
    return Run(runner, number, events, *measured, clickhouse_cpu, others)


@contextmanager
def started(task: Task, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A runner in its process, killed at the end if it still runs."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            dying_with_this_process([sys.executable, "-m", "pipeline.bench.runner"]),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    try:
        assert process.stdin is not None
        process.stdin.write(task.to_json())
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait()


class _Watch:
    """CPU of ClickHouse, and of what does not belong to the measurement, since it was made."""

    def __init__(self, services: Services) -> None:
        self._servers = [psutil.Process(pid) for pid in (services.clickhouse_pid, services.kafka_pid) if pid]
        self._clickhouse = services.clickhouse_pid
        self._own = services.own
        self._at_start = self._now()

    def read(self) -> tuple[float | None, float | None]:
        """CPU seconds of ClickHouse, and the share (0..1) of others; None where they cannot be known."""
        (begin_total, begin_idle, begin_ours, begin_clickhouse) = self._at_start
        total, idle, ours, clickhouse = self._now()
        spent = total - begin_total
        others = max(0.0, spent - (idle - begin_idle) - (ours - begin_ours)) / spent if spent else 0.0
        return (
            clickhouse - begin_clickhouse if self._clickhouse else None,
            others if self._own else None,
        )

    def _now(self) -> tuple[float, float, float, float]:
        machine = psutil.cpu_times()
        servers = {one.pid: sum(one.cpu_times()[:2]) for one in self._servers}
        children, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        ours = sum(servers.values()) + children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        # guest time is counted in user time already
        total = sum(machine) - getattr(machine, "guest", 0.0) - getattr(machine, "guest_nice", 0.0)
        return total, idle, ours, servers.get(self._clickhouse or 0, 0.0)
