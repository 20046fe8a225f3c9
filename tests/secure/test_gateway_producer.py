"""The gateway's producer at a broker that asks who is there."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from pipeline.gateway.client import Client, ClientError
from pipeline.gateway.limits import MIB, Limits
from pipeline.gateway.records import Outgoing
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from sinks.tls import TlsFiles
from streams.kafka_address import KafkaAddress
from streams.topics import REJECTED_MAX_BYTES, ensure_topics
from tests.secure.broker import PASSWORD, SecureBroker
from tests.secure.certificates import Certificates
from tests.secure.test_kafka_access import doors

TOPIC = STREAMS[0]
SECONDS = 20.0


@pytest.fixture(scope="module", autouse=True)
def topics(broker: SecureBroker) -> None:
    ensure_topics(broker.sasl)


def refusal(address: KafkaAddress) -> str:
    """Why the producer does not reach the topic."""

    async def ask() -> None:
        await Client(address, Limits()).ask(TOPIC, SECONDS / 10)

    with pytest.raises(ClientError) as caught:
        asyncio.run(ask())
    return str(caught.value)


def test_each_mechanism_and_a_certificate_let_the_gateway_write(
    broker: SecureBroker, certificates: Certificates
) -> None:
    async def written(address: KafkaAddress) -> int:
        client = Client(address, Limits())
        await client.ask(TOPIC, SECONDS)
        handed = client.hand([Outgoing(TOPIC, b"one", b"1"), Outgoing(TOPIC, b"one", b"2")])
        await asyncio.wait_for(handed.answered, SECONDS)
        assert handed.error is None
        first, second = handed.places
        assert second == (first.partition, first.offset + 1)
        return first.offset

    offsets = [asyncio.run(written(address)) for address in doors(broker, certificates)]
    assert [two - one for one, two in pairwise(offsets)] == [2] * (len(offsets) - 1)


def test_the_greatest_record_is_asked_for_where_that_is_allowed(broker: SecureBroker) -> None:
    async def greatest(address: KafkaAddress) -> int | None:
        return await Client(address, Limits()).greatest_batch(REJECTED_TOPIC, SECONDS)

    assert asyncio.run(greatest(broker.sasl)) == REJECTED_MAX_BYTES > MIB
    assert asyncio.run(greatest(broker.visitor)) is None


def test_who_is_not_let_in_is_told_why_and_no_secret(broker: SecureBroker, others: Certificates) -> None:
    assert "Authentication" in refusal(broker.intruder)
    for files in (TlsFiles(), others.trusting):
        assert "certificate verify failed" in refusal(replace(broker.sasl, tls=files))
    assert f"topic {TOPIC}: " in refusal(broker.visitor)
    assert PASSWORD not in refusal(broker.intruder)


def test_a_file_that_is_not_there_is_told_at_once(broker: SecureBroker) -> None:
    assert "ssl.ca.location failed" in refusal(replace(broker.sasl, tls=TlsFiles("/nowhere.pem")))
