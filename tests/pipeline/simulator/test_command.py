"""The command line: a span into a file with its ledger, and refusals that say what to do."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipeline.simulator import read_records
from pipeline.simulator.command import simulate_command

SPAN = ["--from", "2026-11-23T10:00", "--to", "2026-11-23T10:20", "--merchants", "100", "--orders-per-day", "3000"]


def test_a_span_goes_into_a_file_and_the_ledger_names_the_invalid_lines(tmp_path: Path) -> None:
    out, ledger = tmp_path / "events.ndjson", tmp_path / "ledger.ndjson"
    arguments = [*SPAN, "--out", str(out), "--ledger", str(ledger), "--fault", "all=0", "--fault", "invalid=0.1"]
    result = CliRunner().invoke(simulate_command, arguments)
    assert result.exit_code == 0, result.output
    with out.open("rb") as file:
        records = list(read_records(file))
    entries = [orjson.loads(line) for line in ledger.read_bytes().splitlines()]
    assert len(records) == len(entries) > 500
    assert {one["fault"] for one in entries} == {None, "invalid"}


def test_a_dash_writes_to_the_standard_output() -> None:
    result = CliRunner().invoke(simulate_command, [*SPAN, "--out", "-", "--no-history"])
    assert result.exit_code == 0
    assert list(read_records(result.stdout_bytes.splitlines()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--incident", "flood"], "seal-drop"),
        (["--fault", "rust=0.1"], "out_of_order"),
        (["--fault", "late=2"], "from 0 to 1"),
        (["--from", "yesterday"], "2026-11-23T18:00+08:00"),
        (["--out", "-"], "--to"),
        (["--ledger", "x"], "--out"),
        (["--orders-per-day", "-1"], "orders-per-day"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_says_what_is_right(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(simulate_command, arguments)
    assert result.exit_code == 2
    assert says in result.output
