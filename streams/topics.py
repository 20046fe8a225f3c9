"""Topics: made once with the partitions and retention that the stages need, and asked how far they are."""

import asyncio
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import AuthorizationError, KafkaError, TopicAlreadyExistsError

from schemas.catalogue import (
    ACTIONS_TOPIC,
    AGGREGATED_TOPIC,
    ALERTS_TOPIC,
    AUDIT_TOPIC,
    KEYS_TOPIC,
    LANDED_TOPIC,
    REJECTED_TOPIC,
    STREAMS,
)
from streams.kafka_access import KafkaRefusedError, require_access
from streams.kafka_address import KafkaAddress
from streams.stall import Position

log: Final = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
REJECTED_KEPT: Final = timedelta(days=30)
"""Raw bytes of rejected events are personal data: they are kept this long at most, and nowhere else."""


REJECTED_MAX_BYTES: Final = 16 * 2**20
"""A rejected record has all its bytes and headers besides, and the gateway takes bodies of 8 MiB."""

WORKER_TOPICS: Final = (*STREAMS, REJECTED_TOPIC, LANDED_TOPIC, AGGREGATED_TOPIC)
"""What the workers' group reads."""


def wanted_topics(partitions: int, replication: int, rejected_kept: timedelta = REJECTED_KEPT) -> list[NewTopic]:
    """All topics of the pipeline. `landed` has one partition a stream, so that each stream has one owner at a time."""

    def topic(name: str, count: int, **config: Any) -> NewTopic:
        return NewTopic(
            name=name,
            num_partitions=count,
            replication_factor=replication,
            topic_configs={key.replace("_", "."): str(value) for key, value in config.items()},
        )

    return [
        *(topic(stream, partitions, retention_ms=7 * _DAY_MS) for stream in STREAMS),
        topic(
            REJECTED_TOPIC,
            1,
            retention_ms=_milliseconds(rejected_kept),
            max_message_bytes=REJECTED_MAX_BYTES,
        ),
        topic(LANDED_TOPIC, len(STREAMS), retention_ms=7 * _DAY_MS),
        topic(AGGREGATED_TOPIC, 1, retention_ms=_DAY_MS),
        topic(ALERTS_TOPIC, 1, retention_ms=90 * _DAY_MS),
        topic(ACTIONS_TOPIC, 1, retention_ms=90 * _DAY_MS),
        topic(KEYS_TOPIC, 1, cleanup_policy="compact"),
        topic(AUDIT_TOPIC, 1, retention_ms=3 * 365 * _DAY_MS),
    ]


def group_members(address: KafkaAddress, group: str) -> set[str]:
    """Client ids in a consumer group that has settled; none while it is empty or rebalancing. Raises KafkaError."""
    admin = KafkaAdminClient(**address.for_kafka_python())
    try:
        described = admin.describe_groups([group])[group]
        return {one["client_id"] for one in described["members"]} if described["group_state"] == "Stable" else set()
    finally:
        admin.close()


def _milliseconds(length: timedelta) -> int:
    return int(length / timedelta(milliseconds=1))


def ensure_topics(
    address: KafkaAddress,
    partitions: int = 4,
    replication: int = 1,
    patience: float = 60.0,
    rejected_kept: timedelta = REJECTED_KEPT,
) -> list[str]:
    """Makes the topics that are missing and returns their names; sets for how long raw bytes of rejected events stay.

    Waits up to `patience` seconds for Kafka; raises KafkaError after that, and KafkaRefusedError at once
    where we are not let in, or may not make topics."""
    admin = _admin(address, patience)
    try:
        present = set(admin.list_topics())
        missing = [one for one in wanted_topics(partitions, replication, rejected_kept) if one.name not in present]
        if missing:
            _make(admin, address, missing)
        _keep_rejected(admin, address, rejected_kept)
        return [one.name for one in missing]
    finally:
        admin.close()


