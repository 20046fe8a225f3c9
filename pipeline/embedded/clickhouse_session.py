"""One request's handle on the engine: settings and role, statements, streamed results and inserts."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.embedded.clickhouse_config import ANALYST_PRIORITY, words
from pipeline.embedded.clickhouse_errors import NOT_IMPLEMENTED, ClickHouseError

log = logging.getLogger("yangguang.clickhouse")

DATABASE = "yangguang"

# Formats whose chunks may be joined as they come; of the second kind each chunk repeats that many header lines. All
# other formats (JSON, Arrow, Parquet, ...) are built as a whole by the engine, within its memory limit.
_JOINABLE = words(
    """
    tsv tabseparated tsvraw tabseparatedraw csv jsoneachrow jsonlines ndjson jsoncompacteachrow jsonstringseachrow
    jsoncompactstringseachrow rowbinary native null lineasstring
    """
)
_HEADED = {
    f"{stem}{suffix}": lines
    for stem in (
        "tsv",
        "tabseparated",
        "tsvraw",
        "tabseparatedraw",
        "csv",
        "jsoncompacteachrow",
        "jsoncompactstringseachrow",
    )
    for suffix, lines in (("withnames", 1), ("withnamesandtypes", 2))
}
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NOT_STREAMABLE = "Streaming query is not supported"


def quote(text: str) -> str:
    """`text` as a ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(slots=True)
