"""`yangguang produce` as a process, with a file and a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.child import dying_with_this_process
from tests.pipeline.embedded_clickhouse import ROOT
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import Found


class Runs:
    """Runs of one file in one home."""

    def __init__(self, folder: Path, servers: str) -> None:
        self.folder = folder
        self.file = folder / "events.ndjson"
        self.bookmarks = folder / "home" / "produce"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YANGGUANG_")},
            "PYTHONPATH": str(ROOT),
            "YANGGUANG_HOME": str(folder / "home"),
            "YANGGUANG_KAFKA": servers,
        }

    def command(self, *options: str, file: str = "events.ndjson") -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "pipeline", "produce", file, *options]

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """A run that goes on beside the test."""
        return subprocess.Popen(
            dying_with_this_process(self.command(*options)),
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, file: str = "events.ndjson", stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """A run and its end."""
        return subprocess.run(
            self.command(*options, file=file),
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def told(self, *options: str) -> dict[str, Any]:
        """What a run that went well tells as JSON."""
        done = self.run("--json", *options)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def bookmarked(self) -> bool:
        """Whether an interrupted run could be gone on with."""
        return any(self.bookmarks.glob("*.json"))

    def write(self, numbers: Iterable[int]) -> None:
        """Makes the file of orders."""
        self.file.write_bytes(lines(numbers))

    def append(self, more: bytes) -> None:
        """The file grows."""
        with self.file.open("ab") as file:
            file.write(more)


def lines(numbers: Iterable[int]) -> bytes:
    """Orders, one a line."""
    return b"".join(text(number) + b"\n" for number in numbers)


def numbers_in(found: Iterable[Found]) -> list[int]:
    """The orders that are on Kafka, as often as they are."""
    return sorted(int(json.loads(one.value)["id"].removeprefix("e-")) for one in found)