def _admin(address: KafkaAddress, patience: float) -> Any:
    deadline = time.monotonic() + patience
    while True:
        try:
            require_access(address)
            return KafkaAdminClient(**address.for_kafka_python())
        except KafkaRefusedError:
            raise
        except KafkaError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("%s (asked again in 1 s)", error)
            time.sleep(1)


def _make(admin: Any, address: KafkaAddress, missing: list[NewTopic]) -> None:
    try:
        admin.create_topics(missing)
    except TopicAlreadyExistsError:
        log.info("another process has just made the topics")
    except AuthorizationError as error:
        names = ", ".join(one.name for one in missing)
        raise KafkaRefusedError(
            f"Kafka at {address} does not let {address.principal} make topics: grant CREATE and DESCRIBE on topics "
            f"that begin with yangguang., or let an administrator make {names}"
        ) from error


def _keep_rejected(admin: Any, address: KafkaAddress, length: timedelta) -> None:
    kept = {"retention.ms": str(_milliseconds(length))}
    answers = admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, REJECTED_TOPIC, kept)],
        raise_on_unknown=False,  # to look first would ask for another right
    )
    answer = answers["topic"][REJECTED_TOPIC]
    if answer != "OK":
        log.warning(
            "Kafka at %s does not let %s say how long %s keeps raw bytes, which may be personal data (%s): grant "
            "ALTER_CONFIGS, or see to its retention.ms of %s",
            address,
            address.principal,
            REJECTED_TOPIC,
            answer.splitlines()[0],
            kept["retention.ms"],
        )


class Extent(NamedTuple):
    """Of one partition: the first offset that is still there, and that of the next record to come."""

    start: int
    end: int


class Offsets:
    """End and committed offsets, asked of the broker from asyncio without blocking it."""

    def __init__(self, address: KafkaAddress, group: str | None = None) -> None:
        self._address = address
        self._group = group
        self._asked: Any = None
        self._thread = ThreadPoolExecutor(1, "offsets")

    @property
    def _consumer(self) -> Any:
        """Connected at the first question, so that Kafka may come later."""
        if self._asked is None:
            self._asked = KafkaConsumer(
                **self._address.for_kafka_python(),
                group_id=self._group,
                enable_auto_commit=False,
                request_timeout_ms=10_000,
                session_timeout_ms=6_000,
            )
        return self._asked

    async def extents(self, topic: str) -> dict[int, Extent]:
        """What there is in every partition of the topic; Kafka is waited for while it is away."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._thread, self.extents_now, topic)
            except KafkaError as error:
                log.warning("Kafka does not tell the end of %s (%s): asked again in 1 s", topic, type(error).__name__)
            await asyncio.sleep(1)

    def extents_now(self, topic: str) -> dict[int, Extent]:
        """The same, blocking."""
        partitions = [TopicPartition(topic, one) for one in self._consumer.partitions_for_topic(topic) or ()]
        starts, ends = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        return {one.partition: Extent(starts[one], ends[one]) for one in partitions}

    def committed_now(self, topic: str) -> dict[int, int]:
        """Committed offset of the group in every partition of the topic; 0 where nothing was committed. Blocking."""
        partitions = [TopicPartition(topic, one) for one in self._consumer.partitions_for_topic(topic) or ()]
        return {one.partition: self._consumer.committed(one) or 0 for one in partitions}

    def positions_now(self, topics: Iterable[str]) -> dict[str, Position]:
        """What the group has committed of each topic and what is there, summed over partitions. Blocking."""
        positions = {}
        for topic in topics:
            extents, committed = self.extents_now(topic), self.committed_now(topic)
            done = sum(max(committed[partition], extent.start) for partition, extent in extents.items())
            positions[topic] = Position(done, sum(extent.end for extent in extents.values()))
        return positions

    def close(self) -> None:
        """Closes the connection."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._asked is not None:
            self._asked.close()
