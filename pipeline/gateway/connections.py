"""Connections of clients that may be slow, silent or hostile.

The server underneath knows one limit of time only, for a connection that says nothing between two requests, and forgets
it with the next byte. Here every step that a client owes has its time: to send a request's head, to send the rest of a
body that nobody wants any more, to read an answer. Where there are more connections than the process allows itself,
the one that has waited for its client longest is closed, so those who sit and wait keep nobody out.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import PROBLEM_JSON, problem_body

log: Final = logging.getLogger(__name__)
log.setLevel(logging.ERROR)  # a line for each request that is no HTTP is what a client could fill the log with

_HEAD_BYTES_MAX: Final = 16 * 1024
_CHUNKS_MAX: Final = 1000
_CHUNK_BYTES_LEAST: Final = 64


class Crowd(ServerState):
    """All connections of the process, and since when each of those that wait for their client does so."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._waiting: dict[Connection, float] = {}  # the longest first

    def waits(self, connection: "Connection") -> None:
        """From now on it is the client's turn."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = asyncio.get_running_loop().time()

    def works(self, connection: "Connection") -> None:
        """It is the gateway's turn, or the connection is gone."""
        self._waiting.pop(connection, None)

    def make_room(self) -> None:
        """Closes who has waited longest, where there are more connections than allowed."""
        if len(self.connections) > self._limits.connections and self._waiting:
            oldest = next(iter(self._waiting))
            self.works(oldest)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def sweep(self) -> None:
        """Gives up who has had its time. Of answers that are not read no more is held than of events."""
        now = asyncio.get_running_loop().time()
        unread = 0
        for connection, since in reversed(list(self._waiting.items())):
            unread += connection.unread
            if connection.unread and unread > self._limits.held_bytes:
                connection.transport.abort()
            elif now - since > self._patience(connection):
                connection.give_up(self._limits.head_seconds)

    def _patience(self, connection: "Connection") -> float:
        if connection.unread:
            return self._limits.answer_seconds
        if connection.in_body:  # who reads the body gives up before
            return self._limits.body_seconds + self._limits.head_seconds
        return self._limits.head_seconds


class Connection(H11Protocol):
    """One connection. h11 reads it rather than a faster parser, as it holds no more of a head, and of requests that
    follow, than came at once, and takes no liberties with what is no HTTP."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, Crowd)
        self._crowd = server_state
        self.logger = log
        self.conn = _Reader(h11.SERVER)
        self._heard: object = None
        """The last request whose head has come."""
        self._refused = False

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def in_body(self) -> bool:
        """Whether the client is sending the body of a request that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn names the kind that it is given
        self._crowd.waits(self)
        self._crowd.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.works(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
            self._look()

    def on_response_complete(self) -> None:
        self._crowd.waits(self)
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._crowd.waits(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look()

    def _look(self) -> None:
        """Whose turn it is while a request is there."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self.flow.write_paused:
            return
        if not cycle.more_body:
            self._crowd.works(self)
        elif cycle is not self._heard:
            self._heard = cycle
            self._crowd.waits(self)

    def give_up(self, seconds: float) -> None:
        """Ends a connection whose client has not sent what it began within so many seconds."""
        begun = self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]
        if begun and not self.unread and not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT, f"the request's head did not arrive in {seconds:g} s: send it again"
            )
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What was sent is no HTTP. A request whose body broke off there has nobody any more who would be answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(HTTPStatus.BAD_REQUEST, f"{msg} Send HTTP/1.1, with a head of at most 16 KiB")
        else:
            self.transport.abort()

    def shutdown(self) -> None:
        """The gateway ends."""
        if self._refused:
            self.transport.abort()
        else:
            super().shutdown()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answers in place of the application, and reads no more. Who sent something after that would not get to the
        answer if the connection were closed, so that is left to the client, or to its time."""
        body = problem_body(status, detail)
        headers = [("Content-Type", PROBLEM_JSON), ("Content-Length", str(len(body))), ("Connection", "close")]
        answer = h11.Response(status_code=status, headers=headers, reason=status.phrase)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._refused = True
        self._crowd.waits(self)
        if self.transport.can_write_eof():
            self.transport.write_eof()


class _Reader(h11.Connection):
    """Refuses heads that are too long, which h11 does only where they come in pieces; and bodies in chunks of a few
    bytes: to read one costs a thousand times what it costs to send."""

    _chunks = 0
    _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > _CHUNKS_MAX and self._bytes < self._chunks * _CHUNK_BYTES_LEAST:
                raise h11.RemoteProtocolError("the body comes in too small chunks")
        elif isinstance(event, h11.Request):
            if len(event.target) + sum(len(name) + len(value) for name, value in event.headers) > _HEAD_BYTES_MAX:
                raise h11.RemoteProtocolError("the head is too long")
        elif isinstance(event, h11.EndOfMessage):
            self._chunks = self._bytes = 0
        return event
