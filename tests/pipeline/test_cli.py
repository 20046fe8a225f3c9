"""The command line answers at once: who asks what there is, or for something small, does not wait for libraries."""

import subprocess
import sys
from typing import Final

import pytest

_CLIENTS: Final = ("aiohttp", "aiokafka", "clickhouse_connect", "faust", "kafka", "starlette")
_ASKED: Final = "import sys, {module}; print(*sorted(set({clients!r}) & sys.modules.keys()))"


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("pipeline.cli", ()),
        ("pipeline.commands.show", ()),
        ("pipeline.commands.keys", ("aiokafka", "kafka")),
        ("pipeline.commands.why", ("aiohttp", "clickhouse_connect")),
    ],
)
def test_a_command_loads_only_the_clients_that_it_needs(module: str, needed: tuple[str, ...]) -> None:
    program = _ASKED.format(module=module, clients=_CLIENTS)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert tuple(done.stdout.split()) == needed
