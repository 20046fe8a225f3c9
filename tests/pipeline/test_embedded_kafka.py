"""The embedded broker as its clients see it: real jars, a real JVM, both client libraries, real kills."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError as ClientError

from pipeline.child import dying_with_this_process
from pipeline.embedded.kafka import EmbeddedKafka, KafkaError
from pipeline.embedded.kafka_jars import LOCK_FILE, Lock, fetch, is_complete, read_lock, write_lock
from pipeline.ports import is_free

READY_S = 60.0


class Broker:
    """An EmbeddedKafka and the process that it became."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.kafka = EmbeddedKafka(home, port)
        self.kafka.fetch()
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        self.process = subprocess.Popen(dying_with_this_process(self.kafka.command()), stdout=subprocess.DEVNULL)
        self.kafka.wait_ready(READY_S)
        return self.process

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def create(self, topic: str, partitions: int = 1) -> str:
        admin = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])
        finally:
            admin.close()
        return topic

    def count(self, topic: str) -> int:
        consumer = KafkaConsumer(bootstrap_servers=self.kafka.bootstrap)
        try:
            return sum(self.end_offsets(consumer, topic).values())
        finally:
            consumer.close()

    @staticmethod
    def end_offsets(consumer: KafkaConsumer, topic: str) -> dict[TopicPartition, int]:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        offsets: dict[TopicPartition, int] = consumer.end_offsets(partitions)
        return offsets


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    # A comma, a blank and Chinese characters: what Java's properties, class path and locale stumble over.
    running = Broker(tmp_path_factory.mktemp("阳光, kafka"))
    yield running
    running.process.kill()
    running.process.wait()


def test_kafka_python_produces_consumes_in_a_group_and_commits(broker: Broker) -> None:
    topic = broker.create("by-kafka-python", partitions=3)
    producer = KafkaProducer(bootstrap_servers=broker.kafka.bootstrap, acks="all")
    for number in range(30):
        producer.send(topic, key=str(number).encode(), value=b"x" * 300)
    producer.flush()
    producer.close()
    assert broker.count(topic) == 30

    began = time.monotonic()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker.kafka.bootstrap,
        group_id="group-kafka-python",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=3000,
        heartbeat_interval_ms=1000,
    )
    keys: set[bytes] = set()
    while len(keys) < 30 and time.monotonic() < began + 20:
        keys |= {record.key for records in consumer.poll(500).values() for record in records}
    assert keys == {str(number).encode() for number in range(30)}
    assert time.monotonic() - began < 5  # no 3 s wait for other members, no long session
    consumer.commit()
    assert sum(consumer.committed(partition) or 0 for partition in consumer.assignment()) == 30
    consumer.close()


def test_aiokafka_produces_consumes_in_a_group_and_commits(broker: Broker) -> None:
    topic = broker.create("by-aiokafka", partitions=2)

    async def exchange() -> tuple[int, int, int]:
        producer = AIOKafkaProducer(
            bootstrap_servers=broker.kafka.bootstrap, acks="all", enable_idempotence=True, compression_type="lz4"
        )
        await producer.start()
        await asyncio.gather(*[await producer.send(topic, key=str(n).encode(), value=b"y") for n in range(50)])
        await producer.stop()
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker.kafka.bootstrap,
            group_id="group-aiokafka",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=3000,
            heartbeat_interval_ms=1000,
        )
        await consumer.start()
        read = 0
        async with asyncio.timeout(20):
            while read < 50:
                read += sum(len(records) for records in (await consumer.getmany(timeout_ms=500)).values())
        await consumer.commit()
        assigned = list(consumer.assignment())
        ends = sum((await consumer.end_offsets(assigned)).values())
        committed = sum([await consumer.committed(partition) or 0 for partition in assigned])
        await consumer.stop()
        return read, ends, committed

    assert asyncio.run(exchange()) == (50, 50, 50)


def test_what_was_acknowledged_survives_kill_9(broker: Broker) -> None:
    topic = broker.create("survives", partitions=4)
    before = (broker.kafka.home / "data" / "meta.properties").read_text().splitlines()[2:]
    producer = KafkaProducer(bootstrap_servers=broker.kafka.bootstrap, acks="all", linger_ms=1)
    sent = [producer.send(topic, value=b"%d" % number) for number in range(3000)]
    sent[1500].get(10)  # killed in the middle of the stream, not after it
    broker.end(signal.SIGKILL)
    acknowledged = {b"%d" % number for number, future in enumerate(sent) if future.is_done and not future.exception}
    assert len(acknowledged) > 1000
    broker.start()
    producer.flush(30)  # and the producer goes on with what the broker had not acknowledged
    producer.close()
    assert (broker.kafka.home / "data" / "meta.properties").read_text().splitlines()[2:] == before

    consumer = KafkaConsumer(bootstrap_servers=broker.kafka.bootstrap)
    ends = Broker.end_offsets(consumer, topic)
    consumer.assign(list(ends))
    consumer.seek_to_beginning()
    stored: list[bytes] = []
    deadline = time.monotonic() + 20
    while any(consumer.position(partition) < end for partition, end in ends.items()) and time.monotonic() < deadline:
        stored += [record.value for records in consumer.poll(500).values() for record in records]
    consumer.close()
    assert acknowledged <= set(stored)
    assert sorted(stored) == sorted(b"%d" % number for number in range(3000))


def test_the_process_that_was_started_is_the_broker_and_ends_in_order(broker: Broker) -> None:
    command = Path(f"/proc/{broker.process.pid}/cmdline").read_bytes().split(b"\0")
    assert command[0].endswith(b"/java")
    assert broker.end(signal.SIGTERM) == 128 + signal.SIGTERM  # a JVM's orderly end
    assert is_free(broker.kafka.port)
    broker.start()


