"""What is supervised: a part, what happens to it, and how long a part that dies has to wait."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0


class PartError(RuntimeError):
    """A part cannot be started or is not known; the text is one sentence that says what to do."""


def _ready_at_once() -> None:
    pass


@dataclass(frozen=True)
class Part:
    """One child process and how to treat it. Times in seconds.

    `ready` is asked again and again until it returns; it raises while the part is not ready, and may block for some
    seconds. Consecutive parts of the same `stage` start and stop together; a part without one has its own."""

    name: str
    command: list[str]
    log: Path
    env: Mapping[str, str] | None = None  # None: this process's own
    cwd: Path | None = None
    ready: Callable[[], None] = _ready_at_once
    ready_timeout: float = 60.0
    restart: bool = True
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 5.0
    stage: str | None = None


class Kind(StrEnum):
    """What can happen to a part."""

    STARTED = "started"
    READY = "ready"
    DIED = "died"  # it ended by itself, whatever its exit status
    RESTARTING = "restarting"  # after `delay` seconds
    STOPPED = "stopped"  # it ended because it was told to


@dataclass(frozen=True)
class PartEvent:
    """Something that happened to a part. `exit_code` or `signal` is set for died and stopped."""

    part: str
    kind: Kind
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    delay: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        text = f"{self.part} {self.kind}"
        if self.kind is Kind.STARTED:
            text += f" (process {self.pid})"
        if self.exit_code is not None:
            text += f" with exit status {self.exit_code}"
        if self.signal is not None:
            text += f" by {signal.Signals(self.signal).name}"
        if self.delay is not None:
            text += f" in {self.delay:g} s"
        return f"{text}: {self.reason}" if self.reason else text


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next start after so many deaths in a row (1 is the first): 1, 2, 4 ... 30."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 10))


def stages(parts: list[Part]) -> list[list[Part]]:
    """Parts in their order, those of the same stage that stand together in one list."""
    grouped: list[list[Part]] = []
    for part in parts:
        if grouped and part.stage is not None and grouped[-1][-1].stage == part.stage:
            grouped[-1].append(part)
        else:
            grouped.append([part])
    return grouped
