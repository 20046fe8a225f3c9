"""Requests as the OpenAPI page describes them, and just beside it: the gateway answers as the page says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.pipeline.embedded_clickhouse import ROOT
from tests.pipeline.gateway.stack import BEARER, Gateway

EXAMPLES = "15"
CONFIGURATION = """
[parameters]
"path.name" = "huawei-vias"

[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 413, 415, 422, 429]
positive_data_acceptance.enabled = false  # a schema cannot say that a time is not in the future, or that an id is one
"""


def test_the_gateway_answers_as_its_page_says(door: Gateway, tmp_path: Path) -> None:
    """No 5xx, no status, type, header or body that the page does not know; nothing accepted that it forbids, nothing
    without a key where it asks for one."""
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    authorization = f"Authorization: {BEARER['Authorization']}"
    settings = ["--max-examples", EXAMPLES, "--header", authorization, "--no-color", "--generation-database", "none"]
    fixed = ["--seed", "1"] if os.environ.get("CI") == "true" else []
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run", *settings, *fixed, *os.environ["XX"].split()]
        + [f"{door.url}/openapi.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.hostile.described"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert "Tested: 9" in done.stdout, done.stdout
