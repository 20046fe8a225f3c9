"""The outage watch asks Kafka and ClickHouse behind TLS as whom the other parts ask them."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from sinks.clickhouse.address import Address
from sinks.tls import TlsFiles
from streams.probes import ClickHouseProbe, KafkaProbe
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD
from tests.secure.broker import SecureBroker
from tests.secure.certificates import HOST, Certificates
from tests.secure.tls_endpoint import TlsEndpoint


def asked(probe: KafkaProbe | ClickHouseProbe, times: int = 2) -> list[bool]:
    async def run() -> list[bool]:
        try:
            return [await probe() for _ in range(times)]
        finally:
            await probe.close()

    return asyncio.run(run())


def test_kafka_answers_whom_it_lets_in(broker: SecureBroker, others: Certificates) -> None:
    for address in (broker.sasl, replace(broker.sasl, mechanism="PLAIN"), broker.mutual):
        assert asked(KafkaProbe(address)) == [True, True]
    for stranger in (broker.intruder, replace(broker.sasl, tls=others.trusting)):
        assert asked(KafkaProbe(stranger), 1) == [False]


def test_clickhouse_answers_whom_it_lets_in(
    clickhouse: TlsEndpoint, mutual_clickhouse: TlsEndpoint, certificates: Certificates, others: Certificates
) -> None:
    def probe(port: int, files: TlsFiles, password: str = WRITER_PASSWORD) -> ClickHouseProbe:
        return ClickHouseProbe(Address(HOST, port, "writer", password, True, files))

    assert asked(probe(clickhouse.port, certificates.trusting)) == [True, True]
    assert asked(probe(mutual_clickhouse.port, certificates.client)) == [True, True]
    assert asked(probe(clickhouse.port, certificates.trusting, "wrong"), 1) == [False]
    for port, files in ((clickhouse.port, others.trusting), (mutual_clickhouse.port, certificates.trusting)):
        with pytest.raises(aiohttp.ClientError):
            asked(probe(port, files), 1)
