"""One measured process: `python -m pipeline.bench.runner`, told on its standard input what to be.

Each process imports only what it measures, so that its peak memory is the consumer's own.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import TypeAdapter

from pipeline.bench.probe import Probe
from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress

OURS: Final = "worker"
FAUST: Final = "plain Faust"
LOOP: Final = "naive loop"
WHOLE: Final = "whole worker"
RUNNERS: Final = (OURS, FAUST, LOOP)
"""What is compared, in the order of a round."""


class Task(NamedTuple):
    """What a measured process is told. The whole worker reads the product's own topics and is not timed."""

    runner: str
    kafka: KafkaAddress
    clickhouse: Address
    group: str
    home: str
    topic: str = ""
    ends: tuple[int, ...] = ()
    database: str = ""
    result: str = ""

    def to_json(self) -> bytes:
        """As it is written to the process's standard input."""
        return _TASK.dump_json(self)

    @staticmethod
    def from_json(text: bytes) -> "Task":
        """Reads what `to_json` wrote."""
        return _TASK.validate_json(text)


_TASK: Final = TypeAdapter(Task)


def run(task: Task) -> None:
    """Becomes the runner; returns only when it was stopped."""
    if task.runner != WHOLE:
        Probe(task.topic, task.ends, Path(task.result)).install()
    if task.runner in (OURS, WHOLE):
        _run_ours(task)
    else:
        _run_peer(task)


def _run_ours(task: Task) -> None:
    from pipeline.bench.ours import landing_stage, whole_worker  # noqa: PLC0415
    from streams.options import Options  # noqa: PLC0415

    options = Options(task.kafka, task.clickhouse, b"measured, not kept", group=task.group, home=task.home)
    if task.runner == WHOLE:
        whole_worker(options)
    else:
        landing_stage(options, task.topic, task.database)


def _run_peer(task: Task) -> None:
    from pipeline.bench.peers import naive_loop, plain_faust  # noqa: PLC0415

    table = f"{task.database}.raw_orders"
    if task.runner == FAUST:
        plain_faust(task.kafka, task.topic, task.group, task.clickhouse, table, task.home)
    else:
        asyncio.run(naive_loop(task.kafka, task.topic, task.group, task.clickhouse, table))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    run(Task.from_json(sys.stdin.buffer.read()))
