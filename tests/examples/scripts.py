"""The examples as their users run them: as a process, with variables of the environment and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pipeline.child import dying_with_this_process
from tests.pages import ROOT
from tests.pipeline.gateway.stack import KEY, Found

EXAMPLES: Final = ROOT / "examples"
_RUNS: Final = {".py": [sys.executable], ".mjs": ["node"], ".sh": []}
PATIENCE_SECONDS: Final = 90


def command(name: str, *arguments: str) -> list[str]:
    """How an example is run."""
    path = EXAMPLES / name
    return [*_RUNS[path.suffix], str(path), *arguments]


def environment(url: str = "", key: str = KEY, **more: str) -> dict[str, str]:
    """What the example is told."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    given = {"API_KEY": key, **({"URL": url} if url else {}), **more}
    return {**base, **{f"YANGGUANG_{name.upper()}": value for name, value in given.items()}}


def run(words: Sequence[str], folder: Path, env: dict[str, str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs one to its end."""
    return subprocess.run(
        words, cwd=folder, env=env, input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def start(words: Sequence[str], folder: Path, env: dict[str, str]) -> "subprocess.Popen[str]":
    """Runs one beside the test."""
    return subprocess.Popen(
        dying_with_this_process(list(words)),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ids(found: Iterable[Found]) -> list[str]:
    """The ids of the events that are on Kafka, as often as they are."""
    return sorted(str(json.loads(one.value)["id"]) for one in found)
