"""The HTTP side of the embedded ClickHouse: one thread a connection, HTTP/1.1 with keep-alive, bounded numbers."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from pipeline.embedded.clickhouse_access import ANALYST, WRITER, Judge, Passwords
from pipeline.embedded.clickhouse_engine import Engine
from pipeline.embedded.clickhouse_errors import TOO_MANY_SIMULTANEOUS_QUERIES, ClickHouseError
from pipeline.embedded.clickhouse_request import KEEP_ALIVE, Request
from pipeline.embedded.clickhouse_session import Session

log = logging.getLogger("yangguang.clickhouse")

CONNECTIONS = 256
# Queries of one user that run at once; more wait, in seconds.
PLACES = {WRITER: 16, ANALYST: 4}
QUEUE_SECONDS = 30.0
# How often running queries are checked for clients that have gone away, in seconds.
WATCH_SECONDS = 1.0
# Names of this machine: with no password asked for, a web page must not reach the data under a name of its own.
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class ClickHouseServer(ThreadingHTTPServer):
    """Serves one engine to the two users."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine: Engine, passwords: Passwords, judge: Judge) -> None:
        """Bind; raises OSError when the address is taken. `serve_forever` then accepts."""
        self.engine = engine
        self.passwords = passwords
        self.judge = judge
        self.stopping = threading.Event()
        self.last_query = time.monotonic()
        self._places = {user: threading.BoundedSemaphore(places) for user, places in PLACES.items()}
        self._connections = threading.BoundedSemaphore(CONNECTIONS)
        self._idle = threading.Condition()
        self._running = 0
        self._watched: dict[Session, socket.socket] = {}
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, ClickHouseHandler)

    @contextmanager
    def admitted(self, user: str) -> Iterator[None]:
        """Hold one of the user's places; wait for one when all are taken."""
        if not self._places[user].acquire(timeout=QUEUE_SECONDS):
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
            self._places[user].release()
            with self._idle:
                self._running -= 1
                self.last_query = time.monotonic()
                self._idle.notify_all()

    @property
    def running(self) -> int:
        """How many queries run now."""
        return self._running

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no query runs; False when the time is over first."""
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, seconds)

    @contextmanager
    def watched(self, session: Session, connection: socket.socket) -> Iterator[None]:
        """Within the block, stop the session's query when the client closes its connection."""
        self._watched[session] = connection
        try:
            yield
        finally:
            del self._watched[session]

    def watch(self) -> None:
        """Stop the queries whose clients have gone away; to be called every `WATCH_SECONDS`."""
        for session, connection in list(self._watched.items()):
            poll = select.poll()
            with contextlib.suppress(OSError, ValueError):
                poll.register(connection, select.POLLRDHUP)
                if poll.poll(0):
                    # Marked first: a handle that goes back for others to use meanwhile must not be hit.
                    session.spoilt = True
                    if session in self._watched:
                        log.info("a client went away; its query is stopped")
                        self.engine.kill(session)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or close it at once when there are too many."""
        if not self._connections.acquire(blocking=False):
            log.warning("more than %d connections; one is refused", CONNECTIONS)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it closes."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # signature of the base class
        """A bug or a broken connection: the traceback, which shows no query."""
        log.exception("a connection ended with an error")


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

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002, ARG002  # signature of the base class
        """The status alone: the request line may hold a password."""
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
        if not self._named_rightly():
            self.close_connection = True
            self._plain(403, b"this server answers to localhost only; connect to 127.0.0.1\n")
            return
        Request(self, dict(parse_qsl(url.query, keep_blank_values=True)), may_write).run()

    def _named_rightly(self) -> bool:
        if self.host.passwords.analyst:
            return True
        name = (self.headers.get("Host") or "localhost").strip().lower()
        name = name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]
        return name in LOCAL_NAMES or name == str(self.host.server_address[0])

    def _plain(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
