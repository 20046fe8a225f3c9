"""The gateway's door to Kafka: one idempotent producer, waited for, watched, and replaced when it is spent.

An idempotent producer sends a batch again until the broker has it, for a time that is longer than a request waits, so a
request that is told "perhaps" may still be stored later. The producer is spent when Kafka refused something for good:
what it knows of Kafka, such as how much a topic takes, does not hold any more.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from confluent_kafka import KafkaError

from pipeline.gateway.background import background, ended
from pipeline.gateway.client import Client, ClientError
from pipeline.gateway.limits import MIB, Lease, Limits
from pipeline.gateway.records import Outgoing, Stored
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from streams.kafka_access import KafkaAccessError, require_access_async
from streams.kafka_address import KafkaAddress

log: Final = logging.getLogger(__name__)

TOPICS: Final = (*STREAMS, REJECTED_TOPIC)
LATELY_SECONDS: Final = 5.0
"""An answer of Kafka so young counts for the present."""

_PROBE_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 2.0
_UNANSWERED_MAX: Final = 5
_STOP_SECONDS: Final = 1.0
_BACKOFF_FIRST_SECONDS: Final = 0.2
_BACKOFF_MAX_SECONDS: Final = 5.0


class AwayError(Exception):
    """Kafka does not answer; nothing of the request was given to it."""


class UncertainError(Exception):
    """Kafka did not acknowledge everything in time; what it was given may be stored or not, now or later."""


class Producer:
    """Writes records durably: acknowledged by all replicas in sync."""

    def __init__(self, address: KafkaAddress, limits: Limits) -> None:
        self._address = address
        self._limits = limits
        self._client: Client | None = None
        self._spent = asyncio.Event()
        self._answered = float("-inf")
        self._deadlines: set[asyncio.Timeout] = set()
        self._watch: asyncio.Task[None] | None = None
        self.raw_bytes = _room(MIB)
        """The greatest value that the topic of the rejected takes."""

    def start(self) -> None:
        """Begins to wait for Kafka, in the background."""
        self._watch = background(self._keep(), "waiting for Kafka")

    async def stop(self) -> None:
        """Gives Kafka a moment for what is on its way, and ends."""
        if self._watch is not None:
            await ended(self._watch)
        if self._client is not None:
            await self._client.end(_STOP_SECONDS)

    def hurry(self, seconds: float) -> None:
        """Requests that wait for Kafka get their answers within so many seconds; Kafka is asked nothing any more."""
        if self._watch is not None:
            self._watch.cancel()
        latest = asyncio.get_running_loop().time() + seconds
        for deadline in self._deadlines:
            if (deadline.when() or latest) >= latest:
                deadline.reschedule(latest)

    @property
    def ready(self) -> bool:
        """Whether Kafka has answered lately."""
        return (
            self._client is not None
            and not self._spent.is_set()
            and asyncio.get_running_loop().time() - self._answered < LATELY_SECONDS
        )

    async def send(self, records: Sequence[Outgoing], lease: Lease) -> list[Stored]:
        """Where each record is stored, when all of them are. One key's records keep their order.

        Raises AwayError and UncertainError; the lease then holds on until Kafka has answered."""
        client = self._client
        if client is None or not self.ready:
            raise AwayError
        handed = client.hand(records)
        deadline = asyncio.timeout(self._limits.acknowledge_seconds)
        try:
            async with deadline:
                self._deadlines.add(deadline)
                await asyncio.wait([handed.answered])
        except TimeoutError:
            raise UncertainError from None
        finally:
            self._deadlines.discard(deadline)
            if not handed.answered.done():
                lease.keep_for([handed.answered])
        if handed.error is not None:
            self._judge(handed.error, client)
            raise UncertainError
        self._answered = asyncio.get_running_loop().time()
        return handed.places

    def _judge(self, error: KafkaError, client: Client) -> None:
        """Has the producer replaced where it was refused something, which is more than to run out of time."""
        if error.code() != KafkaError._MSG_TIMED_OUT and client is self._client and not self._spent.is_set():
            log.error("Kafka at %s refused records (%s): the producer is replaced", self._address, error.str())
            self._spent.set()

    async def _keep(self) -> None:
        """Has a producer whenever Kafka is there."""
        delay = _BACKOFF_FIRST_SECONDS
        while True:
            try:
                client = await self._begun()
            except (KafkaAccessError, ClientError) as error:
                log.warning("Kafka at %s does not take events (%s): asked again in %.1f s", self._address, error, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _BACKOFF_MAX_SECONDS)
                continue
            log.info("Kafka at %s takes events", self._address)
            delay = _BACKOFF_FIRST_SECONDS
            self._spent.clear()
            self._client = client
            await self._probe_until_spent(client)
            self._client = None  # it lives until it has sent what it still can

    async def _begun(self) -> Client:
        """A producer that is there to be used. Raises KafkaAccessError, which says more, and ClientError."""
        await require_access_async(self._address)
        client = Client(self._address, self._limits)
        for topic in TOPICS:
            await client.ask(topic, _ASK_SECONDS)
        self.raw_bytes = _room(await client.greatest_batch(REJECTED_TOPIC, _ASK_SECONDS) or MIB)
        self._answered = asyncio.get_running_loop().time()
        return client

    async def _probe_until_spent(self, client: Client) -> None:
        """Asks Kafka every second whether it is there, so that a request need not wait to find out."""
        there = True
        unanswered = 0
        while not self._spent.is_set():
            unanswered = 0 if await self._answers(client) else unanswered + 1
            if unanswered >= _UNANSWERED_MAX and await self._lets_others_in():
                log.error("Kafka at %s is there, and the producer does not reach it: it is replaced", self._address)
                return
            if there is not self.ready and not self._spent.is_set():
                there = self.ready
                if there:
                    log.info("Kafka at %s answers again", self._address)
                else:
                    log.warning("Kafka at %s does not answer: events get 503 until it does", self._address)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._spent.wait(), _PROBE_SECONDS)

    async def _answers(self, client: Client) -> bool:
        try:
            await client.ask(REJECTED_TOPIC, _ASK_SECONDS)
        except ClientError:
            return False
        self._answered = asyncio.get_running_loop().time()
        return True

    async def _lets_others_in(self) -> bool:
        try:
            await require_access_async(self._address)
        except KafkaAccessError:
            return False
        return True


def _room(batch_bytes: int) -> int:
    """Of the greatest batch that a topic takes something is left for headers and for what compression may add."""
    return max(batch_bytes // 2, batch_bytes - batch_bytes // 64 - 16 * 1024)
