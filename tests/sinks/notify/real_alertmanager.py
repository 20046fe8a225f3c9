"""A real Alertmanager for one test, and what it shows."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.parts import free_port, wait_for

BINARY: Final = shutil.which("prometheus-alertmanager")
NEEDED: Final = pytest.mark.skipif(BINARY is None, reason="prometheus-alertmanager is not installed")
CONFIGURATION: Final = "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n"


@contextmanager
def alertmanager(home: Path) -> Iterator[str]:
    """Its address while it runs. It tells nobody."""
    assert BINARY is not None
    (home / "alertmanager.yml").write_text(CONFIGURATION)
    url = f"http://127.0.0.1:{free_port()}"
    arguments = [
        f"--config.file={home}/alertmanager.yml",
        f"--storage.path={home}/data",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen([BINARY, *arguments], cwd=home, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(lambda: _answers(url), 20, "Alertmanager answers")
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def firing(url: str, *matchers: str) -> list[dict[str, Any]]:
    """What amtool shows: alerts that are not over."""
    asked = ["amtool", f"--alertmanager.url={url}", "-o", "json", "alert", "query", *matchers]
    shown = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
    found: list[dict[str, Any]] = json.loads(shown)
    return found
