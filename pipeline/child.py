"""A command line that runs another one and lets it die with its parent.

The kernel's parent-death signal must be asked for in the child itself. Doing that between fork and exec
(`preexec_fn`) is not safe in a process with threads, so a small interpreter asks for it and then becomes the command:
same process id, same output, 20 ms.
"""

import os
import sys

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

    To be started by a thread that lives as long as the process: the kernel takes the end of the starting *thread* for
    the parent's death. What the command itself starts is not covered. Outside Linux the command runs unguarded."""
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command]
