"""One query over HTTP, from its parameters to its answer."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP as HTTP_POLICY
from typing import TYPE_CHECKING, BinaryIO, cast

from pipeline.embedded import clickhouse_insert as insert_statement
from pipeline.embedded.clickhouse_access import ANALYST, WRITER, authenticate, default_database
from pipeline.embedded.clickhouse_body import Body
from pipeline.embedded.clickhouse_config import words
from pipeline.embedded.clickhouse_errors import (
    ABORTED,
    NOT_IMPLEMENTED,
    QUERY_IS_TOO_LARGE,
    SYNTAX_ERROR,
    ClickHouseError,
    access_denied,
)
from pipeline.embedded.clickhouse_hello import hello
from pipeline.embedded.clickhouse_reply import Reply
from pipeline.embedded.clickhouse_session import Progress, Session, streamable

if TYPE_CHECKING:
    from pipeline.embedded.clickhouse_http import ClickHouseHandler

log = logging.getLogger("yangguang.clickhouse")

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
_TRANSPORT = words(
    """
    query database default_format user password query_id quota_key session_id session_timeout session_check
    wait_end_of_query buffer_size compress decompress client_protocol_version role stacktrace
    enable_http_compression http_zlib_compression_level send_progress_in_http_headers
    http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close http_wait_end_of_query
    add_http_cors_header log_comment
    """
)
_READS = (b"select", b"with")


def _lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _get_is_readonly() -> ClickHouseError:
    return ClickHouseError(164, "READONLY", "Cannot execute query in readonly mode; use POST for what changes data")


class Request:
    """One query, from its parameters to its answer."""

    def __init__(self, handler: ClickHouseHandler, params: dict[str, str], may_write: bool) -> None:
        self._handler = handler
        self._server = handler.host
        self._params = params
        self._may_write = may_write
        self._id = re.sub(r"[^\x21-\x7e]", "", params.get("query_id", ""))[:200] or str(uuid.uuid4())
        self._reply = Reply(
            handler,
            self._id,
            params.get("default_format") or handler.headers.get("X-ClickHouse-Format") or "TabSeparated",
            ANALYST,
            params.get("enable_http_compression") in ("1", "true"),
        )

    def run(self) -> None:
        """Answer the request; errors become ClickHouse's."""
        handler = self._handler
        handler.connection.settimeout(STALLED)
        body: Body | None = None
        try:
            body = Body(cast(BinaryIO, handler.rfile), handler.headers)
            if self._server.stopping.is_set():
                handler.close_connection = True
                raise ClickHouseError(ABORTED, "ABORTED", "the server is stopping; try again")
            self._reply.user = authenticate(_lowered(handler.headers), self._params, self._server.passwords)
            if "1" in (self._params.get("compress"), self._params.get("decompress")):
                raise ClickHouseError(
                    NOT_IMPLEMENTED,
                    "NOT_IMPLEMENTED",
                    "ClickHouse's own block compression is not offered; set compress=0 and use HTTP compression",
                )
            if self._reply.user != WRITER and body.encoding:
                raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "send a query without Content-Encoding")
            self._answer(body)
        except ClickHouseError as error:
            self._reply.fail(error)
        except (ConnectionError, TimeoutError):
            handler.close_connection = True
            log.info("query %s of %s: the client went away", self._id, self._reply.user)
        except Exception:
            log.exception("query %s of %s met a fault of the server", self._id, self._reply.user)
            self._reply.fail(ClickHouseError(1002, "UNKNOWN_EXCEPTION", "a fault of the server; its log has more"))
        finally:
            if body is not None and not handler.close_connection:
                try:
                    body.discard()
                except (ClickHouseError, OSError):
                    handler.close_connection = True
                if not body.exhausted:
                    handler.close_connection = True
            handler.connection.settimeout(KEEP_ALIVE)

    def _answer(self, body: Body) -> None:
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
            if header.format == "" and not in_url.strip() and len(head) >= insert_statement.MAX_HEADER:
                raise insert_statement.header_too_long()
            if header.format is not None:
                self._insert(header, head[header.data_at :], pieces)
                return
        rest = b"".join(self._limited(pieces))
        sql = (head + b"\n" + rest if rest and head is in_url else head + rest).decode(errors="replace")
        if not sql.strip():
            raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query; send it as `query` or as the body")
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
        database = default_database(
            self._reply.user, self._params.get("database") or self._handler.headers.get("X-ClickHouse-Database") or ""
        )
        settings = {
            name: value
            for name, value in self._params.items()
            if name not in _TRANSPORT and not name.startswith("param_") and name
        }
        if self._reply.user == ANALYST:
            self._server.judge.check_settings(settings)
        with (
            self._server.admitted(self._reply.user),
            self._server.engine.session(self._reply.user, database, settings) as session,
        ):
            yield session, database

    def _query(self, sql: str) -> None:
        self._reply.format = insert_statement.output_format(sql) or self._reply.format
        protocol, engine = self._params.get("client_protocol_version", ""), self._server.engine
        greeting = hello(sql, protocol, self._reply.format, engine.version, engine.timezone)
        if greeting is not None:
            self._reply.whole(greeting, Progress(result_rows=1))
            return
        params = {name[6:]: value for name, value in self._params.items() if name.startswith("param_")}
        reads = insert_statement.first_word(sql[: insert_statement.MAX_HEADER].encode()) in _READS
        with self._session() as (session, database):
            kind = self._server.judge.check(session, self._reply.user, sql, database, params)
            if not self._may_write and kind not in ("READ_ONLY", "UNKNOWN"):
                raise _get_is_readonly()
            with self._server.watched(session, self._handler.connection):
                if reads and streamable(self._reply.format):
                    self._stream(session, session.stream(sql, self._reply.format, params))
                else:
                    self._stream(session, iter((session.execute(sql, self._reply.format, params),)))

    def _insert(self, header: insert_statement.Header, first: bytes, pieces: Iterator[bytes]) -> None:
        if self._reply.user != WRITER:
            raise access_denied(f"{self._reply.user}: INSERT is not allowed")
        if not self._may_write:
            raise _get_is_readonly()
        fmt = (
            header.format
            or self._handler.headers.get("X-ClickHouse-Format")
            or self._params.get("default_format")
            or "Values"
        )
        with self._session() as (session, _):
            insert = session.insert(header.statement.decode(errors="replace"), fmt)
            try:
                if first:
                    insert.append(first)
                for piece in pieces:
                    insert.append(piece)
            except BaseException:
                insert.cancel()
                raise
            progress = insert.finish()
        self._reply.whole(b"", progress)

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
            self._reply.whole(b"".join(held), session.progress)
            return
        try:
            self._reply.streaming(held, pieces, session.progress)
        finally:
            if isinstance(pieces, Generator):
                pieces.close()
