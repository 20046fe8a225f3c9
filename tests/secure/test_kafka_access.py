"""What a broker that asks who is there answers to right and wrong clients, and how its refusals read."""

import asyncio
import logging
import re
from dataclasses import replace
from itertools import islice

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from pipeline.simulator.doors import DoorError, KafkaDoor
from pipeline.simulator.simulation import simulate
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from sinks.tls import TlsFiles
from streams.kafka_access import KafkaAwayError, KafkaRefusedError, require_access
from streams.kafka_address import KafkaAddress
from streams.topics import WORKER_TOPICS, Offsets, ensure_topics, wanted_topics
from tests.pages import text_of
from tests.pipeline.simulator.cities import small
from tests.secure.broker import GROUP_RIGHTS, PASSWORD, TOPIC_RIGHTS, SecureBroker
from tests.secure.certificates import Certificates
from tests.system.parts import free_port

TOPIC = STREAMS[0]


@pytest.fixture(scope="module", autouse=True)
def topics(broker: SecureBroker) -> None:
    ensure_topics(broker.sasl)


def refusal(address: KafkaAddress) -> str:
    """What is said where nobody lets us in."""
    with pytest.raises(KafkaRefusedError) as caught:
        require_access(address)
    return str(caught.value)


def away(address: KafkaAddress) -> str:
    """What is said where waiting may help."""
    with pytest.raises(KafkaAwayError) as caught:
        require_access(address)
    return str(caught.value)


def doors(broker: SecureBroker, certificates: Certificates) -> list[KafkaAddress]:
    """All ways by which the pipeline's user gets in."""
    both = str(certificates.client_with_key)
    return [
        broker.sasl,
        replace(broker.sasl, mechanism="SCRAM-SHA-256"),
        replace(broker.sasl, mechanism="PLAIN"),
        broker.mutual,
        replace(broker.mutual, tls=TlsFiles(certificates.ca, both)),
        broker.sasl.at(f"127.0.0.1:{free_port()}, {broker.sasl}"),  # the first server is away
    ]


def test_each_mechanism_and_a_certificate_open_the_door_to_every_library(
    broker: SecureBroker, certificates: Certificates
) -> None:
    for address in doors(broker, certificates):
        require_access(address)
        producer = KafkaProducer(**address.for_kafka_python(), acks="all")
        by_kafka_python = producer.send(TOPIC, value=b"one", partition=0).get(20).offset
        producer.close()

        async def by_aiokafka(address: KafkaAddress = address) -> tuple[int, bytes | None]:
            async with AIOKafkaProducer(**address.for_aiokafka(), acks="all") as producer:
                sent = await (await producer.send(TOPIC, b"two", partition=0))
            async with AIOKafkaConsumer(**address.for_aiokafka()) as consumer:
                partition = TopicPartition(TOPIC, 0)
                consumer.assign([partition])
                consumer.seek(partition, sent.offset)
                read = await asyncio.wait_for(consumer.getone(), 20)
            return sent.offset, read.value

        assert asyncio.run(by_aiokafka()) == (by_kafka_python + 1, b"two")


def test_topics_are_made_and_asked_by_a_user_with_the_documented_rights(broker: SecureBroker) -> None:
    admin = KafkaAdminClient(**broker.open.for_kafka_python())
    assert {one.name for one in wanted_topics(1, 1)} <= set(admin.list_topics())
    admin.close()
    documented = re.findall(r"^\| (?:topics|groups) that begin .*", text_of("docs/settings.md"), re.MULTILINE)
    assert [tuple(re.findall(r"`([A-Z_]+)`", row)) for row in documented] == [TOPIC_RIGHTS, GROUP_RIGHTS]
    assert ensure_topics(broker.sasl) == []
    offsets = Offsets(broker.sasl, "yangguang")
    assert set(offsets.positions_now(WORKER_TOPICS)) == set(WORKER_TOPICS)
    offsets.close()


