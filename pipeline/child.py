"""Child processes that leave nothing behind: own process group, killed with their parent, output in a log."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.bounded_log import BoundedLog

_BECOME = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
parent, command = int(sys.argv[1]), sys.argv[2:]
if os.getppid() != parent:  # it died before the kernel was asked
    sys.exit("the parent process has ended")
try:
    os.execvp(command[0], command)
except OSError as error:
    print(f"{command[0]} cannot be run ({error.strerror}); check that it is installed", file=sys.stderr)
    sys.exit(127)
"""


def dying_with_this_process(command: list[str]) -> list[str]:
    """The command line that becomes `command`, and is killed by the kernel when this process ends, even by SIGKILL.

    The kernel's parent-death signal must be asked for in the child itself. Doing that between fork and exec
    (`preexec_fn`) is not safe in a process with threads, so a small interpreter asks and then becomes the command:
    same process id, same output, some 20 ms. To be started by a thread that lives as long as the process: the kernel
    takes the end of the starting *thread* for the parent's death. What the command itself starts is not covered.
    Outside Linux the command runs unguarded."""
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command]


class Child:
    """A running process in a session of its own, so that a Ctrl-C or a closing terminal does not reach it.

    `pidfd` becomes readable when it ends, `output` when it has written something.
    Raises OSError when no process can be started."""

    def __init__(self, command: list[str], log: BoundedLog, env: Mapping[str, str] | None, cwd: Path | None) -> None:
        self.log = log
        self._process = subprocess.Popen(
            dying_with_this_process(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            # Lines that a Python part still held back when it was killed are the ones that somebody will look for.
            env={"PYTHONUNBUFFERED": "1", **(os.environ if env is None else env)},
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        self.pidfd = os.pidfd_open(self.pid)

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and to all that it started in its group. Call only until `reap`."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def drain(self) -> bool:
        """Move what it has written to the log. False when there will be nothing more."""
        for _ in range(16):  # at most 1 MB at once: one talkative part must not hold up the others
            try:
                data = os.read(self.output, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            # A full disk costs the log's lines, not the part: it would block on a pipe that nobody reads.
            with suppress(OSError):
                self.log.write(data)
        return True

    def reap(self) -> int:
        """Called when the process has ended: kill what is left of its group, return the exit status (-N: signal N)."""
        # While it is not yet waited for, its id cannot belong to a stranger.
        self.signal_group(signal.SIGKILL)
        status = self._process.wait()
        self.drain()
        assert self._process.stdout is not None
        self._process.stdout.close()
        os.close(self.pidfd)
        return status


@dataclass(frozen=True)
class Memory:
    """Bytes that a process and all that it started hold: resident, and proportional (shared pages counted once)."""

    rss: int
    pss: int


def memory_of(pid: int) -> Memory | None:
    """Memory of a process and its descendants; None when it has ended meanwhile."""
    try:
        leader = psutil.Process(pid)
        rss = pss = 0
        for process in [leader, *leader.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                full = process.memory_full_info()
                rss += full.rss
                pss += full.pss
    except psutil.NoSuchProcess:
        return None
    return Memory(rss, pss)
