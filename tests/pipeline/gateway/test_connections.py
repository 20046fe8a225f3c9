"""What is answered to requests that are no HTTP, are too many, or have two ends; and how many files may be open."""

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from pipeline.gateway import Limits
from tests.pipeline.embedded_clickhouse import ROOT, Server
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import KEY, Broker, Gateway
from tests.pipeline.gateway.test_refusals import problem
from tests.system.parts import wait_for

JSON = {"Content-Type": "application/json"}
HEAD = (
    f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n".encode()
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    """A gateway that answers two requests at once."""
    running = Gateway(tmp_path_factory.mktemp("small"), broker.servers, clickhouse.port, Limits(requests=2))
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


def sent(gateway: Gateway, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    connection.sendall(data)
    return connection


def answered(gateway: Gateway, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer, after which the connection ends."""
    with closing(sent(gateway, data)) as connection:
        got = b""
        while piece := connection.recv(65536):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in fields)}
    assert len(body) == int(headers["content-length"]), "one answer, and no more"
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 99,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET " + b"/" * 200_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\nZZZ\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 2000,
    ],
)
def test_what_is_no_http_gets_a_problem_and_leaves_no_trace_in_the_log(gateway: Gateway, data: bytes) -> None:
    before = gateway.log.read_text()
    status, headers, body = answered(gateway, data)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert "Send HTTP/1.1" in json.loads(body)["detail"]
    assert gateway.log.read_text() == before


def test_a_request_with_two_ends_is_refused_and_what_follows_is_not_read(gateway: Gateway) -> None:
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for lengths in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ):
        status, _, body = answered(gateway, HEAD + lengths + b"\r\n" + smuggled)
        assert status == 400
        assert "send one of them" in json.loads(body)["detail"]


def test_more_requests_than_are_answered_at_once_get_503_with_a_time(small: Gateway) -> None:
    unfinished = HEAD + b"Content-Length: 99\r\n\r\n["
    with closing(sent(small, unfinished)), closing(sent(small, unfinished)), small.client() as client:
        wait_for(lambda: client.get("/healthz").status_code == 503, 10, "two are there")
        answer = client.post("/v1/events", content=text(1), headers=JSON)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "has 2 requests to answer" in problem(answer)
    with small.client() as client:
        wait_for(lambda: client.post("/v1/events", content=text(1), headers=JSON).status_code == 202, 10, "they left")


def test_the_host_that_a_request_names_leads_nobody_there(http: httpx.Client) -> None:
    answer = http.get("/v1/rates/", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert "elsewhere" not in answer.text + str(answer.headers)


_ALLOWING = """
import logging, resource, sys
from pipeline.gateway import Limits
from pipeline.gateway.server import allow_files
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))
print(allow_files(Limits(connections=2000)).connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_gateway_may_open_as_many_files_as_it_has_connections() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096, "raise ulimit -Hn to run this test"
    for hard, connections, files in (("4096", 2000, 2500), ("1024", 524, 1024)):
        done = subprocess.run(
            [sys.executable, "-c", _ALLOWING, hard], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [str(connections), str(files)]
        assert ("raise `ulimit -Hn` to 2500" in done.stderr) == (connections < 2000)