def test_the_time_of_a_record_is_its_arrival(broker: Broker) -> None:
    topic = broker.create("any-time")
    producer = KafkaProducer(bootstrap_servers=broker.kafka.bootstrap, acks="all")
    now = int(time.time() * 1000)
    for stamp in (0, now - 400 * 86_400_000, now + 7_200_000):  # neither deleted as old nor refused as early
        assert abs(producer.send(topic, value=b"z", timestamp_ms=stamp).get(10).timestamp - now) < 60_000
    producer.close()
    assert broker.count(topic) == 3


def test_a_misspelt_topic_is_not_created(broker: Broker) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.kafka.bootstrap, max_block_ms=1000)
    with pytest.raises(ClientError):
        producer.send("yangguang.sael", value=b"z").get(5)
    producer.close(timeout=1)
    admin = KafkaAdminClient(bootstrap_servers=broker.kafka.bootstrap)
    assert "yangguang.sael" not in admin.list_topics()
    admin.close()


def test_the_broker_stays_small(broker: Broker) -> None:
    status = Path(f"/proc/{broker.process.pid}/status").read_text()
    resident_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident_kb < 350 * 1024


def test_a_taken_port_is_refused_with_one_sentence(broker: Broker, tmp_path: Path) -> None:
    other = EmbeddedKafka(tmp_path, broker.kafka.port)
    done = subprocess.run(other.command(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"Error: port {broker.kafka.port} on 127.0.0.1 is taken or not allowed; stop what listens there, or set "
        "YANGGUANG_KAFKA_PORT to a free port"
    ]


def test_the_broker_of_another_home_is_not_taken_for_ready(broker: Broker, tmp_path: Path) -> None:
    other = EmbeddedKafka(tmp_path, broker.kafka.port)
    with pytest.raises(KafkaError, match=r"another Kafka .* answers on .*; stop it, or set YANGGUANG_KAFKA_PORT"):
        other.check_ready()


def test_waiting_for_a_broker_that_does_not_come_ends_with_the_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(KafkaError, match=rf"Kafka on 127.0.0.1:{port} does not answer yet .*; waited 0.2 s"):
        EmbeddedKafka(tmp_path, port).wait_ready(0.2)


def test_the_lock_names_every_jar_with_its_checksum_and_no_address(tmp_path: Path) -> None:
    lock = read_lock()
    assert "://" not in LOCK_FILE.read_text("utf-8")
    assert {jar.version for jar in lock.jars if jar.group == "org.apache.kafka"} == {lock.version}
    assert len({jar.file_name for jar in lock.jars}) == len(lock.jars)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in lock.jars)
    write_lock(lock, tmp_path / "lock.toml")
    assert (tmp_path / "lock.toml").read_text("utf-8") == LOCK_FILE.read_text("utf-8")


def test_a_damaged_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.toml").write_text('version = "4"\n[[jar]]\nname = "x"\n')
    with pytest.raises(KafkaError, match=r"lock.toml is missing or damaged .*--lock VERSION"):
        read_lock(tmp_path / "lock.toml")


@pytest.fixture
def small_lock() -> Lock:
    """A lock of the two smallest jars, so that a test may really fetch them."""
    lock = read_lock()
    return replace(lock, jars=tuple(sorted(lock.jars, key=lambda jar: jar.size)[:2]))


def test_a_fetch_reports_progress_and_is_done_only_once(small_lock: Lock, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetch(small_lock, tmp_path, lambda done, total: seen.append((done, total)))
    total = sum(jar.size for jar in small_lock.jars)
    assert seen[-1] == (total, total)
    assert is_complete(small_lock, tmp_path)
    began = time.monotonic()
    fetch(small_lock, tmp_path, lambda done, total: seen.append((done, total)))
    assert time.monotonic() - began < 0.3
    assert len(seen) == len(small_lock.jars)


def test_a_cut_jar_is_fetched_again(small_lock: Lock, tmp_path: Path) -> None:
    fetch(small_lock, tmp_path)
    jar = tmp_path / small_lock.jars[0].file_name
    whole = jar.read_bytes()
    os.truncate(jar, 100)
    assert not is_complete(small_lock, tmp_path)
    fetch(small_lock, tmp_path)
    assert jar.read_bytes() == whole


def test_a_jar_with_another_checksum_is_refused_and_not_kept(small_lock: Lock, tmp_path: Path) -> None:
    good, bad = small_lock.jars
    forged = replace(small_lock, jars=(good, replace(bad, sha256="0" * 64)))
    with pytest.raises(KafkaError, match=rf"{bad.artifact}:{bad.version} was refused: its sha256 is {bad.sha256}"):
        fetch(forged, tmp_path)
    assert not (tmp_path / bad.file_name).exists()
    assert not is_complete(forged, tmp_path)


def test_a_jar_that_does_not_exist_is_named(small_lock: Lock, tmp_path: Path) -> None:
    missing = replace(small_lock, jars=(replace(small_lock.jars[0], version="0.0.0"),))
    with pytest.raises(KafkaError, match=r":0.0.0 could not be fetched .*; check the network"):
        fetch(missing, tmp_path)


def test_another_lock_of_the_same_version_does_not_take_the_cache_for_its_own(small_lock: Lock, tmp_path: Path) -> None:
    fetch(small_lock, tmp_path)
    assert not is_complete(replace(small_lock, jars=small_lock.jars[:1]), tmp_path)


def test_the_command_needs_a_home() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.embedded.kafka"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--home DIR is required" in done.stderr
