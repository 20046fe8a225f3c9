"""Looking after the workers of `up`: a consumer that has died silently is noticed and its worker restarted."""

import time
import urllib.request
from typing import Final

from kafka.errors import KafkaError

from pipeline.settings import Settings
from pipeline.supervisor import Supervisor
from streams.stall import StallWatch
from streams.topics import WORKER_TOPICS, Offsets

WATCH_SECONDS: Final = 5.0


class Watch:
    """Looks now and then whether a worker's consumer has died silently, and has it restarted."""

    def __init__(self, supervisor: Supervisor, settings: Settings, workers: int) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self._watch = StallWatch(settings.stall_seconds)
        self._offsets: Offsets | None = None
        self._next = 0.0

    def look(self) -> list[str]:
        """What was found and done, one sentence each."""
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + WATCH_SECONDS
        try:
            self._offsets = self._offsets or Offsets(self._settings.servers, self._settings.group)
            stalled = self._watch.stalled(self._offsets.positions_now(WORKER_TOPICS), time.monotonic())
        except (KafkaError, OSError, KeyError):
            self._watch.forget()  # without Kafka nothing can advance
            return []
        if not stalled or not _answers(self._settings):
            if stalled:
                self._watch.forget()  # workers wait for ClickHouse: that is no fault of theirs
            return []
        self._watch.forget()
        reason = f"offsets of {', '.join(stalled)} do not advance while there is lag"
        for name in self._workers:
            self._supervisor.restart(name, reason)
        return [f"{', '.join(self._workers)} restarted: {reason}"]


def _answers(settings: Settings) -> bool:
    address = settings.analyst
    try:
        with urllib.request.urlopen(f"http://{address.host}:{address.port}/ping", timeout=3):  # http only
            return True
    except OSError:
        return False
