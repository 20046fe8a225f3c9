"""The HTTP answer to one query: headers, compression, and results sent whole or as they come."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.embedded.clickhouse_codec import choose, compressor
from pipeline.embedded.clickhouse_errors import ClickHouseError
from pipeline.embedded.clickhouse_session import Progress

if TYPE_CHECKING:
    from pipeline.embedded.clickhouse_http import ClickHouseHandler

log = logging.getLogger("yangguang.clickhouse")


class Reply:
    """What goes back over one connection. `user` and `format` may change until something is sent."""

    def __init__(self, handler: ClickHouseHandler, query_id: str, fmt: str, user: str, compress: bool) -> None:
        """`compress`: as far as the client accepts it."""
        self.format = fmt
        self.user = user
        self._handler = handler
        self._id = query_id
        self._engine = handler.host.engine
        self._encoding = choose(handler.headers.get("Accept-Encoding") or "") if compress else ""
        self._started = False
        self._chunked = True

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
        handler.send_header("X-ClickHouse-Query-Id", self._id)
        handler.send_header("X-ClickHouse-Format", self.format)
        handler.send_header("X-ClickHouse-Timezone", self._engine.timezone)

    def whole(self, data: bytes, progress: Progress) -> None:
        """Send a whole result."""
        handler = self._handler
        self._head(200, progress)
        if data and self._encoding:
            packer = compressor(self._encoding)
            data = packer.compress(data) + packer.finish()
            handler.send_header("Content-Encoding", self._encoding)
        handler.send_header("Content-Length", str(len(data)))
        self._started = True
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()

    def streaming(self, held: list[bytes], pieces: Iterator[bytes], progress: Progress) -> None:
        """Send what is held (and let go of it), then the pieces as they come."""
        handler = self._handler
        tag = secrets.token_hex(8)
        self._head(200, progress)
        handler.send_header("X-ClickHouse-Exception-Tag", tag)
        # HTTP/1.0 knows no chunks: the end of the connection is the end of the data.
        self._chunked = handler.request_version != "HTTP/1.0"
        if self._chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        packer = compressor(self._encoding) if self._encoding else None
        if packer:
            handler.send_header("Content-Encoding", self._encoding)
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
            log.warning("query %s of %s failed in its middle: %d %s", self._id, self.user, error.code, error.name)
            text = error.body(self._engine.version)
            mark = f"__exception__\r\n{tag}\r\n".encode()
            last = b"\r\n" + mark + text + f"{len(text)} {tag}\r\n__exception__\r\n".encode()
            self._chunk(packer.compress(last) + packer.finish() if packer else last)
            handler.wfile.flush()
            handler.close_connection = True
            return
        if packer:
            self._chunk(packer.finish())
        if self._chunked:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.close_connection = True
        handler.wfile.flush()

    def _chunk(self, data: bytes) -> None:
        if not self._chunked:
            self._handler.wfile.write(data)
        elif data:
            self._handler.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")

    def fail(self, error: ClickHouseError) -> None:
        """Send an error; when a result has begun already, break the connection off instead."""
        handler = self._handler
        level = logging.WARNING if error.status >= 500 else logging.INFO
        log.log(level, "query %s of %s failed: %d %s", self._id, self.user, error.code, error.name)
        if self._started:
            handler.close_connection = True
            return
        if error.message.startswith("default: "):
            # The engine knows one user with two roles; to the world they are two users.
            error.message = self.user + error.message.removeprefix("default")
        body = error.body(self._engine.version)
        handler.send_response(error.status)
        handler.send_header("Content-Type", "text/plain; charset=UTF-8")
        handler.send_header("X-ClickHouse-Exception-Code", str(error.code))
        handler.send_header("X-ClickHouse-Query-Id", self._id)
        if error.status == 401:
            handler.send_header("WWW-Authenticate", 'Basic realm="ClickHouse server HTTP API"')
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
