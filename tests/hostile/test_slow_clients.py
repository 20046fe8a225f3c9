"""Clients that are slow, silent or many: they are given up, others are served meanwhile, and memory stays bounded."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
import trustme

from pipeline.gateway import Limits
from tests.hostile.memory import MEMORY_MAX, MIB, Memory
from tests.hostile.slow import Slow
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import KEY, Broker, Gateway
from tests.system.parts import wait_for

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
QUICK = Limits(head_seconds=1, body_seconds=2, answer_seconds=3, connections=300, held_bytes=8 * MIB)
HEAD = (
    f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n".encode()
)
PATIENCE = 30.0


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    """A gateway with little patience and little room."""
    running = Gateway(tmp_path_factory.mktemp("quick"), broker.servers, clickhouse.port, QUICK)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture
def client(quick: Gateway) -> Iterator[httpx.Client]:
    with quick.client() as http:
        yield http


def served(client: httpx.Client) -> None:
    """Somebody else's event is taken."""
    assert client.post("/v1/events", content=text(1), headers=JSON).status_code == 202


def given_up(slow: Sequence[Slow], piece: bytes, client: httpx.Client) -> None:
    """Drips on until the gateway has given all of them up, while others are served."""
    deadline = time.monotonic() + PATIENCE
    while sum(one.drip(piece) for one in slow):
        served(client)
        assert time.monotonic() < deadline, "they are borne for ever"
    for one in slow:
        one.close()


def test_heads_that_drip_are_given_up(quick: Gateway, client: httpx.Client) -> None:
    slow = [Slow(quick.port, HEAD + b"X: ") for _ in range(50)]
    given_up(slow, b"x", client)
    assert all(one.got.startswith(b"HTTP/1.1 408 ") for one in slow)
    assert b'"detail":"the request\'s head did not arrive in 1 s: send it again"' in slow[0].got


def test_a_second_request_has_no_more_time_than_the_first(quick: Gateway, client: httpx.Client) -> None:
    slow = [Slow(quick.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(20)]
    given_up(slow, b"G", client)
    assert all(one.got.startswith(b"HTTP/1.1 200 ") for one in slow)


def test_bodies_that_drip_are_given_up(quick: Gateway, client: httpx.Client) -> None:
    slow = [Slow(quick.port, HEAD + b"Content-Length: 9999999\r\n\r\n[") for _ in range(50)]
    given_up(slow, b" ", client)
    assert all(one.got.startswith(b"HTTP/1.1 408 ") for one in slow)


def test_bodies_that_go_on_after_the_answer_are_given_up(quick: Gateway, client: httpx.Client) -> None:
    refused = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
    slow = [Slow(quick.port, refused) for _ in range(50)]
    given_up(slow, b" ", client)
    assert all(one.got.startswith(b"HTTP/1.1 401 ") for one in slow)


def test_those_who_only_connect_keep_nobody_out(quick: Gateway, client: httpx.Client) -> None:
    memory = Memory(quick.process.pid)
    with memory.watched():
        idle = [Slow(quick.port) for _ in range(1000)]
        for _ in range(20):
            with quick.client() as another:
                served(another)
        given_up(idle, b"", client)
    assert memory.peak < MEMORY_MAX


def test_answers_that_nobody_reads_are_given_up(quick: Gateway, client: httpx.Client) -> None:
    """Together they would be more than the gateway may hold."""
    process = psutil.Process(quick.process.pid)
    memory = Memory(quick.process.pid)
    size = len(client.get("/v1/rates").content)
    before = process.num_fds()
    with memory.watched():
        slow = [Slow(quick.port, b"GET /v1/rates HTTP/1.1\r\nHost: x\r\n\r\n" * 30, buffer=4096) for _ in range(100)]
        served(client)
        wait_for(lambda: process.num_fds() <= before + 1, PATIENCE, "all are given up")
        served(client)
    for one in slow:
        one.look()
        assert len(one.got) < 30 * size
        one.close()
    assert memory.peak < MEMORY_MAX


def test_many_requests_of_many_items_are_more_than_it_holds_and_get_503(quick: Gateway, client: httpx.Client) -> None:
    """What an item becomes is held, too: 20 kB of text are 10 000 records."""
    memory = Memory(quick.process.pid)

    def push(_: int) -> httpx.Response:
        with quick.client() as another:
            return another.post("/v1/events", content=b"1\n" * 9_999, headers=LINES)

    with memory.watched(), ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(push, range(80)))
    assert {one.status_code for one in answers} == {422, 503} or {one.status_code for one in answers} == {503}
    assert all("retry-after" in one.headers for one in answers if one.status_code == 503)
    assert memory.peak < MEMORY_MAX
    wait_for(lambda: client.post("/v1/events", content=text(1), headers=JSON).status_code == 202, 10, "it goes on")


def test_a_handshake_that_does_not_come_to_its_end_is_given_up(
    tmp_path: Path, broker: Broker, clickhouse: Server
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.private_key_pem.write_to_path(str(key))
    for one in certificate.cert_chain_pems:
        one.write_to_path(str(chain), append=True)
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port, QUICK, tls_certificate=str(chain), tls_key=str(key))
    authority.configure_trust(gateway.trusted)
    try:
        gateway.wait_for("/readyz", 200)
        slow = [Slow(gateway.port, b"\x16\x03\x01") for _ in range(20)]
        with gateway.client() as client:
            given_up(slow, b"", client)
        dripping = _tls(gateway)
        with closing(dripping):
            wait_for(lambda: not sent(dripping, b"G"), PATIENCE, "a head that drips is given up")
    finally:
        gateway.kill()


def sent(connection: ssl.SSLSocket, data: bytes) -> bool:
    """Whether the other side still takes something."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def _tls(gateway: Gateway) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
    return gateway.trusted.wrap_socket(plain, server_hostname="127.0.0.1")
