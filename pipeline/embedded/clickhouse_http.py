"""The HTTP side of the embedded ClickHouse: ClickHouse's HTTP interface, one thread a connection, HTTP/1.1 keep-alive."""

from __future__ import annotations

import json
import logging
import re
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP as HTTP_POLICY
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from pipeline.embedded import clickhouse_insert as insert_statement
from pipeline.embedded.clickhouse_access import ANALYST, WRITER, Judge, Passwords, authenticate, default_database
from pipeline.embedded.clickhouse_codec import choose, compressor, decompress
from pipeline.embedded.clickhouse_engine import Engine, Progress, Session, streamable
from pipeline.embedded.clickhouse_errors import (
    BAD_ARGUMENTS,
    CANNOT_READ_ALL_DATA,
    NOT_IMPLEMENTED,
    QUERY_IS_TOO_LARGE,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    ClickHouseError,
)

log = logging.getLogger("yangguang.clickhouse")

READ_SIZE = 1 << 18
# A statement that is no INSERT is held in memory as a whole.
MAX_QUERY = 16 << 20
# So much of a result is held back, so that an error in it still gets a status of its own.
BUFFER = 1 << 20
BUFFER_TO_THE_END = 32 << 20
# A connection may rest this long between two requests, in seconds.
KEEP_ALIVE = 3600.0
# A client that neither sends nor takes anything in the middle of a request is given up after so many seconds.
STALLED = 300.0

# Parameters of the HTTP interface itself; every other one is a setting.
_TRANSPORT = frozenset(
    "query database default_format user password query_id quota_key session_id session_timeout session_check "
    "wait_end_of_query buffer_size compress decompress client_protocol_version role stacktrace "
    "enable_http_compression http_zlib_compression_level send_progress_in_http_headers "
    "http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close http_wait_end_of_query "
    "add_http_cors_header".split()
)
_FORMAT = re.compile(r"\bFORMAT\s+([A-Za-z][A-Za-z0-9]*)\s*(?:SETTINGS\s[^;]*)?;?\s*\Z", re.IGNORECASE)
_READS = (b"select", b"with")


class ClickHouseServer(ThreadingHTTPServer):
    """Serves one engine to the two users."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine: Engine, passwords: Passwords, judge: Judge) -> None:
        self.engine = engine
        self.passwords = passwords
        self.judge = judge
        self.limits = {WRITER: threading.BoundedSemaphore(16), ANALYST: threading.BoundedSemaphore(4)}
        self.stopping = threading.Event()
        self._idle = threading.Condition()
        self._running = 0
        self.last_query = time.monotonic()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, ClickHouseHandler)

    @contextmanager
    def admitted(self, user: str) -> Iterator[None]:
        """Hold one of the user's places; wait up to 30 s for one."""
        if not self.limits[user].acquire(timeout=30):
            raise ClickHouseError(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                f"Too many simultaneous queries of user {user}; try again when one has ended",
            )
        with self._idle:
            self._running += 1
        try:
            yield
        finally:
            self.limits[user].release()
            with self._idle:
                self._running -= 1
                self.last_query = time.monotonic()
                self._idle.notify_all()

    @property
    def running(self) -> int:
        """Queries that run now."""
        return self._running

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no query runs; False when the time is over first."""
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # signature of the base class
        log.exception("a connection ended with an error")


class _Body:
    """A request's body, decoded from chunks and compression. `exhausted` tells whether the connection may be kept."""

    def __init__(self, handler: ClickHouseHandler) -> None:
        self._file = handler.rfile
        self._chunked = "chunked" in (handler.headers.get("Transfer-Encoding") or "").lower()
        length = handler.headers.get("Content-Length") or "0"
        if not length.isdigit():
            raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", "Content-Length is not a number")
        self._left = int(length)
        self.exhausted = not self._chunked and self._left == 0
        self.encoding = handler.headers.get("Content-Encoding") or ""

    def __iter__(self) -> Iterator[bytes]:
        yield from decompress(self._raw(), self.encoding)

    def _raw(self) -> Iterator[bytes]:
        if self._chunked:
            while (size := self._chunk_size()) > 0:
                yield from self._read(size)
                self._file.readline(8)
            while self._file.readline(65536) not in (b"\r\n", b"\n", b""):
                pass
        else:
            yield from self._read(self._left)
        self.exhausted = True

    def _chunk_size(self) -> int:
        line = self._file.readline(1024)
        try:
            return int(line.split(b";")[0], 16)
        except ValueError:
            raise _cut() from None

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            data = self._file.read(min(size, READ_SIZE))
            if not data:
                raise _cut()
            size -= len(data)
            yield data

    def discard(self) -> None:
        """Read what is left, up to a bound, so that the connection can be kept."""
        if not self.exhausted:
            left = 4 << 20
            for data in self._raw() if not self._chunked else ():
                left -= len(data)
                if left < 0:
                    return


