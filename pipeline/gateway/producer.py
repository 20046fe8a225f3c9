"""The gateway's door to Kafka: one idempotent producer, waited for, watched, and replaced when it is spent.

An idempotent producer sends a batch until the broker has it, however long that takes, so a request that is told
"perhaps" after some seconds may still be stored later. It is spent when it met an error that it does not repeat: its
sequence numbers then have a gap, and the broker would refuse all that follows.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from pipeline.gateway.background import background
from pipeline.gateway.limits import MIB, Lease, Limits
from pipeline.gateway.records import Outgoing, Stored
from schemas.catalogue import REJECTED_TOPIC, STREAMS

log: Final = logging.getLogger(__name__)

TOPICS: Final = (*STREAMS, REJECTED_TOPIC)
LATELY_SECONDS: Final = 5.0
"""An answer of Kafka so young counts for the present."""

_PROBE_SECONDS: Final = 1.0
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 1.0
_BACKOFF_FIRST_SECONDS: Final = 0.2
_BACKOFF_MAX_SECONDS: Final = 5.0
_PAUSE_EVERY: Final = 200


class AwayError(Exception):
    """Kafka does not answer; nothing of the request was given to it."""


class UncertainError(Exception):
    """Kafka did not acknowledge everything in time; what it was given may be stored or not, now or later."""


class Producer:
    """Writes records durably: acknowledged by all replicas in sync."""

    def __init__(self, servers: str, limits: Limits) -> None:
        self._servers = servers
        self._limits = limits
        self._producer: Any = None
        self._spent = asyncio.Event()
        self._answered = float("-inf")
        self._deadlines: set[asyncio.Timeout] = set()
        self._watch: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[Any]] = set()
        self.raw_bytes = _room(MIB)
        """The greatest value that the topic of the rejected takes."""

    def start(self) -> None:
        """Begins to wait for Kafka, in the background."""
        self._watch = background(self._keep(), "waiting for Kafka")

    async def stop(self) -> None:
        """Gives Kafka a moment for what is on its way, and ends."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._producer is not None:
            await _discard(self._producer)

    def hurry(self, seconds: float) -> None:
        """Requests that wait for Kafka get their answers within so many seconds."""
        latest = asyncio.get_running_loop().time() + seconds
        for deadline in self._deadlines:
            if (deadline.when() or latest) >= latest:
                deadline.reschedule(latest)

    @property
    def ready(self) -> bool:
        """Whether Kafka has answered lately."""
        return (
            self._producer is not None
            and not self._spent.is_set()
            and asyncio.get_running_loop().time() - self._answered < LATELY_SECONDS
        )

    async def send(self, records: Sequence[Outgoing], lease: Lease) -> list[Stored]:
        """Where each record is stored, when all of them are. One key's records keep their order.

        Raises AwayError and UncertainError; the lease then holds on until Kafka has answered."""
        producer = self._producer
        if not self.ready:
            raise AwayError
        handed: list[asyncio.Future[Any]] = []
        deadline = asyncio.timeout(self._limits.acknowledge_seconds)
        try:
            async with deadline:
                self._deadlines.add(deadline)
                for number, record in enumerate(records, 1):
                    handed.append(await producer.send(record.topic, record.value, record.key, headers=record.headers))
                    if not number % _PAUSE_EVERY:
                        await asyncio.sleep(0)  # other requests have their turn
                await asyncio.wait(handed)
            stored = [Stored(one.partition, one.offset) for one in (future.result() for future in handed)]
        except TimeoutError:
            raise (UncertainError if handed else AwayError) from None
        except KafkaError as error:
            if producer is self._producer:
                log.error("Kafka at %s refused records (%s): the producer is replaced", self._servers, _brief(error))
                self._spent.set()
            raise UncertainError from error
        finally:
            self._deadlines.discard(deadline)
            lease.keep_for(future for future in handed if not future.done())
            _look_at(handed)
        self._answered = asyncio.get_running_loop().time()
        return stored

    async def _keep(self) -> None:
        """Has a producer whenever Kafka is there."""
        delay = _BACKOFF_FIRST_SECONDS
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._servers.split(","),
                client_id="yangguang-gateway",
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=5,
                max_batch_size=256 * 1024,
                max_request_size=2 * self._limits.body_bytes,
                request_timeout_ms=int(self._limits.acknowledge_seconds * 1000),
            )
            try:
                await asyncio.wait_for(self._begin(producer), _START_SECONDS)
            except (KafkaError, OSError, TimeoutError, ValueError) as error:
                await _discard(producer)
                log.warning(
                    "Kafka at %s does not take events (%s): asked again in %.1f s", self._servers, _brief(error), delay
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, _BACKOFF_MAX_SECONDS)
                continue
            log.info("Kafka at %s takes events", self._servers)
            delay = _BACKOFF_FIRST_SECONDS
            self._spent.clear()
            self._producer = producer
            await self._probe_until_spent(producer)
            self._producer = None
            self._part_with(producer)

    def _part_with(self, producer: Any) -> None:
        """Lets a spent producer send what it still can, however long that takes."""
        leaving = asyncio.create_task(producer.stop())
        self._leaving.add(leaving)
        leaving.add_done_callback(lambda task: _look_at([task]))
        leaving.add_done_callback(self._leaving.discard)

    async def _begin(self, producer: Any) -> None:
        await producer.start()
        for topic in TOPICS:
            try:
                await producer.partitions_for(topic)
            except UnknownTopicOrPartitionError:
                raise KafkaError(f"there is no topic {topic}: start yangguang up, or make the topics") from None
        self.raw_bytes = await self._greatest_raw()
        self._answered = asyncio.get_running_loop().time()

    async def _greatest_raw(self) -> int:
        """What the topic of the rejected takes: raw bytes may be greater than any event."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers.split(","))
        await admin.start()
        try:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, REJECTED_TOPIC)])
        finally:
            await admin.close()
        values = {entry[0]: entry[1] for answer in answers for one in answer.resources for entry in one[4]}
        return _room(int(values.get("max.message.bytes", MIB)))  # none: we may not ask

    async def _probe_until_spent(self, producer: Any) -> None:
        """Asks Kafka every second whether it is there, so that a request need not wait to find out."""
        loop = asyncio.get_running_loop()
        there = True
        while not self._spent.is_set():
            if await self._answers(producer):
                self._answered = loop.time()
            if there is not self.ready and not self._spent.is_set():
                there = self.ready
                if there:
                    log.info("Kafka at %s answers again", self._servers)
                else:
                    log.warning("Kafka at %s does not answer: events get 503 until it does", self._servers)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._spent.wait(), _PROBE_SECONDS)

    @staticmethod
    async def _answers(producer: Any) -> bool:
        try:
            return bool(await asyncio.wait_for(producer.client.force_metadata_update(), LATELY_SECONDS))
        except (KafkaError, TimeoutError):
            return False


def _room(batch_bytes: int) -> int:
    """Of the greatest batch that a topic takes something is left for headers and for what compression may add."""
    return max(batch_bytes // 2, batch_bytes - batch_bytes // 64 - 16 * 1024)


async def _discard(producer: Any) -> None:
    """Stops a producer that is not needed any more. It would wait for a broker that is away for ever, so it is not
    waited for long."""
    with suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(producer.stop(), _STOP_SECONDS)


def _look_at(futures: Iterable["asyncio.Future[Any]"]) -> None:
    """Errors that nobody asked for would be complained of by asyncio."""
    for future in futures:
        if future.done() and not future.cancelled():
            future.exception()


def _brief(error: BaseException) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
