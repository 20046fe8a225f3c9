"""What other drivers say to a ClickHouse before and beside their queries: Go's (Grafana) and Java's (DBeaver)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from pipeline.embedded.clickhouse_hello import hello
from tests.pipeline.embedded_clickhouse import Answer, Server

QUESTION = "SELECT displayName(), version(), revision(), timezone()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    yield running
    running.kill()


def from_go(server: Server, sql: str, user: str = "analyst") -> Answer:
    """A request as the Go driver makes it."""
    return server.request(
        sql, headers={"X-ClickHouse-User": user}, client_protocol_version="54460", default_format="Native"
    )


class Block:
    """Reads a block as the Go driver does before it knows the server: in the form of revision 54460."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        assert self.take(8) == b"\x01\x00\x02\xff\xff\xff\xff\x00"
        columns, rows = self.take(2)
        assert rows == 1
        self.values = dict(self._column() for _ in range(columns))
        assert not self._data

    def take(self, length: int) -> bytes:
        taken, self._data = self._data[:length], self._data[length:]
        assert len(taken) == length
        return taken

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode()

    def _column(self) -> tuple[str, str | int]:
        name, kind = self.text(), self.text()
        assert self.take(1) == b"\x00"
        return name, self.text() if kind == "String" else int(struct.unpack("<I", self.take(4))[0])


def test_a_driver_that_introduces_itself_is_told_revision_0_in_a_block_of_its_own_protocol(server: Server) -> None:
    answer = from_go(server, QUESTION)
    assert answer.status == 200
    values = Block(answer.body).values
    version, timezone = server.request("SELECT version(), timezone() FORMAT TSV").text.split()
    assert values == {"displayName()": "yangguang", "version()": version, "revision()": 0, "timezone()": timezone}


def test_every_other_query_gets_the_engines_own_blocks(server: Server) -> None:
    assert from_go(server, "SELECT 7 AS x").body == b"\x01\x01\x01x\x05UInt8\x07"
    assert server.request(QUESTION).text.split("\t")[1:] != []


@pytest.mark.parametrize(
    ("sql", "protocol", "fmt"),
    [(QUESTION, "", "Native"), (QUESTION, "54405", "Native"), (QUESTION, "x", "Native"), (QUESTION, "54460", "TSV"),
     ("SELECT 1", "54460", "Native")],
)  # fmt: skip
def test_who_asks_otherwise_is_answered_by_the_engine(sql: str, protocol: str, fmt: str) -> None:
    assert hello(sql, protocol, fmt, "26.9", "UTC") is None


def test_the_introduction_needs_a_user_too(server: Server) -> None:
    assert from_go(server, QUESTION, "nobody").status in (401, 403, 516)


def test_the_settings_that_java_sends_with_every_query_are_allowed(server: Server) -> None:
    answer = server.request("SELECT 1 FORMAT TSV", async_insert="0", wait_end_of_query="0", max_result_rows="100")
    assert answer.text == "1\n"
