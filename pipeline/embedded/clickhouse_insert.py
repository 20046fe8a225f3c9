"""Where the statement of an INSERT ends and its data begins.

The engine takes the two apart only for whole queries in memory; a stream needs the place before all data has arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.embedded.clickhouse_errors import NOT_IMPLEMENTED, QUERY_IS_TOO_LARGE, SYNTAX_ERROR, ClickHouseError

# A statement without its data is small; what is longer has no FORMAT where one belongs.
MAX_HEADER = 256 * 1024

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)
    |(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_AFTER_FORMAT = re.compile(rb"[ \t]*;?[ \t]*(?:\r?\n)?")


@dataclass(frozen=True, slots=True)
class Header:
    """An INSERT: its statement without FORMAT and data, the data's format, and the offset at which data begins.

    `format` is "" when the statement names none, and None for INSERT ... SELECT, which has no data.
    """

    statement: bytes
    format: str | None
    data_at: int


def first_word(sql: bytes) -> bytes:
    """The statement's first word in lower case, behind comments and brackets."""
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "word":
            return token.group().lower()
        if token.lastgroup != "space" and token.group() != b"(":
            return b""
    return b""


def split(sql: bytes) -> Header:
    """Find the parts of an INSERT of which `sql` holds at least the statement (and perhaps the first data)."""
    depth, words = 0, 0
    previous = b""
    uses_input = False
    kind: str | None = ""
    tokens = _TOKEN.finditer(sql)
    for token in tokens:
        if token.lastgroup == "space":
            continue
        text = token.group()
        if text == b"(":
            uses_input |= previous == b"input"
            depth += 1
        elif text == b")":
            depth -= 1
        if token.lastgroup != "word":
            previous = b"" if text == b"." else text
            if text == b".":
                previous = b"."
            continue
        word = text.lower()
        words += 1
        if words > 1 and previous not in (b"into", b"table", b".", b"function"):
            if depth == 0 and word in (b"select", b"with"):
                kind = None
            elif depth == 0 and word == b"values" and kind is not None:
                return Header(sql[: token.start()], "Values", token.end())
            elif depth == 0 and word == b"format":
                return _with_format(sql, token.start(), token.end(), kind, uses_input)
            elif depth == 1 and word == b"select":
                kind = None
        previous = word
    if kind is None and uses_input:
        raise _no_input()
    return Header(sql, kind, len(sql))


def _with_format(sql: bytes, start: int, end: int, kind: str | None, uses_input: bool) -> Header:
    if kind is None:
        if uses_input:
            raise _no_input()
        return Header(sql, None, len(sql))
    name = next((token for token in _TOKEN.finditer(sql, end) if token.lastgroup != "space"), None)
    if name is None or name.lastgroup != "word":
        raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: FORMAT needs the name of a format")
    behind = _AFTER_FORMAT.match(sql, name.end())
    return Header(sql[:start], name.group().decode(), behind.end() if behind else name.end())


def _no_input() -> ClickHouseError:
    return ClickHouseError(
        NOT_IMPLEMENTED,
        "NOT_IMPLEMENTED",
        "INSERT ... SELECT FROM input() would insert nothing in the embedded engine; insert into a table with a materialized"
        " view, or change the columns before sending them",
    )


def header_too_long() -> ClickHouseError:
    """What to raise when no data was found behind `MAX_HEADER` bytes."""
    return ClickHouseError(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the statement is longer than {MAX_HEADER} bytes")
