"""Where the statement of an INSERT ends and its data begins.

The engine takes the two apart only for whole queries in memory; a stream needs the place before all data has arrived.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_MAYBE_FORMAT = re.compile(
    r"\bFORMAT\s+([A-Za-z][A-Za-z0-9]*)\s*(?:SETTINGS\s[^;]*)?(?:;|--.*|/\*.*?\*/|\s)*\Z", re.IGNORECASE
)
# Behind these stands a name, even if it reads like a keyword.
_NAME_FOLLOWS = (b"", b"into", b"table", b"function", b".")
_TOKEN_INPUT = re.compile(rb"input\s*\(", re.IGNORECASE)
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


def output_format(sql: str) -> str:
    """The format that a query names for its result at its end, or ""."""
    found = _MAYBE_FORMAT.search(sql[-2000:])
    if found is None:
        return ""
    # The words may stand in a comment or a string: look again, token by token.
    words = [token.group() for token in _TOKEN.finditer(sql.encode()) if token.lastgroup not in ("space", "quoted")]
    for at in range(len(words) - 2, -1, -1):
        if words[at].lower() == b"format":
            return words[at + 1].decode() if words[at + 1].decode() == found.group(1) else ""
    return ""


@dataclass(frozen=True, slots=True)
class _Word:
    text: bytes
    before: bytes  # the token before it, in lower case
    depth: int  # of brackets
    start: int
    end: int


def _words(sql: bytes) -> Iterator[_Word]:
    depth, before = 0, b""
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "space":
            continue
        text = token.group().lower()
        if token.lastgroup == "word":
            yield _Word(text, before, depth, token.start(), token.end())
        depth += (text == b"(") - (text == b")")
        before = text


def split(sql: bytes) -> Header:
    """Find the parts of an INSERT of which `sql` holds at least the statement (and perhaps the first data)."""
    for word in _words(sql):
        if word.before in _NAME_FOLLOWS:
            continue
        if word.text in (b"select", b"with") and (word.depth == 0 or (word.depth == 1 and word.before == b"(")):
            if any(_TOKEN_INPUT.match(sql, inner.start) for inner in _words(sql) if inner.text == b"input"):
                raise _no_input()
            return Header(sql, None, len(sql))
        if word.depth > 0:
            continue
        if word.text == b"values":
            return Header(sql[: word.start], "Values", word.end)
        if word.text == b"infile" and word.before == b"from":
            raise ClickHouseError(
                NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "FROM INFILE would read a file of the server; send its data as body"
            )
        if word.text == b"format":
            return _with_format(sql, word.start, word.end)
    return Header(sql, "", len(sql))


def _with_format(sql: bytes, start: int, end: int) -> Header:
    name = next((token for token in _TOKEN.finditer(sql, end) if token.lastgroup != "space"), None)
    if name is None or name.lastgroup != "word":
        raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: FORMAT needs the name of a format")
    behind = _AFTER_FORMAT.match(sql, name.end())
    return Header(sql[:start], name.group().decode(), behind.end() if behind else name.end())


def _no_input() -> ClickHouseError:
    return ClickHouseError(
        NOT_IMPLEMENTED,
        "NOT_IMPLEMENTED",
        "INSERT ... SELECT FROM input() would insert nothing in the embedded engine; insert into a table with a"
        " materialized view, or change the columns before sending them",
    )


def header_too_long() -> ClickHouseError:
    """What to raise when no data was found behind `MAX_HEADER` bytes."""
    return ClickHouseError(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the statement is longer than {MAX_HEADER} bytes")
