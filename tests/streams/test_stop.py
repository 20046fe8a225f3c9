"""A worker that is asked to stop ends, also where the client library hangs: nothing that is not stored is committed."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from streams.app import EXIT_FAILED

_PROGRAM: Final = """
import asyncio
import logging
from streams import app
from streams.kafka_address import KafkaAddress
from streams.options import Options
from sinks.clickhouse.address import Address

async def main():
    nobody = Address("127.0.0.1", 1, "writer", "x")
    worker = app.create_app(Options(KafkaAddress("127.0.0.1:1"), nobody, b"key", home={home!r}))
    if {hangs}:
        worker.on_stop = asyncio.Event().wait
    app.STOP_SECONDS = 0.5
    await worker.stop()
    await asyncio.sleep(1)

logging.basicConfig()
asyncio.run(main())
"""


@pytest.mark.parametrize(("hangs", "status"), [(True, EXIT_FAILED), (False, 0)])
def test_who_does_not_stop_in_time_is_ended_and_who_does_is_not(tmp_path: Path, hangs: bool, status: int) -> None:
    program = _PROGRAM.format(home=str(tmp_path), hangs=hangs)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert ("nothing is lost by it" in done.stderr) is hangs
