"""The real parts that the gateway stands between: Kafka, ClickHouse, and the gateway itself as a process."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from kafka import KafkaConsumer, TopicPartition

from pipeline.child import dying_with_this_process
from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.gateway import Limits
from pipeline.keys.key import Key, digest_of
from pipeline.keys.topic import write_key
from streams.kafka_address import KafkaAddress
from tests.pipeline.embedded_clickhouse import ROOT
from tests.system.parts import standing_still

READY_S = 60.0
KEY = "yg_testkey2_" + "0" * 64
"""An API key that may push everything: `give_key` makes it known to the gateways of a broker."""
BEARER = {"Authorization": f"Bearer {KEY}"}
DEFAULT_LIMITS = Limits()
_START = """
from pipeline.gateway import Limits, run
from pipeline.settings import load_settings
run(load_settings(), {limits!r}, {name!r})
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Broker:
    """The embedded Kafka in a process that can be killed, stopped for a while, and started again."""

    def __init__(self, home: Path) -> None:
        self.kafka = EmbeddedKafka(home, free_port())
        self.kafka.fetch()
        self.start()

    @property
    def servers(self) -> str:
        return self.kafka.bootstrap

    def start(self) -> None:
        self.process = subprocess.Popen(dying_with_this_process(self.kafka.command()), stdout=subprocess.DEVNULL)
        self.kafka.wait_ready(READY_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The broker's process stands still: its port is open, but nothing answers."""
        with standing_still(self.process.pid):
            yield
        self.kafka.wait_ready(READY_S)


def give_key(servers: str, producer: str = "tests", text: str = KEY, **fields: Any) -> str:
    """Makes an API key known to the gateways of a broker, and returns its text. It stays: where several files share the
    broker, a file whose tests rely on what a producer may not do has a producer of its own."""
    identity = text.split("_")[1]
    key = Key(id=identity, producer=producer, digest=digest_of(text), created_at=datetime.now(UTC), **fields)
    write_key(KafkaAddress(servers), key)
    return text


class Found(NamedTuple):
    """A record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, str]


class Tape:
    """Reads what was written to topics since it was last asked."""

    def __init__(self, servers: str, topics: tuple[str, ...]) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
        self._partitions = [
            TopicPartition(topic, number) for topic in topics for number in self._consumer.partitions_for_topic(topic)
        ]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_end()
        for one in self._partitions:
            self._consumer.position(one)

    def new(self) -> list[Found]:
        """All records up to the present ends of the topics."""
        ends = self._consumer.end_offsets(self._partitions)
        found: list[Found] = []
        while any(self._consumer.position(one) < end for one, end in ends.items()):
            for records in self._consumer.poll(1000).values():
                for one in records:
                    headers = {name: value.decode() for name, value in one.headers}
                    found.append(Found(one.topic, one.partition, one.offset, one.key, one.value, headers))
        return found

    def close(self) -> None:
        self._consumer.close()


class Gateway:
    """The gateway as a process; `log` is its stderr."""

    def __init__(
        self,
        home: Path,
        kafka: str,
        clickhouse: int,
        limits: Limits = DEFAULT_LIMITS,
        name: str = "gateway",
        **more: str,
    ) -> None:
        self.port = free_port()
        self.url = f"{'https' if 'tls_certificate' in more else 'http'}://127.0.0.1:{self.port}"
        self.trusted = ssl.create_default_context()
        """The authorities that vouch for the gateway; a test adds its own."""
        self.log = home / f"gateway-{self.port}.log"
        settings = {
            "YANGGUANG_HOME": str(home),
            "YANGGUANG_KAFKA": kafka,
            "YANGGUANG_CLICKHOUSE": f"http://127.0.0.1:{clickhouse}",
            "YANGGUANG_HTTP_PORT": str(self.port),
            **{f"YANGGUANG_{name.upper()}": value for name, value in more.items()},
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                dying_with_this_process([sys.executable, "-c", _START.format(limits=limits, name=name)]),
                cwd=ROOT,
                env={**os.environ, **settings},
                stderr=log,
            )

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, headers=BEARER, verify=self.trusted)

    def wait_for(self, path: str, status: int, seconds: float = 30) -> httpx.Response:
        """The first answer with this status. The condition is what is awaited, the pause only spares the processor."""
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while True:
                try:
                    answer = client.get(path)
                except httpx.TransportError as error:
                    last: object = error
                else:
                    if answer.status_code == status:
                        return answer
                    last = answer.text
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, f"{path} gave no {status}: {last}"
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
