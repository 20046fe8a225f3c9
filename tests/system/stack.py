"""A whole stack of real processes for one test: Apache Kafka, ClickHouse and any number of workers.

Everything lies in a directory of the test and listens on ports of its own, so stacks can run side by side.
"""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from pipeline.embedded.kafka import EmbeddedKafka
from tests.system.parts import Part, free_port, wait_for
from tests.system.records import STREAMS, Place, Record

__all__ = ["GROUP", "GROUP_TOPICS", "ROOT", "Part", "Progress", "Read", "Stack", "free_port", "wait_for"]

ROOT: Final = Path(__file__).resolve().parents[2]
GROUP: Final = "yangguang"
GROUP_TOPICS: Final = (*STREAMS, "yangguang.rejected", "yangguang.landed", "yangguang.aggregated")
"""What the workers' group reads, and so what it has to have committed when it is done."""

WRITER_PASSWORD: Final = "writer-of-this-test"
READY_SECONDS: Final = 60.0
READ_SECONDS: Final = 30.0


class Progress(NamedTuple):
    """Records of a topic that are there, and that the workers have committed."""

    there: int
    committed: int


class Read(NamedTuple):
    """One record as a topic holds it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Stack:
    """Kafka, ClickHouse and workers in one directory.

    :param workers: processes; they can be ended and started one by one.
    :param clock: `event` or `wall`.
    """

    def __init__(self, home: Path, workers: int = 1, partitions: int = 4, clock: str = "event") -> None:
        self.home = home
        self.logs = home / "logs"
        self.logs.mkdir(parents=True)
        self.kafka_port, self.clickhouse_port, self.http_port = free_port(), free_port(), free_port()
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YANGGUANG_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",
            "YANGGUANG_HOME": str(home / "yangguang"),
            "YANGGUANG_KAFKA_PORT": str(self.kafka_port),
            "YANGGUANG_CLICKHOUSE_PORT": str(self.clickhouse_port),
            "YANGGUANG_HTTP_PORT": str(self.http_port),
            "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": WRITER_PASSWORD,
            "YANGGUANG_CLOCK": clock,
            "YANGGUANG_PARTITIONS": str(partitions),
        }
        self._broker = EmbeddedKafka(home / "kafka", self.kafka_port)
        self._broker.fetch()
        self.kafka = self._part("kafka", self._broker.command())
        self.clickhouse_data = home / "clickhouse"
        serve = [sys.executable, "-m", "pipeline.embedded.clickhouse", "--memory", "2048"]
        self.clickhouse = self._part(
            "clickhouse", [*serve, "--data", str(self.clickhouse_data), "--port", str(self.clickhouse_port)]
        )
        project = [sys.executable, "-m", "pipeline"]
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        self.workers = [self._part(name, [*project, "worker", "--name", name]) for name in names]
        self.gateway = self._part("gateway", [*project, "gateway"])
        """Not started with the others."""
        self.notifier = self._part("notifier", [*project, "notifier"])
        """Nor is this."""
        self._migrate = [*project, "migrate"]
        self._consumer: KafkaConsumer | None = None

    def _part(self, name: str, command: list[str]) -> Part:
        return Part(name, command, self.logs / f"{name}.log", self.env, self.home)

    @property
    def servers(self) -> str:
        """Kafka's bootstrap servers."""
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.http_port}"

    # starting and ending

    def start(self) -> None:
        """Starts all parts and returns when the database is there and the topics are."""
        self.kafka.start()
        self.clickhouse.start()
        self.wait_clickhouse()
        done = subprocess.run(self._migrate, env=self.env, cwd=self.home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"migrate ended with {done.returncode}: {done.stderr}"
        self._broker.wait_ready(READY_SECONDS)
        for worker in self.workers:
            worker.start()
        wait_for(self._has_topics, READY_SECONDS, "the workers make the topics")

    def stop(self) -> None:
        """Ends all parts, whatever their state."""
        if self._consumer is not None:
            self._consumer.close()
        for part in (self.notifier, self.gateway, *self.workers, self.clickhouse, self.kafka):
            if part.running:
                part.end(signal.SIGKILL)

    def wait_clickhouse(self) -> None:
        """Returns when ClickHouse answers."""
        wait_for(self._clickhouse_answers, READY_SECONDS, "ClickHouse answers")

    def wait_kafka(self) -> None:
        """Returns when the broker answers."""
        self._broker.wait_ready(READY_SECONDS)

    def revive(self) -> list[str]:
        """Starts workers that have ended, as a supervisor does, and returns their names."""
        dead = [worker for worker in self.workers if not worker.running]
        for worker in dead:
            worker.start()
        return [worker.name for worker in dead]

    def _clickhouse_answers(self) -> bool:
        assert self.clickhouse.running, f"ClickHouse ended: {self.clickhouse.text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.clickhouse_port}/ping", timeout=2):
                return True
        except OSError:
            return False

    def _has_topics(self) -> bool:
        try:
            return set(GROUP_TOPICS) <= set(self.consumer.topics())
        except KafkaError:
            return False

    # ClickHouse

    def client(self, user: str = "analyst") -> Client:
        """A client of ClickHouse, for analysts or for the writer."""
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.clickhouse_port,
            username=user,
            password=WRITER_PASSWORD if user == "writer" else "",
            autogenerate_session_id=False,
            tz_mode="schema",
        )

    def rows(self, sql: str, user: str = "analyst") -> list[dict[str, Any]]:
        """The rows of a query as an analyst reads them."""
        client = self.client(user)
        try:
            return list(client.query(sql).named_results())
        finally:
            client.close()

    def command(self, sql: str) -> None:
        """A statement of the writer."""
        client = self.client("writer")
        try:
            client.command(sql)
        finally:
            client.close()

    # Kafka

    @property
    def consumer(self) -> KafkaConsumer:
        """A consumer that is told nothing and only asks for offsets."""
        if self._consumer is None:
            self._consumer = KafkaConsumer(bootstrap_servers=self.servers, group_id=GROUP, enable_auto_commit=False)
        return self._consumer

    def producer(self, **options: Any) -> KafkaProducer:
        """A producer that is told when a record is durable."""
        return KafkaProducer(bootstrap_servers=self.servers, acks="all", linger_ms=5, **options)

    def push(self, records: Iterable[Record]) -> list[Place]:
        """Sends records in their order and returns where each of them stands."""
        producer = self.producer()
        try:
            sent = [
                producer.send(one.topic, one.value, one.key, partition=one.partition, headers=list(one.headers))
                for one in records
            ]
            producer.flush()
            return [Place(known.topic, known.partition, known.offset) for known in (one.get(30) for one in sent)]
        finally:
            producer.close()

    def records(self, topic: str) -> dict[Place, Read]:
        """Everything that a topic holds now."""
        reader = KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False)
        try:
            partitions = [TopicPartition(topic, one) for one in reader.partitions_for_topic(topic) or ()]
            ends = reader.end_offsets(partitions)
            reader.assign(partitions)
            reader.seek_to_beginning()
            found: dict[Place, Read] = {}

            def all_read() -> bool:
                for several in reader.poll(200, max_records=5000).values():
                    for one in several:
                        found[Place(topic, one.partition, one.offset)] = Read(one.key, one.value, tuple(one.headers))
                return all(reader.position(one) >= ends[one] for one in partitions)

            wait_for(all_read, READ_SECONDS, f"{topic} is read")
            return found
        finally:
            reader.close()

    def progress(self) -> dict[str, Progress]:
        """How far the workers' group is in each of its topics."""
        found = {}
        for topic in GROUP_TOPICS:
            partitions = [TopicPartition(topic, one) for one in self.consumer.partitions_for_topic(topic) or ()]
            committed = sum(self.consumer.committed(one) or 0 for one in partitions)
            found[topic] = Progress(sum(self.consumer.end_offsets(partitions).values()), committed)
        return found

    def wait_committed(self, seconds: float = 150.0, topics: Sequence[str] = GROUP_TOPICS) -> None:
        """Returns when the workers have committed all that is there, twice in a row.

        A member of the group that died while it joined holds a rebalance up for 15 s, and there may be several."""
        calm = 0

        def done() -> bool:
            nonlocal calm
            try:
                progress = self.progress()
            except KafkaError:  # a broker that was started again: ask again
                return False
            calm = calm + 1 if all(progress[one].there == progress[one].committed for one in topics) else 0
            return calm == 2

        try:
            wait_for(done, seconds, "all is committed")
        except TimeoutError as error:
            behind = {name: one for name, one in self.progress().items() if one.there != one.committed}
            raise TimeoutError(f"{error}: {behind}; {self.ends()}") from None

    def wait_as_of(self, as_of: int, seconds: float = 30.0) -> None:
        """Returns when every rate is of this minute (microseconds since 1970), or of a later one."""
        least = f"ifNull(toUnixTimestamp(as_of), 0) < {as_of // 1_000_000}"
        sql = f"SELECT indicator, toUnixTimestamp(as_of) AS as_of FROM yangguang.indicator_marks WHERE {least}"
        try:
            wait_for(lambda: not self.rows(sql, "writer"), seconds, "as_of moves on")
        except TimeoutError as error:
            marks = self.rows("SELECT * FROM yangguang.watermarks FINAL", "writer")
            late = self.rows(sql, "writer")
            raise TimeoutError(f"{error}: should be {as_of // 1_000_000}, is {late}; {marks}") from None

    def ends(self) -> str:
        """Which workers live, and the last lines of their logs."""
        return "; ".join(
            f"{one.name} {'runs' if one.running else f'ended with {one.exit_status}'}: {one.text()[-1500:]}"
            for one in self.workers
        )