def test_a_wrong_password_is_told_at_once_by_user_and_mechanism(broker: SecureBroker) -> None:
    said = refusal(broker.intruder)
    assert said == (
        f"Kafka at {broker.sasl} refuses user yangguang (SCRAM-SHA-512): check YANGGUANG_KAFKA_USER and "
        "YANGGUANG_KAFKA_PASSWORD, and that the user has a password for that mechanism"
    )
    assert "refuses user yangguang (PLAIN)" in refusal(replace(broker.intruder, mechanism="PLAIN"))
    assert "refuses user nobody" in refusal(replace(broker.sasl, user="nobody"))
    with pytest.raises(KafkaRefusedError, match="refuses user yangguang"):
        ensure_topics(broker.intruder)
    door = KafkaDoor(broker.intruder)
    with pytest.raises(DoorError, match="refuses user yangguang"):
        door.send(list(islice(simulate(small()), 1)))
    door.close()


def test_a_broker_whose_certificate_is_not_trusted_is_not_spoken_to(broker: SecureBroker, others: Certificates) -> None:
    for files in (TlsFiles(), others.trusting):
        said = refusal(replace(broker.sasl, tls=files))
        assert "shows a certificate that is not trusted (" in said
        assert "set YANGGUANG_KAFKA_CA" in said


def test_the_name_in_the_certificate_is_the_one_that_was_called(broker: SecureBroker) -> None:
    port = broker.sasl.servers.rpartition(":")[2]
    assert "certificate is not valid for '127.0.0.1'" in refusal(broker.sasl.at(f"127.0.0.1:{port}"))


def test_a_door_for_certificates_needs_one_of_its_authority(
    broker: SecureBroker, certificates: Certificates, others: Certificates
) -> None:
    assert "wants a certificate or a user" in away(replace(broker.mutual, tls=certificates.trusting))
    foreign = others.client._replace(ca=certificates.ca)
    assert "does not trust our certificate" in away(replace(broker.mutual, tls=foreign))


def test_a_client_that_speaks_another_protocol_is_told_which_setting_to_look_at(broker: SecureBroker) -> None:
    assert "wants TLS or a user: see YANGGUANG_KAFKA_SECURITY" in away(KafkaAddress(broker.sasl.servers))
    assert "wants a certificate or a user" in away(replace(broker.sasl, protocol="SSL"))
    clear = broker.sasl.at(broker.open.servers.replace("127.0.0.1", "localhost"))
    assert "something else than SASL_SSL" in away(clear)
    assert "asks for no user on this port" in refusal(replace(clear, protocol="SASL_PLAINTEXT"))


def test_a_broker_that_is_away_is_no_refusal() -> None:
    assert "nothing listens" in away(KafkaAddress(f"127.0.0.1:{free_port()}"))
    assert "Kafka at kafka.invalid:9092 does not answer" in away(KafkaAddress("kafka.invalid:9092"))


def test_what_is_no_address_is_said_so() -> None:
    assert refusal(KafkaAddress("k1:port")) == (
        "Kafka cannot be at k1:port: give host:port, with commas between several"
    )


def test_a_user_that_may_not_make_topics_is_told_what_to_grant(
    broker: SecureBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KafkaRefusedError, match=r"does not let user newcomer make topics: grant CREATE and DESCRIBE"):
        ensure_topics(broker.newcomer)
    broker.grant(broker.newcomer.user, topics=("DESCRIBE",))
    with caplog.at_level(logging.WARNING):
        assert ensure_topics(broker.newcomer) == []
    (warning,) = [one for one in caplog.messages if "raw bytes" in one]
    assert f"does not let user newcomer say how long {REJECTED_TOPIC} keeps raw bytes" in warning


def test_no_text_of_an_address_has_the_password(broker: SecureBroker) -> None:
    address = broker.sasl
    assert PASSWORD not in f"{address} {address!r} {address.described} {address.for_faust()!r}"
    assert address.described == "SASL_SSL, user yangguang by SCRAM-SHA-512"
    assert broker.mutual.described == "SSL, client certificate"
