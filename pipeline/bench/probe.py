"""The stopwatch inside a measured process: the same points for every consumer.

All consumers here read with aiokafka, so what is watched are its requests to the broker. The clock starts when the
first fetch of the topic is sent, so nothing that is fetched ahead is free, and start-up and joining the group are not
measured. It stops when the broker has acknowledged commits that cover every record of the topic. CPU is user and
system time of all threads of the process in between.
"""

import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.fetch import FetchRequest

_MAXRSS_BYTES: Final = 1 if sys.platform == "darwin" else 1024


class Measured(NamedTuple):
    """What one process did: wall-clock and CPU seconds, and its greatest resident memory in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Probe:
    """Measures this process, which reads one topic to its ends.

    :param ends: end offset of every partition, in their order.
    :param result: file for the `Measured`; when it is written the process ends, whatever else it does.
    """

    def __init__(self, topic: str, ends: Sequence[int], result: Path) -> None:
        self._topic = topic
        self._missing = {partition: end for partition, end in enumerate(ends) if end}
        self._result = result
        self._began: tuple[float, float] | None = None

    def install(self) -> None:
        """Watches every aiokafka client of this process from now on."""
        send, commit = AIOKafkaClient.send, GroupCoordinator.commit_offsets

        async def watched_send(client: Any, node: Any, request: Any, **options: Any) -> Any:
            if self._began is None and isinstance(request, FetchRequest):
                self._began = time.perf_counter(), time.process_time()
            return await send(client, node, request, **options)

        async def watched_commit(coordinator: Any, assignment: Any, offsets: Any) -> None:
            await commit(coordinator, assignment, offsets)
            self._committed({tp.partition: one.offset for tp, one in offsets.items() if tp.topic == self._topic})

        AIOKafkaClient.send = watched_send
        GroupCoordinator.commit_offsets = watched_commit

    def _committed(self, offsets: dict[int, int]) -> None:
        for partition, offset in offsets.items():
            if offset >= self._missing.get(partition, offset + 1):
                del self._missing[partition]
        if not self._missing and self._began is not None:
            wall, cpu = self._began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES
            measured = Measured(time.perf_counter() - wall, time.process_time() - cpu, peak)
            self._result.write_bytes(orjson.dumps(measured._asdict()))
            os._exit(0)
