"""The pure parts of the embedded ClickHouse: statements and their data, compression, error texts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.embedded.clickhouse_codec import ENCODINGS, choose, compressor, decompress
from pipeline.embedded.clickhouse_errors import ClickHouseError
from pipeline.embedded.clickhouse_insert import first_word, output_format, split


@pytest.mark.parametrize(
    ("sql", "statement", "fmt", "data"),
    [
        (b"INSERT INTO t FORMAT Native\n\x00\x01", b"INSERT INTO t ", "Native", b"\x00\x01"),
        (b"insert into t(a, b) format TSV\r\n1\t2", b"insert into t(a, b) ", "TSV", b"1\t2"),
        (b"INSERT INTO t FORMAT JSONEachRow {}", b"INSERT INTO t ", "JSONEachRow", b"{}"),
        (b"INSERT INTO t VALUES (1)", b"INSERT INTO t ", "Values", b" (1)"),
        (b"INSERT INTO t SETTINGS a = 1 FORMAT CSV\n1", b"INSERT INTO t SETTINGS a = 1 ", "CSV", b"1"),
        (b"INSERT INTO t -- FORMAT X\n FORMAT CSV\n1", b"INSERT INTO t -- FORMAT X\n ", "CSV", b"1"),
        (b"INSERT INTO `FORMAT a` FORMAT CSV\n1", b"INSERT INTO `FORMAT a` ", "CSV", b"1"),
        (
            b"INSERT INTO db.format (format, values) FORMAT CSV\n1",
            b"INSERT INTO db.format (format, values) ",
            "CSV",
            b"1",
        ),
        (b"INSERT INTO t FORMAT Values\n(1)", b"INSERT INTO t ", "Values", b"(1)"),
        (b"INSERT INTO t (a)", b"INSERT INTO t (a)", "", b""),
    ],
)
def test_an_inserts_data_begins_behind_its_format(sql: bytes, statement: bytes, fmt: str, data: bytes) -> None:
    header = split(sql)
    assert (header.statement, header.format, sql[header.data_at :]) == (statement, fmt, data)


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t SELECT 1",
        b"INSERT INTO t (a) SELECT 1 FORMAT TSV",
        b"INSERT INTO t (SELECT 1)",
        b"INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
    ],
)
def test_an_insert_from_a_select_has_no_data(sql: bytes) -> None:
    assert split(sql).format is None


@given(st.binary())
def test_data_never_changes_where_data_begins(data: bytes) -> None:
    statement = b"INSERT INTO db.t (a, b) FORMAT Native\n"
    assert split(statement + data).data_at == len(statement)


@pytest.mark.parametrize(
    ("sql", "fmt"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1\nformat Native ;", "Native"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT 1 FORMAT CSV -- as FORMAT JSON", "CSV"),
        ("SELECT 1 -- FORMAT JSON", ""),
        ("SELECT 1 /* FORMAT JSON */", ""),
        ("SELECT 'a FORMAT JSON'", ""),
        ("SELECT format('{}', 1)", ""),
    ],
)
def test_the_format_of_a_result_is_read_from_the_end(sql: str, fmt: str) -> None:
    assert output_format(sql) == fmt


def test_the_first_word_stands_behind_comments_and_brackets() -> None:
    assert first_word(b" -- INSERT\n /* x */ ((SELECT 1))") == b"select"
    assert first_word(b"") == b""


def cut(data: bytes, size: int) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@given(st.sampled_from(ENCODINGS), st.lists(st.binary(max_size=5000), max_size=4), st.integers(1, 700))
def test_every_frame_of_a_body_is_decoded_however_it_is_cut(encoding: str, parts: list[bytes], size: int) -> None:
    body = b""
    for part in parts:
        packer = compressor(encoding)
        body += packer.compress(part) + packer.finish()
    assert b"".join(decompress(cut(body, size), encoding)) == b"".join(parts)


@given(st.sampled_from(ENCODINGS), st.binary(min_size=1, max_size=5000), st.data())
def test_a_body_that_is_cut_off_raises(encoding: str, content: bytes, data: st.DataObject) -> None:
    packer = compressor(encoding)
    body = packer.compress(content) + packer.finish()
    end = data.draw(st.integers(1, len(body) - 1))
    with pytest.raises(ClickHouseError, match="send it again"):
        list(decompress([body[:end]], encoding))


def test_the_cheapest_offered_encoding_is_chosen() -> None:
    assert choose("gzip, deflate, lz4;q=0.5") == "lz4"
    assert choose("lz4;q=0, gzip") == "gzip"
    assert choose("br, identity") == ""


@pytest.mark.parametrize(
    ("text", "code", "name", "message"),
    [
        (
            "Code: 60. DB::Exception: Unknown table 'a (b)'. (UNKNOWN_TABLE)",
            60,
            "UNKNOWN_TABLE",
            "Unknown table 'a (b)'.",
        ),
        (
            "Code: 164. DB::Exception: Code: 164. DB::Exception: Cannot. (READONLY) (version 26.9.2.1). (READONLY)",
            164,
            "READONLY",
            "Cannot.",
        ),
        ("the engine is gone", 1001, "STD_EXCEPTION", "the engine is gone"),
    ],
)
def test_the_engines_errors_are_taken_apart(text: str, code: int, name: str, message: str) -> None:
    error = ClickHouseError.from_engine(text)
    assert (error.code, error.name, error.message.rstrip(".")) == (code, name, message.rstrip("."))
    assert error.body("26.9").count(b"(version") == 1
