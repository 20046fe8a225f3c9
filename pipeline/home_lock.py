"""One supervisor per home directory."""

import fcntl
import os
from pathlib import Path
from typing import IO


class HomeTakenError(RuntimeError):
    """Another supervisor runs on the same home; the text is one sentence that says what to do."""


def lock_home(home: Path) -> IO[str]:
    """The open lock file, which names this process; the kernel gives it free when the process ends, however it ends.

    Raises HomeTakenError when another process holds it."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "up.lock"
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise HomeTakenError(
            f"{home} is in use by process {holder}; stop that one, or set YANGGUANG_HOME to another directory"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
