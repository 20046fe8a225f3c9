"""How much memory a process takes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

MIB: Final = 1 << 20
MEMORY_MAX: Final = 400 * MIB
"""Resident bytes of a gateway under any attack: 100 MiB at rest, and up to three times what `Limits.held_bytes` counts,
as texts have copies while they are cut and judged."""

_EVERY_SECONDS: Final = 0.05


class Memory:
    """The greatest resident size of a process so far, in bytes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Looks again and again while the block runs."""
        end = threading.Event()

        def watch() -> None:
            while not end.wait(_EVERY_SECONDS):
                self.peak = max(self.peak, self._process.memory_info().rss)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
