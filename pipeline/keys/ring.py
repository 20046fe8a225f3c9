"""The keys as a gateway holds them: read once, then followed."""

import asyncio
import hmac
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.keys.key import Key, digest_of, id_of
from pipeline.keys.topic import read_key
from schemas.catalogue import KEYS_TOPIC
from streams.kafka_address import KafkaAddress

log: Final = logging.getLogger(__name__)

_PARTITION: Final = TopicPartition(KEYS_TOPIC, 0)
_BACKOFF_SECONDS: Final = 1.0
_POLL_MS: Final = 500


class KeyRing:
    """Every key of the topic. What it knew it goes on knowing while Kafka is away."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._keys: dict[str, Key] = {}
        self._by_producer: dict[str, list[Key]] = {}
        self.loaded = asyncio.Event()
        """Set once everything that was on the topic has been read."""

    def find(self, text: str) -> Key | None:
        """The key with this text, whatever its state; None where there is none."""
        identity = id_of(text)
        key = self._keys.get(identity) if identity else None
        return key if key is not None and hmac.compare_digest(key.digest, digest_of(text)) else None

    def valid_of(self, producer: str) -> list[Key]:
        """The keys of a producer that are good now."""
        now = datetime.now(UTC)
        return [key for key in self._by_producer.get(producer, ()) if key.state(now) == "valid"]

    async def follow(self) -> None:
        """Reads the topic and what comes on it, for ever; Kafka is waited for while it is away."""
        said = False
        while True:
            consumer = AIOKafkaConsumer(
                **self._address.for_aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest"
            )
            try:
                await self._follow(consumer)
            except (KafkaError, OSError, ValueError) as error:
                if not said:
                    log.warning("the API keys cannot be read (%s): asked again every second", type(error).__name__)
                said = True
            finally:
                with suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(consumer.stop(), _BACKOFF_SECONDS)
            await asyncio.sleep(_BACKOFF_SECONDS)

    async def _follow(self, consumer: Any) -> None:
        await consumer.start()
        consumer.assign([_PARTITION])
        await consumer.seek_to_beginning(_PARTITION)
        end = (await consumer.end_offsets([_PARTITION]))[_PARTITION]
        while True:
            if not self.loaded.is_set() and await consumer.position(_PARTITION) >= end:
                log.info("%d API keys are known", len(self._keys))
                self.loaded.set()
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    self._take(record.key, record.value)
                self._sort()

    def _take(self, identity: bytes | None, value: bytes | None) -> None:
        if key := read_key(value):
            self._keys[key.id] = key
        elif value is None:
            self._keys.pop((identity or b"").decode(errors="replace"), None)
        else:
            log.warning("a record on %s is no API key and is passed over", KEYS_TOPIC)

    def _sort(self) -> None:
        self._by_producer = {}
        for one in self._keys.values():
            self._by_producer.setdefault(one.producer, []).append(one)
