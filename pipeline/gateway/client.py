"""librdkafka under asyncio: records are handed over at once, and a future is done when Kafka has answered for all.

The library compresses, sends and repeats in threads of its own, so another core can do it. Its reports are fetched in
the event loop's thread, every millisecond while any is missing: in a thread of their own each of them would have to
wait until the loop lets go of the interpreter's lock.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # it is public

from pipeline.gateway.limits import Limits
from pipeline.gateway.records import Outgoing, Stored
from streams.kafka_address import KafkaAddress

_FETCH_SECONDS: Final = 0.001
_GRACE_SECONDS: Final = 1.0
"""The library itself is to say that there is no answer."""
_REPEAT_FACTOR: Final = 3
"""Records are tried so many times as long as a request waits for them: most of what was told "perhaps" is stored after
all, and a partition without a leader does not hold bytes for ever."""


def asking_settings(address: KafkaAddress) -> dict[str, Any]:
    """How the cluster is reached, in librdkafka's words."""
    return {
        **address.for_librdkafka(),
        "client.id": "yangguang-gateway",
        "reconnect.backoff.max.ms": 1000,
        "log_level": 0,  # ten lines a second of what the gateway says in one
    }


def client_settings(address: KafkaAddress, limits: Limits) -> dict[str, Any]:
    """How the gateway produces, in librdkafka's words."""
    patience = int(limits.acknowledge_seconds * 1000)
    return {
        **asking_settings(address),
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # as Java's and kafka-python's: an entity stays on its partition
        "compression.type": "lz4",
        "linger.ms": 5,
        "batch.size": 256 * 1024,
        "message.max.bytes": 2 * limits.body_bytes,
        "queue.buffering.max.messages": 0,  # none: what is held is bounded by the gateway's own budget
        "queue.buffering.max.kbytes": 2**31 - 1,  # likewise
        "request.timeout.ms": patience,
        "socket.timeout.ms": patience,
        "message.timeout.ms": patience * _REPEAT_FACTOR,
        "metadata.recovery.strategy": "none",  # brokers that come back are known; to ask for them first takes a second
    }


class ClientError(Exception):
    """Kafka does not do what it was asked for; the text is the library's."""


class Handed:
    """Records that the library was given together. `answered` is done when there is an answer for each of them."""

    def __init__(self, count: int) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.places: list[Stored] = [_NOWHERE] * count
        """Where Kafka has them, when it has answered without an error."""
        self.error: KafkaError | None = None
        """The first record's that has one."""
        self._missing = count
        if not count:
            self.answered.set_result(None)

    def answer(self, index: int, error: KafkaError | None, message: Message) -> None:
        """The library's answer for one record."""
        if error is None:
            self.places[index] = _stored((message.partition(), message.offset()))
            self._missing -= 1
            if not self._missing:
                self.answered.set_result(None)
        else:
            self.fail(1, error)

    def fail(self, count: int, error: KafkaError) -> None:
        """So many records have failed."""
        self.error = self.error or error
        self._missing -= count
        if not self._missing:
            self.answered.set_result(None)


_NOWHERE: Final = Stored(-1, -1)
_stored: Final = partial(tuple.__new__, Stored)
"""A Stored of its fields, without a function of Python's for each record."""


class Client:
    """One producer of the library; to be made where an event loop runs.

    Raises ClientError where the settings cannot be used, such as a file of TLS that is not there."""

    def __init__(self, address: KafkaAddress, limits: Limits) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._asking = ThreadPoolExecutor(1, "asking Kafka")  # the loop's own may be busy with great bodies
        self._complaint = ""
        try:
            self._producer = confluent_kafka.Producer(client_settings(address, limits) | {"error_cb": self._complain})
        except KafkaException as error:
            raise ClientError(_text(error)) from None

    def hand(self, records: Sequence[Outgoing]) -> Handed:
        """Gives the records to the library; one key's keep their order."""
        handed = Handed(len(records))
        produce, answer = self._producer.produce, handed.answer
        index = 0
        try:
            for index, (topic, key, value, headers) in enumerate(records):
                if headers:
                    produce(topic, value, key, on_delivery=partial(answer, index), headers=list(headers))
                else:
                    produce(topic, value, key, on_delivery=partial(answer, index))
        except KafkaException as error:
            handed.fail(len(records) - index, error.args[0])
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_later(_FETCH_SECONDS, self._fetch)
        return handed

    def _fetch(self) -> None:
        """Has the reports that are there delivered, and comes back while any is missing."""
        self._producer.poll(0)
        if len(self._producer):
            self._loop.call_later(_FETCH_SECONDS, self._fetch)
        else:
            self._idle.set()

    async def end(self, seconds: float) -> None:
        """Returns when nothing is on its way any more, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)

    async def ask(self, topic: str, seconds: float) -> None:
        """Returns if the producer reaches the topic within so many seconds. Raises ClientError."""
        self._complaint = ""
        asking = self._loop.run_in_executor(self._asking, self._producer.list_topics, topic, seconds)
        try:
            found = await asyncio.wait_for(asking, seconds + _GRACE_SECONDS)
        except KafkaException as error:
            self._producer.poll(0)
            raise ClientError(self._complaint or _text(error)) from None
        except TimeoutError:
            raise ClientError(f"no answer within {seconds:g} s") from None
        there = found.topics.get(topic)
        if there is None or there.error is not None:
            why = there.error.str() if there and there.error else "nothing is said of it"
            raise ClientError(f"topic {topic}: {why}")

    async def greatest_batch(self, topic: str, seconds: float) -> int | None:
        """What the topic takes at once, in bytes; None where we may not ask."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        asking = AdminClient(asking_settings(self._address))
        asked = asking.describe_configs([resource], request_timeout=seconds)[resource]
        try:
            return int((await asyncio.wrap_future(asked))["max.message.bytes"].value)
        except KafkaException:
            return None

    def _complain(self, error: KafkaError) -> None:
        """The library says why, where the call itself says only that it took too long."""
        self._complaint = error.str()


def _text(error: KafkaException) -> str:
    return str(error.args[0].str() if isinstance(error.args[0], KafkaError) else error)
