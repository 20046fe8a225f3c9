"""One process of a stack, where it may listen, and how to wait for it."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.child import dying_with_this_process
from pipeline.ports import is_free


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to clients, so that it is free at a restart."""
    chance = random.Random(f"{os.getpid()} {time.monotonic_ns()}")
    while not is_free(port := chance.randrange(12_000, 30_000)):
        pass
    return port


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)
    return value


def _stands_still(pid: int) -> bool:
    """Whether all its threads are stopped: state T, the first field after the name in parentheses; see proc(5)."""
    states = [one.read_text().rpartition(")")[2].split()[0] for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    return bool(states) and set(states) == {"T"}


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Meanwhile the process stands still: its connections are taken by the kernel, and nothing is answered.

    SIGSTOP is waited for: the signal is taken by one thread after the other, and until then one may still answer.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: _stands_still(pid), 10, f"process {pid} stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Part:
    """One process that may be ended and started again; its output is appended to `log`."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str], cwd: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._env = env
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it. Only to be called by the main thread: the kernel ends the process with its starting thread."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_this_process(self._command), stdout=log, stderr=log, env=self._env, cwd=self._cwd
            )

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Of the last process; None while it lives."""
        return None if self._process is None else self._process.poll()

    def end(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Signals it, waits for its end and returns its exit status."""
        assert self._process is not None, f"{self.name} was not started"
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        """Of the last process."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def text(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
