"""Every query, snippet and address of the pages runs as the analyst and gives rows."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from pipeline.embedded.clickhouse_config import PUBLIC_NAMES
from pipeline.settings import Settings
from sinks.clickhouse.views import views
from tests.little_city import clock, fill
from tests.pages import PAGES, blocks, commands, text_of
from tests.pipeline.embedded_clickhouse import Server


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database in which there is a little of everything, so that no query of the pages can be empty."""
    server = Server(tmp_path_factory.mktemp("docs") / "data")
    fill(server, clock())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def analyst(city: Server) -> Iterator[Client]:
    """The analyst's client of it."""
    client = city.client("analyst", "")
    client.database = "yangguang"
    yield client
    client.close()


def queries() -> list[str]:
    found = [query for page in PAGES for query in blocks(page.read_text(encoding="utf-8"), "sql")]
    inline = [
        one for page in PAGES for one in re.findall(r"`((?:SELECT|DESCRIBE) [^`]+)`", page.read_text(encoding="utf-8"))
    ]
    return [query for query in (*found, *inline) if query.startswith(("SELECT", "DESCRIBE"))]


def test_there_are_twenty_worked_queries_over_every_view() -> None:
    shown = blocks(text_of("docs/analysts.md"), "sql")
    assert len(shown) == 20
    asked = set(re.findall(r"\b(?:FROM|JOIN) \(?(?:SELECT \* FROM )?(\w+)", "\n".join([*shown, *queries()])))
    assert asked >= set(PUBLIC_NAMES)


@pytest.mark.parametrize("query", queries())
def test_every_query_that_is_shown_runs_as_the_analyst(analyst: Client, query: str) -> None:
    assert analyst.query(query).result_rows


@pytest.mark.parametrize("snippet", blocks(text_of("docs/analysts.md"), "python"))
def test_every_python_snippet_for_analysts_runs_and_prints_something(city: Server, snippet: str) -> None:
    assert "8123" in snippet
    done = subprocess.run(
        [sys.executable, "-c", snippet.replace("8123", str(city.port))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("line", [one for one in commands("docs/analysts.md") if one.startswith("curl")])
def test_every_curl_for_analysts_gets_rows(city: Server, line: str) -> None:
    words = shlex.split(line.replace("8123", str(city.port)))
    done = subprocess.run([*words, "--fail"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("\n") > 1


def test_the_data_source_for_grafana_names_the_analyst_and_no_secret() -> None:
    (block,) = blocks(text_of("docs/analysts.md"), "yaml")
    (source,) = yaml.safe_load(block)["datasources"]
    assert source["type"] == "grafana-clickhouse-datasource"
    assert "secureJsonData" not in source
    settings = Settings()
    assert source["jsonData"] == {
        "host": "127.0.0.1",
        "port": settings.clickhouse_port,
        "protocol": "http",
        "username": "analyst",
        "defaultDatabase": "yangguang",
    }


def test_every_view_with_parameters_says_how_it_is_called() -> None:
    for name, statement in views().items():
        asked = set(re.findall(r"\{(\w+):String\}", statement))
        section = text_of("docs/dictionary.md").partition(f"## {name}\n")[2].partition("\n## ")[0]
        shown = re.search(rf"`SELECT \* FROM {name}\((.*)\)`", section)
        assert set(re.findall(r"\b(\w+)=", shown[1]) if shown else ()) == asked
