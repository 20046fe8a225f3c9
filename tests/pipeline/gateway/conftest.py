"""Kafka, ClickHouse and a gateway, started once for all tests of this folder."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.gateway import Limits
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.indicators import INDICATORS
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.migrate import Migrator
from streams.kafka_address import KafkaAddress
from streams.topics import ensure_topics
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.ledger import Ledger
from tests.pipeline.gateway.mosquitto import Mosquitto, Start
from tests.pipeline.gateway.stack import Broker, Gateway, Tape, give_key
from tests.secure.certificates import Certificates


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp("kafka"))
    ensure_topics(KafkaAddress(running.servers))
    give_key(running.servers)
    yield running
    running.kill()


@pytest.fixture(scope="package")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    client = server.client()
    migrator = Migrator(client)
    migrator.prepare()
    migrator.apply(migrator.plan())
    sync_catalogue(client, INDICATORS)
    client.close()
    yield server
    server.kill()


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("home"), broker.servers, clickhouse.port)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


@pytest.fixture
def tape(broker: Broker) -> Iterator[Tape]:
    reader = Tape(broker.servers, (*STREAMS, REJECTED_TOPIC))
    yield reader
    reader.close()


@pytest.fixture
def ledger(tape: Tape) -> Ledger:
    return Ledger(tape)


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture
def mosquitto(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """A broker of this test alone."""
    running = Mosquitto(tmp_path / "mosquitto", certificates)
    yield running
    running.end(signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto) -> Iterator[Start]:
    """Starts a gateway at that broker."""
    started: list[Gateway] = []

    def begin(name: str = "gateway", limits: Limits | None = None, **more: str) -> Gateway:
        settings = mosquitto.settings | more
        made = Gateway(tmp_path, broker.servers, clickhouse.port, limits or Limits(), name, **settings)
        started.append(made)
        return made

    yield begin
    for one in started:
        one.kill()