class Progress:
    """What a query read and wrote, as far as it has come."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_ns: int = 0


def streamable(fmt: str) -> bool:
    """Whether a result in this format can be sent while it is being computed."""
    return fmt.lower() in _JOINABLE or fmt.lower() in _HEADED


def _header_end(chunk: bytes, lines: int) -> int:
    """The offset behind the first `lines` lines; a line feed inside double quotes (a CSV column name) ends no line."""
    offset = 0
    for _ in range(lines):
        quoted = False
        while offset < len(chunk) and (quoted or chunk[offset] != 0x0A):
            quoted ^= chunk[offset] == 0x22
            offset += 1
        offset += 1
    return offset


_TARGET = re.compile(
    r"""\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?!FUNCTION\b)
    (?P<table>(?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?)\s*
    (?P<columns>\((?:[^()]|\([^()]*\))*\))?\s*
    (?P<settings>SETTINGS\s.*)?\s*\Z""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


class Insert:
    """One INSERT whose data arrives in pieces. It counts only once `finish` has returned; else call `cancel`.

    The engine's own streaming insert reports success for what its sink refuses (a constraint, too many parts, a view
    that fails). So the data stream into a temporary table, where only parsing can fail, which the engine does report;
    and from there into the table by a statement, whose every error is raised. The whole insert is held in memory.
    """

    def __init__(self, session: Session, connection: Any, header: str, fmt: str) -> None:
        found = _TARGET.match(header)
        if found is None:
            raise ClickHouseError(
                NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "write it as INSERT INTO [database.]table [(columns)] FORMAT ..."
            )
        self._session = session
        self._connection = connection
        self._table, columns = found["table"], found["columns"] or ""
        self._settings = found["settings"] or ""
        self._columns = columns
        self._staging = f"insert_{uuid.uuid4().hex}"
        like = (
            f"AS SELECT {columns[1:-1]} FROM {self._table} LIMIT 0" if columns else f"ENGINE = Memory AS {self._table}"
        )
        session.execute(f"CREATE TEMPORARY TABLE {self._staging} {like}")
        try:
            self._insert = connection.send_insert(f"INSERT INTO {self._staging} {columns} {self._settings}", fmt)
        except RuntimeError as error:
            self._drop()
            raise ClickHouseError.from_engine(str(error)) from None

    def append(self, data: bytes) -> None:
        """Give the next bytes of the data, in the insert's format."""
        try:
            self._connection.insert_append(self._insert, data)
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None

    def finish(self) -> Progress:
        """Commit; on return the rows are in the table's parts and survive the death of the process."""
        try:
            result = self._connection.insert_done(self._insert)
            rows, size = result.rows_written(), result.bytes_written()
            self._session.execute(
                f"INSERT INTO {self._table} {self._columns} {self._settings} SELECT * FROM {self._staging}"
            )
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None
        finally:
            self._drop()
        return Progress(rows, size, rows, size, rows, int(result.elapsed() * 1e9))

    def cancel(self) -> None:
        """Drop the insert: nothing of it is in the table."""
        try:
            self._connection.insert_cancel(self._insert)
        except RuntimeError:
            log.warning("an insert could not be cancelled cleanly")
        self._drop()

    def _drop(self) -> None:
        try:
            self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {self._staging}")
        except ClickHouseError:
            self._session.spoilt = True  # the handle is thrown away, and the temporary table with it


class Session:
    """One request's handle. Errors are raised as `ClickHouseError`."""

    def __init__(self, connection: Any, limits: Mapping[str, str], tag: str) -> None:
        self._connection = connection
        self.tag = tag
        self._limits = limits
        self.spoilt = False
        self.progress = Progress()

    def close(self) -> None:
        """Close the handle."""
        self._connection.close()

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings to this session."""
        for name in settings:
            if not _SETTING_NAME.match(name):
                raise ClickHouseError(115, "UNKNOWN_SETTING", f"Unknown setting {name[:60]!r}")
        if settings:
            self.execute("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))

    def begin(self, user: str, database: str, settings: Mapping[str, str]) -> None:
        """Make this session the user's, in that database and with those settings, before the first query."""
        self.execute(f"SET log_comment = {quote(self.tag)}")
        self.execute(f"SET ROLE {user}")
        if database not in ("", "default"):
            self.execute("USE `" + database.replace("\\", "\\\\").replace("`", "\\`") + "`")
        if user == "analyst":
            # In this order: the profile's constraints also bind what would come after them.
            self.set({**self._limits, "priority": ANALYST_PRIORITY, "readonly": "2"})
            self.set({"profile": "analyst"})
        self.set(settings)
        self.progress = Progress()

    def classify(self, sql: str) -> tuple[str, int]:
        """What it would do (READ_ONLY, MUTATING, MUTATING_GLOBAL, CONTROL, UNKNOWN), and how many statements it is."""
        try:
            report = self._connection.classify_query(sql, DATABASE)
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None
        return str(report["query_class"].name), int(report["statement_count"])

    def execute(self, sql: str, fmt: str = "TabSeparated", params: Mapping[str, str] | None = None) -> bytes:
        """Run a statement and return its whole result."""
        try:
            result = self._connection.query(sql, fmt, params=dict(params or {}))
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None
        if result.has_error():
            raise ClickHouseError.from_engine(result.error_message())
        progress = self.progress
        progress.read_rows = result.storage_rows_read()
        progress.read_bytes = result.storage_bytes_read()
        progress.written_rows = result.rows_written()
        progress.written_bytes = result.bytes_written()
        progress.result_rows = result.rows_read()
        progress.elapsed_ns = int(result.elapsed() * 1e9)
        return bytes(result.bytes())

    def stream(self, sql: str, fmt: str, params: Mapping[str, str]) -> Iterator[bytes]:
        """Run a query and yield its result piece by piece; closing the iterator cancels the query."""
        header_lines = _HEADED.get(fmt.lower(), 0)
        try:
            query = self._connection.send_query(sql, fmt, params=dict(params))
        except RuntimeError as error:
            if _NOT_STREAMABLE not in str(error):
                raise ClickHouseError.from_engine(str(error)) from None
            yield self.execute(sql, fmt, params)
            return
        first, done = True, False
        try:
            while True:
                piece = self._connection.streaming_fetch_result(query)
                self._count(piece)
                data = bytes(piece.bytes())
                done = piece.rows_read() == 0
                if header_lines and not first:
                    data = data[_header_end(data, header_lines) :]
                if data:
                    yield data
                first = False
                if done:
                    return
        except RuntimeError as error:
            done = self.spoilt = True
            if not first or _NOT_STREAMABLE not in str(error):
                raise ClickHouseError.from_engine(str(error)) from None
            yield self.execute(sql, fmt, params)
        finally:
            if not done:
                self.spoilt = True
                self._connection.streaming_cancel_query(query)

    def _count(self, piece: Any) -> None:
        progress = self.progress
        progress.result_rows += piece.rows_read()
        progress.read_rows = max(progress.read_rows, piece.storage_rows_read())
        progress.read_bytes = max(progress.read_bytes, piece.storage_bytes_read())
        progress.elapsed_ns = max(progress.elapsed_ns, int(piece.elapsed() * 1e9))

    def insert(self, header: str, fmt: str) -> Insert:
        """Begin `INSERT INTO ... [(columns)] [SETTINGS ...]` (no FORMAT, no data) whose data comes in format `fmt`."""
        return Insert(self, self._connection, header, fmt)
