"""Compression of HTTP bodies as ClickHouse speaks it: gzip, deflate, zstd and lz4 frames, both ways, as streams."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import lz4.frame
import zstandard

from pipeline.embedded.clickhouse_errors import (
    CANNOT_DECOMPRESS,
    UNEXPECTED_END_OF_FILE,
    UNKNOWN_COMPRESSION_METHOD,
    ClickHouseError,
)


class Compressor(Protocol):
    """A streaming compressor; `finish` ends the stream."""

    def compress(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.compressobj(3, zlib.DEFLATED, wbits)

    def compress(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def finish(self) -> bytes:
        return self._stream.flush()


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=1).compressobj()

    def compress(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def finish(self) -> bytes:
        return self._stream.flush()


class _Lz4:
    def __init__(self) -> None:
        self._stream = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._stream.begin()

    def compress(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._stream.compress(data))

    def finish(self) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._stream.flush())


# In the order of preference when a client offers several: cheapest for the processor first.
ENCODINGS = ("lz4", "zstd", "gzip", "deflate")


def choose(accept_encoding: str) -> str:
    """The encoding for a response, or "" for none, from the request's Accept-Encoding (weights of 0 respected)."""
    offered = set()
    for item in accept_encoding.split(","):
        name, _, rest = item.strip().partition(";")
        if rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            offered.add(name.strip().lower())
    return next((name for name in ENCODINGS if name in offered), "")


def compressor(encoding: str) -> Compressor:
    """A new compressor for one of `ENCODINGS`."""
    if encoding == "lz4":
        return _Lz4()
    if encoding == "zstd":
        return _Zstd()
    return _Zlib(31 if encoding == "gzip" else zlib.MAX_WBITS)


def decompress(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Decode a request body.

    Every frame (member) of the body is decoded: clickhouse-connect sends one lz4 frame a block. A body that ends inside
    a frame raises, so that half an insert is never taken for a whole one.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in (*ENCODINGS, "x-gzip"):
        raise ClickHouseError(
            UNKNOWN_COMPRESSION_METHOD,
            "UNKNOWN_COMPRESSION_METHOD",
            f"Content-Encoding {encoding[:40]!r} is not known; send gzip, deflate, zstd, lz4 or none",
        )
    try:
        yield from _frames(chunks, encoding)
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise ClickHouseError(
            CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"the body is not valid {encoding}: {error}"
        ) from None


class _Decoder(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...


def _decoder(encoding: str) -> _Decoder:
    if encoding == "lz4":
        return lz4.frame.LZ4FrameDecompressor()  # type: ignore[no-any-return]  # lz4 ships no types
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj()
    return zlib.decompressobj(zlib.MAX_WBITS if encoding == "deflate" else 31)


def _frames(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder: _Decoder | None = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if decoder is None:
                decoder = _decoder(encoding)
            if data := decoder.decompress(rest):
                yield bytes(data)
            if not decoder.eof:
                break
            rest = decoder.unused_data or b""
            decoder = None
    if decoder is not None:
        raise ClickHouseError(
            UNEXPECTED_END_OF_FILE,
            "UNEXPECTED_END_OF_FILE",
            f"the body ends inside a {encoding} frame; send it again",
        )
