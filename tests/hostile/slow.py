"""Clients that take their time."""

import socket
from typing import Final

_PIECE: Final = 1 << 16


class Slow:
    """A connection that sends what it is told to, and reads only when it is asked to."""

    def __init__(self, port: int, begin: bytes = b"", buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(10)
        self._socket.connect(("127.0.0.1", port))
        self.got = b""
        self.ended = False
        self.send(begin)

    def send(self, data: bytes) -> None:
        """Sends, as long as the other side listens."""
        try:
            self._socket.settimeout(10)
            self._socket.sendall(data)
        except OSError:
            self.ended = True

    def look(self) -> None:
        """Reads what is there, without waiting for more."""
        self._socket.setblocking(False)
        try:
            while piece := self._socket.recv(_PIECE):
                self.got += piece
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True

    def drip(self, piece: bytes) -> bool:
        """Sends a little more; False when the other side has given up."""
        self.look()
        if not self.ended:
            self.send(piece)
        return not self.ended

    def close(self) -> None:
        """Leaves."""
        self._socket.close()
