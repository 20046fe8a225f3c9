"""Looking after the workers of `up`: a consumer that has died silently is noticed and its worker restarted."""

import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Final

from kafka.errors import KafkaError

from pipeline.settings import Settings
from pipeline.supervisor import Supervisor
from streams.stall import StallWatch
from streams.topics import WORKER_TOPICS, Offsets

WATCH_SECONDS: Final = 5.0


class Watch:
    """Looks now and then whether a worker's consumer has died silently, and has it restarted.

    In a thread of its own, which ends with the process: while Kafka is away a question may take its time, and nothing
    else should wait for it."""

    def __init__(self, supervisor: Supervisor, settings: Settings, workers: int, say: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self._watch = StallWatch(settings.stall_seconds)
        self._offsets: Offsets | None = None
        self._say = say

    def start(self) -> None:
        """Begins to look."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        while not self._supervisor.wait(WATCH_SECONDS):
            try:
                self._offsets = self._offsets or Offsets(self._settings.kafka_address, self._settings.group)
                stalled = self._watch.stalled(self._offsets.positions_now(WORKER_TOPICS), time.monotonic())
            except (KafkaError, OSError, KeyError):
                self._watch.forget()  # without Kafka nothing can advance
                continue
            if stalled:
                self._watch.forget()
                if clickhouse_answers(self._settings):  # else they wait for it, which is no fault of theirs
                    self._restart(stalled)

    def _restart(self, stalled: list[str]) -> None:
        reason = f"offsets of {', '.join(stalled)} do not advance while there is lag"
        self._say(f"{', '.join(self._workers)} restarted: {reason}")
        for name in self._workers:
            self._supervisor.restart(name, reason)


def clickhouse_answers(settings: Settings) -> bool:
    """Whether ClickHouse is there, whoever it lets in."""
    address = settings.analyst
    try:
        context = address.tls.context() if address.secure else None
        with urllib.request.urlopen(f"{address.url}ping", timeout=3, context=context):
            return True
    except OSError:
        return False