def _cut() -> ClickHouseError:
    return ClickHouseError(
        CANNOT_READ_ALL_DATA, "CANNOT_READ_ALL_DATA", "the request's body ended early; send it again"
    )


class ClickHouseHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "yangguang-clickhouse"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536
    rbufsize = 65536
    timeout = KEEP_ALIVE

    @property
    def host(self) -> ClickHouseServer:
        """The server."""
        return cast(ClickHouseServer, self.server)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """No line a request: texts of queries hold personal data."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002  # signature of the base class
        log.info("a request could not be read: %s", args[0] if args else "")

    def do_HEAD(self) -> None:
        """Answer /ping without a body; queries need GET or POST."""
        self._plain(200, b"")

    def do_GET(self) -> None:
        """A query that reads."""
        self._serve(may_write=False)

    def do_POST(self) -> None:
        """Any query."""
        self._serve(may_write=True)

    def _serve(self, may_write: bool) -> None:
        url = urlsplit(self.path)
        if url.path in ("/ping", "/replicas_status"):
            self._plain(200, b"Ok.\n")
            return
        if url.path not in ("/", ""):
            self._plain(404, b"There is no handle " + url.path.encode()[:200] + b"; queries go to /\n")
            return
        if self.host.stopping.is_set():
            self.close_connection = True
            self._plain(503, b"the server is stopping; try again\n")
            return
        _Request(self, dict(parse_qsl(url.query, keep_blank_values=True)), may_write).run()

    def _plain(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


class _Request:
    """One query, from its parameters to its answer."""

    def __init__(self, handler: ClickHouseHandler, params: dict[str, str], may_write: bool) -> None:
        self._handler = handler
        self._server = handler.host
        self._params = params
        self._may_write = may_write
        self._query_id = params.get("query_id") or str(uuid.uuid4())
        self._user = ANALYST
        self._format = params.get("default_format") or handler.headers.get("X-ClickHouse-Format") or "TabSeparated"
        self._started = False
        self._tag = ""

    def run(self) -> None:
        """Answer the request; errors become ClickHouse's."""
        handler = self._handler
        handler.connection.settimeout(STALLED)
        body: _Body | None = None
        try:
            body = _Body(handler)
            self._user = authenticate(handler.headers, self._params, self._server.passwords)
            self._answer(body)
        except ClickHouseError as error:
            self._fail(error)
        except (ConnectionError, TimeoutError):
            handler.close_connection = True
            log.info("query %s of %s: the client went away", self._query_id, self._user)
        finally:
            if body is not None and not handler.close_connection:
                try:
                    body.discard()
                except (ClickHouseError, OSError):
                    handler.close_connection = True
                if not body.exhausted:
                    handler.close_connection = True
            handler.connection.settimeout(KEEP_ALIVE)

    def _answer(self, body: _Body) -> None:
        pieces = iter(body)
        if (self._handler.headers.get("Content-Type") or "").startswith("multipart/form-data"):
            self._take_form(b"".join(self._limited(pieces)))
        in_url = self._params.get("query", "").encode()
        head = in_url
        if not in_url.strip():
            # The statement is in the body, perhaps with data behind it.
            for piece in pieces:
                head += piece
                if len(head) >= insert_statement.MAX_HEADER:
                    break
        if insert_statement.first_word(head) == b"insert":
            header = insert_statement.split(head)
            if header.format is not None:
                self._insert(header, head[header.data_at :], pieces)
                return
        rest = b"".join(self._limited(pieces))
        sql = (head + b"\n" + rest if rest and head is in_url else head + rest).decode(errors="replace")
        if not sql.strip():
            raise ClickHouseError(62, "SYNTAX_ERROR", "Empty query; give it as parameter `query` or in the body")
        self._query(sql)

    def _limited(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        left = MAX_QUERY
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise ClickHouseError(
                    QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the query is longer than {MAX_QUERY} bytes"
                )
            yield piece

    def _take_form(self, form: bytes) -> None:
        head = b"Content-Type: " + (self._handler.headers.get("Content-Type") or "").encode() + b"\r\n\r\n"
        for part in BytesParser(policy=HTTP_POLICY).parsebytes(head + form).iter_parts():
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            if part.get_filename() is not None:
                raise ClickHouseError(
                    NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "external tables are not offered; use a subquery or a join"
                )
            if isinstance(name, str) and isinstance(value, bytes):
                self._params[name] = value.decode()

    @contextmanager
    def _session(self) -> Iterator[tuple[Session, str]]:
        with self._server.admitted(self._user), self._server.engine.session() as session:
            database = default_database(
                self._user, self._params.get("database") or self._handler.headers.get("X-ClickHouse-Database") or ""
            )
            settings = {
                name: value
                for name, value in self._params.items()
                if name not in _TRANSPORT and not name.startswith("param_") and name
            }
            if self._user == ANALYST:
                self._server.judge.check_settings(settings)
            session.begin(self._user, database, settings)
            yield session, database

    def _query(self, sql: str) -> None:
        if (found := _FORMAT.search(sql)) is not None:
            self._format = found.group(1)
        params = {name[6:]: value for name, value in self._params.items() if name.startswith("param_")}
        reads = insert_statement.first_word(sql[: insert_statement.MAX_HEADER].encode()) in _READS
        with self._session() as (session, database):
            self._server.judge.check(session, self._user, sql, database)
            if reads and streamable(self._format):
                self._stream(session, session.stream(sql, self._format, params))
            else:
                self._stream(session, iter((session.execute(sql, self._format, params),)))

    def _insert(self, header: insert_statement.Header, first: bytes, pieces: Iterator[bytes]) -> None:
        if self._user != WRITER:
            raise ClickHouseError(497, "ACCESS_DENIED", f"{self._user}: INSERT is not allowed")
        fmt = (
            header.format
            or self._handler.headers.get("X-ClickHouse-Format")
            or self._params.get("default_format")
            or "Values"
        )
        with self._session() as (session, _):
            insert = session.insert(header.statement.decode(), fmt)
            try:
                if first:
                    insert.append(first)
                for piece in pieces:
                    insert.append(piece)
            except BaseException:
                insert.cancel()
                raise
            progress = insert.finish()
        self._send_whole(b"", progress)

    def _stream(self, session: Session, pieces: Iterator[bytes]) -> None:
        wait = (
            self._params.get("wait_end_of_query") in ("1", "true") or self._params.get("http_wait_end_of_query") == "1"
        )
        limit = BUFFER_TO_THE_END if wait else BUFFER
        held: list[bytes] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > limit:
                break
        else:
            self._send_whole(b"".join(held), session.progress)
            return
        try:
            self._send_streaming(held, pieces, session.progress)
        finally:
            cast(Any, pieces).close()

    # -- the answer ------------------------------------------------------------------------------------------------

    def _encoding(self) -> str:
        if self._params.get("enable_http_compression", "0") not in ("1", "true"):
            return ""
        return choose(self._handler.headers.get("Accept-Encoding") or "")

    def _head(self, status: int, progress: Progress) -> None:
        handler = self._handler
        handler.send_response(status)
        summary = {
            "read_rows": progress.read_rows,
            "read_bytes": progress.read_bytes,
            "written_rows": progress.written_rows,
            "written_bytes": progress.written_bytes,
            "total_rows_to_read": 0,
            "result_rows": progress.result_rows,
            "result_bytes": 0,
            "elapsed_ns": progress.elapsed_ns,
        }
        handler.send_header("Content-Type", "text/plain; charset=UTF-8")
        handler.send_header("X-ClickHouse-Summary", json.dumps({name: str(value) for name, value in summary.items()}))
        handler.send_header("X-ClickHouse-Query-Id", re.sub(r"[^\x21-\x7e]", "", self._query_id)[:200])
        handler.send_header("X-ClickHouse-Format", self._format)
        handler.send_header("X-ClickHouse-Timezone", self._server.engine.timezone)

    def _send_whole(self, data: bytes, progress: Progress) -> None:
        handler = self._handler
        self._head(200, progress)
        if data and (encoding := self._encoding()):
            packer = compressor(encoding)
            data = packer.compress(data) + packer.finish()
            handler.send_header("Content-Encoding", encoding)
        handler.send_header("Content-Length", str(len(data)))
        self._started = True
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()

    def _send_streaming(self, held: list[bytes], pieces: Iterator[bytes], progress: Progress) -> None:
        handler = self._handler
        self._tag = secrets.token_hex(8)
        self._head(200, progress)
        handler.send_header("X-ClickHouse-Exception-Tag", self._tag)
        handler.send_header("Transfer-Encoding", "chunked")
        encoding = self._encoding()
        packer = compressor(encoding) if encoding else None
        if encoding:
            handler.send_header("Content-Encoding", encoding)
        self._started = True
        handler.end_headers()
        try:
            for piece in held:
                self._chunk(packer.compress(piece) if packer else piece)
            held.clear()
            for piece in pieces:
                self._chunk(packer.compress(piece) if packer else piece)
        except ClickHouseError as error:
            # The status is gone: say it at the end of the data, as ClickHouse does, and break the connection off.
            log.warning(
                "query %s of %s failed in its middle: %d %s", self._query_id, self._user, error.code, error.name
            )
            text = error.body(self._server.engine.version)
            tag = self._tag.encode()
            last = b"\r\n__exception__\r\n" + tag + b"\r\n" + text + b"%d " % len(text) + tag + b"\r\n__exception__\r\n"
            self._chunk(packer.compress(last) + packer.finish() if packer else last)
            handler.wfile.flush()
            handler.close_connection = True
            return
        if packer:
            self._chunk(packer.finish())
        handler.wfile.write(b"0\r\n\r\n")
        handler.wfile.flush()

    def _chunk(self, data: bytes) -> None:
        if data:
            self._handler.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")

    def _fail(self, error: ClickHouseError) -> None:
        handler = self._handler
        log.warning("query %s of %s failed: %d %s", self._query_id, self._user, error.code, error.name)
        if self._started:
            handler.close_connection = True
            return
        body = error.body(self._server.engine.version)
        handler.send_response(error.status)
        handler.send_header("Content-Type", "text/plain; charset=UTF-8")
        handler.send_header("X-ClickHouse-Exception-Code", str(error.code))
        handler.send_header("X-ClickHouse-Query-Id", re.sub(r"[^\x21-\x7e]", "", self._query_id)[:200])
        if error.status == 401:
            handler.send_header("WWW-Authenticate", 'Basic realm="ClickHouse server HTTP API"')
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
