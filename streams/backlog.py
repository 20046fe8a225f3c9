"""What has reached Kafka and is not stored yet: asked of the broker by what the workers have committed."""

import asyncio
from typing import Final

from schemas.catalogue import REJECTED_TOPIC, STREAMS
from streams.kafka_address import KafkaAddress
from streams.topics import Offsets

_TOPICS: Final = (*STREAMS, REJECTED_TOPIC)

Ends = dict[tuple[str, int], int]
"""Of each partition the offset of the next record to come, by topic and partition."""


class Backlog:
    """Events and refused events: what of them came, and whether the workers of a group have written it.

    A partition is committed up to a record when its rows are acknowledged by ClickHouse."""

    def __init__(self, address: KafkaAddress, group: str) -> None:
        self._offsets = Offsets(address, group)

    async def ends(self) -> Ends:
        """What has come until now. Raises KafkaError."""
        return await asyncio.to_thread(self._ends)

    async def is_stored(self, ends: Ends) -> bool:
        """Whether all of it is written, or gone. Raises KafkaError."""
        return await asyncio.to_thread(self._is_stored, ends)

    def _ends(self) -> Ends:
        return {
            (topic, partition): extent.end
            for topic in _TOPICS
            for partition, extent in self._offsets.extents_now(topic).items()
            if extent.end > extent.start
        }

    def _is_stored(self, ends: Ends) -> bool:
        for topic in {topic for topic, _ in ends}:
            committed = self._offsets.committed_now(topic)
            if any(committed.get(partition, 0) < end for (one, partition), end in ends.items() if one == topic):
                return False
        return True

    def close(self) -> None:
        """Closes the connection."""
        self._offsets.close()
