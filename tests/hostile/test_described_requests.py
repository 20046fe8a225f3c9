"""Requests as the OpenAPI page describes them, and just beside it: the gateway answers as the page says."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.hostile.amount import INPUTS
from tests.pipeline.embedded_clickhouse import ROOT
from tests.pipeline.gateway.stack import BEARER, Gateway

OPERATIONS: Final = 11
BY_NIGHT: Final = INPUTS >= 100_000
ROUNDS: Final = (
    [["--max-examples", "1000"]]
    if BY_NIGHT
    else [
        ["--phases", "examples,fuzzing", "--max-examples", "50"],
        ["--phases", "coverage", "--exclude-path", "/v1/events"],  # of which it makes 7000: by night
    ]
)
CONFIGURATION: Final = """
[parameters]
"path.name" = "huawei-vias"

[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 413, 415, 422, 429]
positive_data_acceptance.enabled = false  # a schema cannot say that a time is not in the future, or that an id is one
"""


@pytest.mark.parametrize("options", ROUNDS)
def test_the_gateway_answers_as_its_page_says(door: Gateway, tmp_path: Path, options: list[str]) -> None:
    """No 5xx, no status, type, header or body that the page does not know; nothing accepted that it forbids, nothing
    without a key where it asks for one."""
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    command += ["--header", f"Authorization: {BEARER['Authorization']}", "--no-color", "--generation-database", "none"]
    command += ["--seed", "1"] if os.environ.get("CI") == "true" and not BY_NIGHT else []
    done = subprocess.run(
        [*command, *options, f"{door.url}/openapi.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.hostile.described"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    left_out = options.count("--exclude-path")
    assert f"Tested: {OPERATIONS - left_out}" in done.stdout, done.stdout
