"""The producer's client: where records go, in which order, and what is said of those that cannot go."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest
from aiokafka.partitioner import murmur2

from pipeline.gateway import producer as module
from pipeline.gateway.client import Client, ClientError, Handed
from pipeline.gateway.limits import MIB, Limits
from pipeline.gateway.producer import Producer
from pipeline.gateway.records import Outgoing, Stored
from streams.kafka_address import KafkaAddress
from tests.pipeline.gateway.samples import REJECTED, SEAL
from tests.pipeline.gateway.stack import Broker, Tape, free_port

SECONDS = 20.0


def handed(broker: Broker, records: Sequence[Outgoing], limits: Limits | None = None) -> Handed:
    """The records, when there is an answer for each."""

    async def hand() -> Handed:
        given = Client(KafkaAddress(broker.servers), limits or Limits()).hand(records)
        await asyncio.wait_for(given.answered, SECONDS)
        return given

    return asyncio.run(hand())


def test_a_key_goes_to_the_partition_where_every_other_client_puts_it(broker: Broker, tape: Tape) -> None:
    keys = [f"{kind}-{number}".encode() for kind in ("o", "订单", "ME") for number in range(100)]
    given = handed(broker, [Outgoing(SEAL, key, key) for key in keys])
    partitions = len({one.partition for one in given.places})
    assert partitions > 1
    assert [one.partition for one in given.places] == [(murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
    assert {Stored(one.partition, one.offset): one.value for one in tape.new()} == dict(
        zip(given.places, keys, strict=True)
    )


def test_one_key_keeps_its_order(broker: Broker, tape: Tape) -> None:
    values = [str(number).encode() for number in range(3000)]
    given = handed(broker, [Outgoing(SEAL, b"one", value) for value in values])
    assert given.places == sorted(given.places)
    assert [one.value for one in tape.new()] == values


def test_headers_come_along(broker: Broker, tape: Tape) -> None:
    handed(broker, [Outgoing(REJECTED, None, b"raw", [("reason", "为什么".encode()), ("id", b"")])])
    [found] = tape.new()
    assert (found.key, found.value, found.headers) == (None, b"raw", {"reason": "为什么", "id": ""})


def test_a_record_that_cannot_be_handed_over_is_an_error_and_those_before_it_are_answered(
    broker: Broker, tape: Tape
) -> None:
    small = Limits(body_bytes=MIB)
    records = [Outgoing(SEAL, b"k", b"first"), Outgoing(SEAL, b"k", bytes(3 * MIB)), Outgoing(SEAL, b"k", b"last")]
    given = handed(broker, records, small)
    assert given.error is not None
    assert "too large" in given.error.str()
    assert [one.value for one in tape.new()] == [b"first"]


def test_nothing_is_answered_at_once(broker: Broker) -> None:
    given = handed(broker, [])
    assert (given.places, given.error) == ([], None)


def test_who_does_not_answer_is_told_of_after_the_time_that_was_given() -> None:
    async def ask() -> str:
        try:
            await Client(KafkaAddress(f"127.0.0.1:{free_port()}"), Limits()).ask(SEAL, 0.5)
        except ClientError as error:
            return str(error)
        return ""

    assert "refused" in asyncio.run(ask())


def test_a_topic_that_is_not_there_is_named(broker: Broker) -> None:
    async def ask() -> str:
        try:
            await Client(KafkaAddress(broker.servers), Limits()).ask("yangguang.nowhere", SECONDS)
        except ClientError as error:
            return str(error)
        return ""

    assert asyncio.run(ask()).startswith("topic yangguang.nowhere: ")


def test_a_producer_that_does_not_reach_a_kafka_that_is_there_is_replaced(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_UNANSWERED_MAX", 1)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110 # nothing tells of it
                await asyncio.sleep(0.05)

    async def replaced() -> None:
        producer = Producer(KafkaAddress(broker.servers), Limits())
        producer.start()
        await until(lambda: producer.ready)
        lost = producer._client
        assert lost is not None
        lost._producer = Client(KafkaAddress(f"127.0.0.1:{free_port()}"), Limits())._producer
        await until(lambda: producer.ready and producer._client not in (None, lost))
        await producer.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(replaced())
    assert "is there, and the producer does not reach it: it is replaced" in caplog.text
