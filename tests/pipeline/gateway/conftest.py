"""Kafka, ClickHouse and a gateway, started once for all tests of this folder."""

from collections.abc import Iterator

import httpx
import pytest

from schemas.catalogue import REJECTED_TOPIC, STREAMS
from schemas.indicators import INDICATORS
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.migrate import Migrator
from streams.kafka_address import KafkaAddress
from streams.topics import ensure_topics
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.stack import Broker, Gateway, Tape, give_key


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
