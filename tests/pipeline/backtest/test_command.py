"""`yangguang alerts backtest` as people call it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.backtest.rehearsal import prepare
from pipeline.bench.services import own_clickhouse
from pipeline.commands.backtest import backtest

PERIOD = ("--from", "2026-11-02T00:00", "--to", "2026-11-03T00:00")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("backtest")
    with own_clickhouse(home) as server:
        prepare(server.address)
        yield {
            "YANGGUANG_HOME": str(home / "home"),
            "YANGGUANG_CLICKHOUSE": server.address.url,
            "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD": server.address.password,
            "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD": "not used here",
        }


def test_a_period_without_events_has_no_alerts(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(backtest, [*PERIOD, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["would_fire"] == []
    shown = CliRunner().invoke(backtest, [*PERIOD, "--plot", "--incident", "kitchen-drop"], env=environment)
    assert shown.exit_code == 0, shown.output
    assert "found 0 of 1" in shown.stdout


def test_a_configuration_that_counts_otherwise_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("takeaway_active_days = 7\n")
    result = CliRunner().invoke(backtest, [*PERIOD, "--config", str(other)], env=environment)
    assert result.exit_code == 1
    assert "changes what is counted (takeaway_active_days)" in result.output


def test_a_period_that_ends_before_it_begins_is_refused(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(backtest, [*PERIOD[:3], "2026-11-01T00:00"], env=environment)
    assert result.exit_code == 2
    assert "--from should be before --to" in result.output
