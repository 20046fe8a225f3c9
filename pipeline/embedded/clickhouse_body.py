"""The body of an HTTP request as a stream: taken out of its chunks and its compression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import BinaryIO

from pipeline.embedded.clickhouse_codec import decompress
from pipeline.embedded.clickhouse_errors import BAD_ARGUMENTS, UNEXPECTED_END_OF_FILE, ClickHouseError

READ_SIZE = 1 << 18
DISCARDED = 256 << 20
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}\Z")


class Body:
    """A request's body, decoded from chunks and compression. `exhausted` tells whether the connection may be kept."""

    def __init__(self, file: BinaryIO, headers: Message) -> None:
        """Raises `ClickHouseError` for a length that is no number."""
        self._file = file
        self._chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
        length = headers.get("Content-Length") or "0"
        if not length.isdigit():
            raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", "Content-Length is not a number")
        self._left = int(length)
        self.exhausted = not self._chunked and self._left == 0
        self.encoding = headers.get("Content-Encoding") or ""

        self._source = self._raw()

    def __iter__(self) -> Iterator[bytes]:
        yield from decompress(self._source, self.encoding)

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
        size = self._file.readline(1024).partition(b";")[0].strip()
        if not _HEX.match(size):
            raise _cut()
        return int(size, 16)

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            data = self._file.read(min(size, READ_SIZE))
            if not data:
                raise _cut()
            size -= len(data)
            yield data

    def discard(self) -> None:
        """Read what is left, up to a bound: most clients send all of a body before they look at the answer."""
        left = DISCARDED
        for data in self._source:
            left -= len(data)
            if left < 0:
                return


def _cut() -> ClickHouseError:
    return ClickHouseError(
        UNEXPECTED_END_OF_FILE, "UNEXPECTED_END_OF_FILE", "the request's body ended early; send it again"
    )
