"""The little city in a real ClickHouse, started once for all tests of this folder, and commands that ask it."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import cli
from tests.little_city import clock, fill
from tests.pipeline.embedded_clickhouse import Server


class City(NamedTuple):
    """Where the little city is, and the minute at which it ends."""

    server: Server
    now: datetime


@pytest.fixture(scope="package")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    server = Server(tmp_path_factory.mktemp("city") / "data")
    now = clock()
    fill(server, now)
    yield City(server, now)
    server.stop()


Run = Callable[..., Result]


@pytest.fixture
def run(city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as in a terminal of 80 columns whose output goes to a file; it has to succeed unless said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YANGGUANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("YANGGUANG_CLICKHOUSE", f"http://127.0.0.1:{city.server.port}")
    monkeypatch.delenv("YANGGUANG_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == status, result.output
        return result

    return call


@pytest.fixture
def objects(run: Run) -> Callable[..., Any]:
    """What a command prints as JSON."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)
