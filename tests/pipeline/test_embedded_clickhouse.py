"""The embedded ClickHouse speaks ClickHouse's HTTP interface, keeps what it acknowledged, starts and stops cleanly."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import itertools
import json
import signal
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import clickhouse_connect
import lz4.frame
import pytest
import zstandard
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, StreamFailureError

from tests.pipeline.embedded_clickhouse import ROOT, WRITER, WRITER_PASSWORD, Server, command, environment

COLUMNS = ["a", "s", "d", "n", "arr", "l"]
CREATE = (
    "CREATE TABLE {} (a Int32, s String, d DateTime64(6, 'Asia/Shanghai'), n Nullable(Float64), arr Array(String),"
    " l LowCardinality(String)) ENGINE = ReplacingMergeTree ORDER BY a"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    yield running
    running.kill()


@pytest.fixture
def table(server: Server) -> Iterator[str]:
    name = f"yangguang.t{time.monotonic_ns()}"
    assert server.write(CREATE.format(name)).status == 200
    yield name
    server.write(f"DROP TABLE IF EXISTS {name}")


def rows(count: int) -> list[list[object]]:
    first = datetime(2026, 11, 23, 12, 0, 31, 250_000, tzinfo=UTC)
    return [
        [i, f"诸暨{i}\t'", first + timedelta(microseconds=i), None if i % 3 else i / 7, ["a", "b\\"], "x"]
        for i in range(count)
    ]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Await a condition of another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


# -- queries ---------------------------------------------------------------------------------------------------------


def test_ping_answers_ok(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"Ok.\n")


def test_a_query_is_taken_from_the_parameter_or_the_body_or_both(server: Server) -> None:
    assert server.request(method="GET", query="SELECT 1").body == b"1\n"
    assert server.request("SELECT 1").body == b"1\n"
    assert server.request("1 + 1", query="SELECT").body == b"2\n"


def test_the_format_comes_from_the_query_then_the_parameter(server: Server) -> None:
    assert server.request("SELECT 1 AS a", default_format="JSONEachRow").body == b'{"a":1}\n'
    answer = server.request("SELECT 1 AS a FORMAT JSONEachRow -- FORMAT CSV", default_format="CSV")
    assert (answer.body, answer.headers["X-ClickHouse-Format"]) == (b'{"a":1}\n', "JSONEachRow")
    assert server.request("SELECT 1 -- FORMAT JSON").headers["X-ClickHouse-Format"] == "TabSeparated"


def test_a_result_of_many_blocks_is_one_document(server: Server) -> None:
    sql = "SELECT number AS a, toString(number) AS `b\nc` FROM numbers(300000)"
    assert len(json.loads(server.request(f"{sql} FORMAT JSON").body)["data"]) == 300_000
    lines = server.request(f"{sql} FORMAT CSVWithNames").text.splitlines()
    assert lines[:3] == ['"a","b', 'c"', '0,"0"']
    assert len(lines) == 300_002
    assert server.request(f"{sql} FORMAT TSVWithNamesAndTypes").text.count("UInt64") == 1


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_clickhouse_connect_gets_back_what_it_inserted(server: Server, table: str, compress: bool | str) -> None:
    client = server.client(compress=compress)
    sent = rows(50_000)
    summary = client.insert(table, sent, column_names=COLUMNS)
    assert summary.written_rows == len(sent)
    assert [list(row) for row in client.query(f"SELECT * FROM {table} ORDER BY a").result_rows] == sent
    client.close()


def test_the_async_client_works_with_many_queries_at_once(server: Server, table: str) -> None:
    async def talk() -> None:
        client = await clickhouse_connect.get_async_client(
            host="127.0.0.1", port=server.port, username="writer", password=WRITER_PASSWORD, compress="lz4"
        )
        summary = await client.insert(table, rows(1000), column_names=COLUMNS)
        assert summary.written_rows == 1000
        results = await asyncio.gather(*[client.query(f"SELECT {i}, count() FROM {table}") for i in range(40)])
        assert [result.result_rows for result in results] == [[(i, 1000)] for i in range(40)]
        await client.close()

    asyncio.run(talk())


def test_parameters_are_bound_by_the_engine(server: Server) -> None:
    client = server.client()
    nasty = "a'b\\c\td\n中"
    result = client.query(
        "SELECT {s:String}, {l:Array(String)}, {d:DateTime64(3)}, {n:Nullable(Int32)}",
        parameters={"s": nasty, "l": [nasty, ""], "d": datetime(2026, 1, 1), "n": None},  # noqa: DTZ001  # the client's way
    )
    assert result.result_rows[0][:2] == (nasty, [nasty, ""])
    long = "x" * 20_000  # so long that the client sends a form
    assert client.query("SELECT length({s:String})", parameters={"s": long}).result_rows == [(20_000,)]
    client.close()


def test_settings_hold_for_one_request_only(server: Server) -> None:
    sql = "SELECT getSetting('max_block_size')"
    assert server.write(sql, max_block_size="77").body == b"77\n"
    assert server.write(sql).body != b"77\n"
    assert server.write("SELECT {x:Int32}", param_x="5").body == b"5\n"
    assert server.write("SELECT {x:Int32}").headers["X-ClickHouse-Exception-Code"] == "456"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "deflate"])
def test_results_are_compressed_when_asked_for(server: Server, encoding: str) -> None:
    for sql, count in (("SELECT 1", 1), ("SELECT * FROM numbers(1000000)", 1_000_000)):
        answer = server.request(sql, headers={"Accept-Encoding": encoding}, enable_http_compression="1")
        assert answer.headers["Content-Encoding"] == encoding
        unpack: dict[str, Callable[[bytes], bytes]] = {
            "gzip": gzip.decompress,
            "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
            "lz4": lz4.frame.decompress,
            "deflate": zlib.decompress,
        }
        assert unpack[encoding](answer.body).count(b"\n") == count


def test_a_streamed_result_needs_little_memory(server: Server) -> None:
    server.request("SELECT number FROM numbers(1000000) FORMAT RowBinary")
    before = server.memory()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/", "SELECT number, number FROM numbers(40000000) FORMAT RowBinary")
    answer = connection.getresponse()
    size = peak = 0
    while data := answer.read(1 << 20):
        size += len(data)
        peak = max(peak, server.memory())
    assert size == 640_000_000
    assert peak - before < 150_000_000
    connection.close()


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nope", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM yangguang.nope", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nope(1)", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Nope", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("INSERT INTO yangguang.nope FORMAT TSV\n1", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
    ],
)
def test_errors_look_like_clickhouse_errors(server: Server, sql: str, status: int, code: int, name: str) -> None:
    answer = server.write(sql)
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in answer.text


def test_an_error_in_the_middle_of_a_result_never_looks_like_its_end(server: Server) -> None:
    sql = "SELECT throwIf(number = 5000000), number FROM numbers(6000000)"
    for compress in (False, "lz4"):
        client = server.client(compress=compress)
        with (
            pytest.raises((StreamFailureError, ClickHouseError)),
            client.query_row_block_stream(sql, settings={"wait_end_of_query": 0}) as blocks,
        ):
            assert sum(len(block) for block in blocks) < 5_000_001
        client.close()
    with pytest.raises(http.client.IncompleteRead) as failure:
        server.write(sql)
    assert b"FUNCTION_THROW_IF_VALUE_IS_NON_ZERO" in failure.value.partial[-1000:]


def test_the_query_of_a_client_that_left_is_stopped(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/", "SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number)%' AND query NOT LIKE '%processes%'"
    )
    until(lambda: server.write(running).body == b"1\n")
    connection.close()
    until(lambda: server.write(running).body == b"0\n")


# -- inserts ---------------------------------------------------------------------------------------------------------


def count(server: Server, table: str) -> int:
    return int(server.write(f"SELECT count() FROM {table}").text)


@pytest.mark.parametrize(
    ("fmt", "data", "rows_sent"),
    [
        ("JSONEachRow", b'{"a":1,"s":"x"}\n{"a":2,"s":"y"}\n', 2),
        ("TabSeparated", b"1\tx\n2\ty\n", 2),
        ("CSV", b'1,"x"\n', 1),
        ("Values", b"(1,'x'), (2,'y'), (3,'z')", 3),
    ],
)
def test_data_comes_behind_the_statement_or_behind_the_parameter(
    server: Server, table: str, fmt: str, data: bytes, rows_sent: int
) -> None:
    statement = f"INSERT INTO {table} (a, s) FORMAT {fmt}"
    for answer in (
        server.write(data, query=statement),
        server.write(statement.encode() + b"\n" + data),
        server.request(gzip.compress(data), headers={**WRITER, "Content-Encoding": "gzip"}, query=statement),
    ):
        assert answer.status == 200
        assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == str(rows_sent)
    assert count(server, table) == 3 * rows_sent


def test_values_need_no_format_and_a_select_no_data(server: Server, table: str) -> None:
    assert server.write(f"INSERT INTO {table} (a) VALUES (1), (2)").status == 200
    answer = server.write(f"INSERT INTO {table} (a, s) SELECT a + 2, s FROM {table}")
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert count(server, table) == 4


def test_all_lz4_frames_of_a_body_are_taken(server: Server, table: str) -> None:
    body = b"".join(lz4.frame.compress(b"".join(b"%d\tx\n" % (i * 1000 + j) for j in range(1000))) for i in range(5))
    answer = server.request(
        body, headers={**WRITER, "Content-Encoding": "lz4"}, query=f"INSERT INTO {table} (a,s) FORMAT TSV"
    )
    assert answer.status == 200
    assert count(server, table) == 5000


def test_a_body_that_ends_inside_a_frame_inserts_nothing(server: Server, table: str) -> None:
    whole = lz4.frame.compress(b"1\tx\n" * 100_000)
    for body, encoding in ((whole[:-20], "lz4"), (gzip.compress(b"1\tx\n" * 1000)[:-6], "gzip"), (b"rubbish", "zstd")):
        answer = server.request(
            body, headers={**WRITER, "Content-Encoding": encoding}, query=f"INSERT INTO {table} (a,s) FORMAT TSV"
        )
        assert answer.status == 400
    assert count(server, table) == 0


def test_an_insert_whose_client_left_in_the_middle_inserts_nothing(server: Server, table: str) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in WRITER.items())
    request = f"POST /?query=INSERT+INTO+{table}+(a,s)+FORMAT+TSV HTTP/1.1\r\nHost: localhost\r\n{head}"
    for framing, part in (("Content-Length: 1000", b"1\tx\n"), ("Transfer-Encoding: chunked", b"4\r\n1\tx\n\r\n")):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(f"{request}{framing}\r\n\r\n".encode() + part)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert count(server, table) == 0


def test_a_bad_row_refuses_the_whole_block(server: Server, table: str) -> None:
    answer = server.write(b'{"a":1}\n{"a":"nope"}\n', query=f"INSERT INTO {table} FORMAT JSONEachRow")
    assert answer.status == 400
    assert count(server, table) == 0


def test_a_refused_insert_tells_why_even_when_the_client_is_still_sending(server: Server) -> None:
    for compress in (False, "lz4"):
        client = server.client(compress=compress)
        types = [get_from_name("UInt64")]
        with pytest.raises(DatabaseError) as failure:
            client.insert(
                "nope", [list(range(2_000_000))], ["a"], "yangguang", column_types=types, column_oriented=True
            )
        assert failure.value.code == 60
        client.close()


def test_a_connection_serves_on_after_an_error(server: Server, table: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for body, status in ((b"x" * 3_000_000, 400), (b"1\tx\n", 200)):
        connection.request("POST", f"/?query=INSERT+INTO+{table}+(a,s)+FORMAT+TSV", body, WRITER)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        assert connection.sock is not None  # kept, not reopened
    connection.close()


def test_http_1_0_clients_get_the_whole_result(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /?query=SELECT+*+FROM+numbers(1000000) HTTP/1.0\r\n\r\n")
        received = b""
        while data := connection.recv(1 << 20):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.count(b"\n") == 1_000_000


def test_one_native_block_becomes_one_part(server: Server, table: str) -> None:
    client = server.client(compress="lz4")
    client.command(f"SYSTEM STOP MERGES {table}")
    client.insert(table, rows(10_000), column_names=COLUMNS)
    name = table.partition(".")[2]
    assert server.write(f"SELECT count() FROM system.parts WHERE table = '{name}' AND active").body == b"1\n"
    client.close()


def test_an_insert_is_not_delayed_by_an_analysts_long_query(server: Server, table: str) -> None:
    client = server.client(compress="lz4")
    block = rows(10_000)
    client.insert(table, block, column_names=COLUMNS)
    slow = http.client.HTTPConnection("127.0.0.1", server.port)
    slow.request("POST", "/", "SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
    until(lambda: b"sipHash64(number)" in server.write("SELECT query FROM system.processes").body)
    begin = time.monotonic()
    client.insert(table, block, column_names=COLUMNS)
    assert time.monotonic() - begin < 2
    slow.close()
    client.close()


def kill_when(server: Server, enough: threading.Event) -> None:
    enough.wait(30)
    server.process.kill()


def insert_until_dead(client: Client, acknowledged: set[int], first: int, size: int, enough: threading.Event) -> None:
    for block in itertools.count(first):
        if block == first + 40:
            enough.set()
        columns = [[block] * size, list(range(size))]
        client.insert("yangguang.blocks", columns, column_names=["k", "i"], column_oriented=True)
        acknowledged.add(block)


def test_an_acknowledged_insert_survives_kill_9_and_none_is_there_in_part(tmp_path: Path) -> None:
    data, size = tmp_path / "data", 2000
    acknowledged: set[int] = set()
    block = 0
    for _ in range(4):
        server = Server(data)
        client = server.client(compress="lz4")
        client.command(
            "CREATE TABLE IF NOT EXISTS yangguang.blocks (k UInt32, i UInt32) ENGINE = MergeTree ORDER BY (k, i)"
        )
        enough = threading.Event()
        killer = threading.Thread(target=kill_when, args=(server, enough))
        killer.start()
        with pytest.raises(ClickHouseError):
            insert_until_dead(client, acknowledged, first=(block := block + 1000), size=size, enough=enough)
        killer.join()
        client.close()
        server.process.wait(20)
    server = Server(data)
    found = server.write("SELECT k, count(), uniqExact(i) FROM yangguang.blocks GROUP BY k").text.splitlines()
    sizes = {int(line.split("\t")[0]): line.split("\t")[1:] for line in found}
    assert set(sizes) >= acknowledged
    assert len(acknowledged) > 100
    assert all(values == [str(size), str(size)] for values in sizes.values())
    server.kill()


# -- what the writer's statements need ---------------------------------------------------------------------------------


def test_the_engine_features_of_the_pipeline_work(server: Server) -> None:
    client = server.client()
    for statement in (
        "CREATE DATABASE features",
        "CREATE TABLE features.raw (k UInt32, v UInt32, at DateTime64(6, 'UTC')) ENGINE = ReplacingMergeTree(v)"
        " PARTITION BY toYYYYMM(at) ORDER BY k TTL toDateTime(at) + INTERVAL 10 YEAR",
        "CREATE TABLE features.sums (k UInt32, v UInt64) ENGINE = SummingMergeTree ORDER BY k",
        "CREATE MATERIALIZED VIEW features.to_sums TO features.sums AS SELECT k, v FROM features.raw",
        "CREATE VIEW features.since AS SELECT k FROM features.raw FINAL WHERE at >= {start:DateTime64} ORDER BY k",
        "INSERT INTO features.raw SELECT number % 3, number, '2026-01-01 00:00:00' FROM numbers(9)",
        "INSERT INTO features.raw VALUES (7, 1, '2026-02-01 00:00:00')",
        "ALTER TABLE features.raw ADD COLUMN c String COMMENT 'note'",
        "ALTER TABLE features.raw DELETE WHERE k = 2 SETTINGS mutations_sync = 2",
        "OPTIMIZE TABLE features.raw FINAL",
    ):
        client.command(statement)
    assert client.query("SELECT k, v FROM features.raw FINAL ORDER BY k").result_rows == [(0, 6), (1, 7), (7, 1)]
    assert client.query("SELECT sum(v) FROM features.sums").result_rows == [(37,)]
    assert client.query("SELECT k FROM features.since(start = '2026-01-15 00:00:00')").result_rows == [(7,)]
    client.command("ALTER TABLE features.raw DROP PARTITION 202602")
    assert client.query("SELECT count() FROM features.raw FINAL").result_rows == [(2,)]
    client.command("DROP DATABASE features")
    client.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SET max_threads = 1",
        "USE system",
        "CREATE TEMPORARY TABLE t (a Int32)",
        "BEGIN TRANSACTION",
        "SET ROLE analyst",
        "INSERT INTO yangguang.x SELECT a FROM input('a Int32') FORMAT TSV\n1\n",
        "INSERT INTO yangguang.x FROM INFILE '/etc/passwd' FORMAT LineAsString",
        "SELECT 1 INTO OUTFILE '/nowhere/outfile'",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "INSERT INTO FUNCTION file('/nowhere/file', 'CSV', 'a Int32') VALUES (1)",
        "CREATE TABLE yangguang.k (a Int32) ENGINE = Kafka SETTINGS kafka_broker_list = 'x:1', kafka_topic_list = 't',"
        " kafka_group_name = 'g', kafka_format = 'CSV'",
        "CREATE TABLE yangguang.f (a Int32) ENGINE = File(CSV)",
        "SYSTEM SHUTDOWN",
        "CREATE USER x",
    ],
)
def test_the_writer_is_refused_what_the_embedded_engine_cannot_keep(server: Server, sql: str) -> None:
    assert server.write(sql).status in (403, 501)


def test_get_does_not_write(server: Server, table: str) -> None:
    for sql in (f"INSERT INTO {table} (a) VALUES (1)", f"DROP TABLE {table}"):
        answer = server.request(method="GET", headers=WRITER, query=sql)
        assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(server, table) == 0


# -- the process -------------------------------------------------------------------------------------------------------


def refused(arguments: list[str], **env: str) -> str:
    done = subprocess.run(
        arguments, cwd=ROOT, env={**environment(), **env}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_it_refuses_to_start_with_one_sentence(tmp_path: Path) -> None:
    missing = refused(command(tmp_path, "--port", "0"), YANGGUANG_CLICKHOUSE_WRITER_PASSWORD="")
    assert "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD" in missing
    open_to_all = refused(command(tmp_path, "--port", "0", "--host", "0.0.0.0"))
    assert "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD" in open_to_all
    data = tmp_path / "data"
    running = Server(data)
    assert f"is in use by process {running.process.pid}" in refused(command(data, "--port", "0"))
    taken = refused(command(tmp_path / "other", "--port", str(running.port)))
    assert "choose another port" in taken
    running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_queries_finish(tmp_path: Path, number: signal.Signals) -> None:
    server = Server(tmp_path / "data")
    server.write("CREATE TABLE yangguang.kept (a Int32) ENGINE = MergeTree ORDER BY a")
    server.write("INSERT INTO yangguang.kept VALUES (1)")
    answers: list[bytes] = []
    slow = threading.Thread(target=lambda: answers.append(server.write("SELECT sleep(2)").body))
    slow.start()
    until(lambda: b"sleep(2)" in server.write("SELECT query FROM system.processes").body)
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    slow.join()
    assert answers == [b"0\n"]
    again = Server(tmp_path / "data")
    assert count(again, "yangguang.kept") == 1
    assert again.stop() == 0


def test_a_signal_does_not_wait_for_ever(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/", "SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
    until(lambda: b"sipHash64(number)" in server.write("SELECT query FROM system.processes").body)
    begin = time.monotonic()
    assert server.stop() == 0
    assert 4 < time.monotonic() - begin < 9
    connection.close()


def test_the_log_holds_no_query_and_no_password(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.write("SELECT 'private-name' AND nope")
    server.write("INSERT INTO yangguang.nope FORMAT TSV\nprivate-name")
    server.request("SELECT 1", user="writer", password="private-name")
    server.stop()
    log = server.log.read_text()
    assert "failed: 47 UNKNOWN_IDENTIFIER" in log
    assert "failed: 516 AUTHENTICATION_FAILED" in log
    assert "private-name" not in log
    assert WRITER_PASSWORD not in log
