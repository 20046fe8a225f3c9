"""A whole stack with a worker, started once for the tests of this folder, and commands that run against it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import cli
from schemas.reject import Rejection
from streams.rejects import Door, door_headers
from tests.system.records import Place, Record
from tests.system.stack import Stack, wait_for

Run = Callable[..., Result]


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("rejected") / "stack", clock="wall")
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def run(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command whose output goes to a file; it has to succeed unless said."""
    monkeypatch.chdir(tmp_path)
    for name, value in stack.env.items():
        if name.startswith("YANGGUANG_"):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("YANGGUANG_CONFIG", raising=False)

    def call(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == status, (result.output, result.exception)
        return result

    return call


@pytest.fixture
def told(run: Run) -> Callable[..., Any]:
    """What a command prints as JSON."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)


def refused(raw: bytes, rejection: Rejection, door: Door = Door()) -> Record:  # noqa: B008 # it cannot be written to
    """What a gateway of another day has refused."""
    headers = tuple((name, value) for name, value in door_headers(door, rejection))
    return Record("yangguang.rejected", raw, headers=headers)


def rows(stack: Stack, condition: str) -> list[dict[str, Any]]:
    """Rows of the view."""
    return stack.rows(f"SELECT * FROM rejected WHERE {condition} ORDER BY raw_offset")


def recorded(stack: Stack, places: list[Place]) -> list[str]:
    """The names of what was pushed to the topic of the refused, once their rows are there."""
    offsets = [one.offset for one in places]
    wait_for(
        lambda: len(rows(stack, f"raw_offset IN {tuple(offsets)} OR raw_offset = {offsets[0]}")) == len(offsets),
        60,
        "the rows of what was refused",
    )
    return [f"http/-1/{offset}" for offset in offsets]


def now() -> str:
    """A moment that events may have."""
    return datetime.now(UTC).isoformat()
