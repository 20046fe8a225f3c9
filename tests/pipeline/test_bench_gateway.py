"""The measurement of the gateway: honest requests, honest times, runs from end to end. Nothing here judges a speed."""

import asyncio
import io
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.bench.gateway.load import Answered, Load, answered_from_json, requests_of, to_json
from pipeline.bench.gateway.measure import BARE, GATEWAY, SERVERS, Peak, Run, Shape
from pipeline.bench.gateway.quantiles import Quantiles
from pipeline.bench.gateway.report import as_json, as_tables, ratios
from schemas.decode import Decoder
from schemas.event import Event
from schemas.seal import Order

ROOT = Path(__file__).resolve().parents[2]
LOAD = Load(0, "key", 50, 2, None, 0.0, 1.0, 1, {})
SHAPE = Shape(50, 2)


def run(server: str, number: int, seconds: float, cpu: float, shape: Shape = SHAPE) -> Run:
    times = Quantiles(1.5, 12.25, 20.0)
    cpus = {"server": cpu, "kafka": 0.1, "client": 0.01}
    return Run(server, shape, number, Answered(seconds, 20, 1000, times, cpus, 0.25, 1200, ""))


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 50, 500])
def test_every_request_says_its_length_and_holds_events_that_are_accepted(batch: int) -> None:
    decoder = Decoder(Order.stream)
    identities = set()
    for request in requests_of(LOAD._replace(batch=batch)):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"\r\nContent-Length: {len(body)}".encode() in head
        assert b"\r\nAuthorization: Bearer key\r\n" in head
        parsed = json.loads(body)
        texts = [json.dumps(one).encode() for one in parsed] if batch > 1 else [body]
        assert len(texts) == batch
        for text in texts:
            event = decoder.decode(text, datetime.now(UTC))
            assert isinstance(event, Event)
            identities.add((event.source, event.id))
    assert len(identities) == 50_000


# -- times -----------------------------------------------------------------------------------------------------------


class Stand:
    """A server that answers each request at once, but for one time in which it stands still, or always no."""

    def __init__(self, status: bytes = b"202 Accepted", pause: float = 0.0) -> None:
        self._status = status
        self._pause = pause
        self._open = asyncio.Event()
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
                self.requests += 1
                if self.requests == 1:
                    asyncio.get_running_loop().call_later(self._pause, self._open.set)
                await self._open.wait()
                writer.write(b"HTTP/1.1 " + self._status + b"\r\ncontent-length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def standing(stand: Stand) -> AsyncIterator[int]:
    async with await asyncio.start_server(stand.serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def pushed(stand: Stand, load: Load) -> Answered:
    async with standing(stand) as port:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pipeline.bench.gateway.load", stdin=PIPE, stdout=PIPE, cwd=ROOT
        )
        said, _ = await client.communicate(to_json(load._replace(port=port)))
    return answered_from_json(said)


def test_a_server_that_stands_still_is_measured_by_every_request_that_was_due_meanwhile() -> None:
    answered = asyncio.run(pushed(Stand(pause=1.5), LOAD._replace(batch=1, rate=200.0, seconds=2.0)))
    assert answered.requests > LOAD.connections  # no more than these were on their way
    assert answered.milliseconds.median > 100
    assert answered.milliseconds.greatest >= 1490


def test_all_that_was_accepted_is_counted_and_nothing_else() -> None:
    stand = Stand()
    answered = asyncio.run(pushed(stand, LOAD._replace(warm=0.1, seconds=0.5)))
    assert answered.accepted == stand.requests * LOAD.batch
    assert 0 < answered.events < answered.accepted
    assert answered.refused == ""


def test_the_first_answer_that_is_not_202_ends_the_measurement_and_is_kept() -> None:
    answered = asyncio.run(pushed(Stand(b"503 Service Unavailable"), LOAD._replace(seconds=60.0)))
    assert answered.refused.startswith("HTTP/1.1 503 ")
    assert answered.seconds < 30


# -- arithmetic ------------------------------------------------------------------------------------------------------


def test_ratios_are_taken_within_a_round() -> None:
    # the second round was ten times as noisy for both, which must not show
    runs = [run(GATEWAY, 1, 2, 3), run(BARE, 1, 1, 2), run(BARE, 2, 10, 20), run(GATEWAY, 2, 20, 30)]
    (ratio,) = ratios(runs)
    assert ratio.shape == SHAPE
    assert ratio.rate == pytest.approx((0.5, 0.5, 0.5))
    assert ratio.cpu == pytest.approx((1.5, 1.5, 1.5))


def test_a_shape_that_only_one_did_has_no_ratio() -> None:
    assert ratios([run(GATEWAY, 1, 1, 1), run(BARE, 1, 1, 1, Shape(1, 2))]) == []


def test_the_table_and_the_json_say_the_same() -> None:
    runs = [run(GATEWAY, 1, 0.5, 0.01), run(BARE, 1, 0.25, 0.005)]
    peaks = [Peak(GATEWAY, 1, 123_000_000), Peak(BARE, 1, 99_000_000)]
    said = as_json(runs, peaks, {"bytes_per_event": 420.6})
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(as_tables(runs, peaks, {"bytes_per_event": 420.6}))
    text = console.export_text()
    for row in said["rounds"]:
        assert row["server"] in text
        assert f"{row['events_per_second']:,.0f}" in text
        assert f"{row['milliseconds']['p99']:.1f}" in text
    (ratio,) = said["ratios"]
    assert (ratio["rate"]["median"], ratio["cpu"]["median"]) == (0.5, 2.0)
    assert "0.50 (0.50-0.50)" in text
    assert "gateway 123 MB, bare 99 MB" in text
    assert "up to 25%" in text


def test_no_answer_has_no_time() -> None:
    assert Quantiles.of([]) == (0.0, 0.0, 0.0)
    assert Quantiles.of([3.0, 1.0, 2.0]) == (2.0, 3.0, 3.0)


# -- a run -----------------------------------------------------------------------------------------------------------


def test_a_run_measures_both_servers_in_every_shape() -> None:
    command = [sys.executable, "-m", "pipeline", "bench", "gateway", "--rounds", "1", "--rate", "50", "--json"]
    done = subprocess.run(
        [*command, "--seconds", "0.5", "--warm", "0.2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    told = [(one["server"], one["shape"]["batch"], one["shape"]["rate"]) for one in said["rounds"]]
    assert told == [(server, *shape) for shape in ((500, None), (50, None), (1, None), (1, 50.0)) for server in SERVERS]
    for one in said["rounds"]:
        assert one["events_per_second"] > 0
        assert 0 < one["milliseconds"]["median"] <= one["milliseconds"]["p99"] <= one["milliseconds"]["greatest"]
        assert one["cpu_us_per_event"].keys() == {"server", "kafka", "client"}
        assert 0 <= one["cpu_share_of_others"] <= 1
    assert [one["shape"]["batch"] for one in said["ratios"]] == [500, 50, 1, 1]
    assert [one["server"] for one in said["peaks"]] == list(SERVERS)
    assert all(one["bytes"] > 10_000_000 for one in said["peaks"])
