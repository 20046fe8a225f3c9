"""Reading a request's body: never more of it than allowed, sent plainly or with gzip."""

import asyncio
import zlib
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request

from pipeline.gateway.limits import Lease, Limits
from pipeline.gateway.problems import ProblemError

_GZIP_WINDOW: Final = 31
_MEMBERS_MAX: Final = 1000
_DRAIN_FACTOR: Final = 4
"""So many times the limit is read and thrown away, that a client which only writes gets to reading its answer."""


async def read_body(request: Request, limits: Limits, lease: Lease, digest: Any = None) -> bytes:
    """The body, decompressed.

    :param digest: is fed the bytes as they were sent, where they are signed.

    Raises ProblemError (400, 408, 413, 415), BusyError, and Starlette's ClientDisconnect."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Encoding {encoding[:40]} is not read: send gzip, or no encoding",
            {"Accept-Encoding": "gzip"},
        )
    try:
        async with asyncio.timeout(limits.body_seconds):
            gunzip = Gunzip(limits.body_bytes) if "gzip" in encoding else None
            return await _read(request, gunzip, limits, lease, digest)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive in {limits.body_seconds:g} s: send it again"
        ) from None


async def _read(request: Request, gunzip: "Gunzip | None", limits: Limits, lease: Lease, digest: Any) -> bytes:
    chunks: list[bytes] = []
    sent = kept = 0
    async for chunk in request.stream():
        sent += len(chunk)
        if digest is not None:
            digest.update(chunk)
        data = gunzip.feed(chunk) if gunzip and sent <= limits.body_bytes else chunk
        kept += len(data)
        if max(sent, kept) > limits.body_bytes:
            chunks.clear()
            if sent > limits.body_bytes * _DRAIN_FACTOR:
                break
            continue
        lease.take(len(data))
        chunks.append(data)
    if max(sent, kept) > limits.body_bytes:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {limits.body_bytes} bytes, compressed or not: send fewer events a request",
        )
    if gunzip:
        gunzip.finish()
    return b"".join(chunks)


class Gunzip:
    """Decompresses, but never to more than a little over `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._members = 1
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def feed(self, chunk: bytes) -> bytes:
        """What the chunk holds, while there is room; nothing after that. Raises ProblemError for what is no gzip."""
        out = []
        while chunk and self._room:
            if self._stream.eof:
                self._next_member()
            try:
                data = self._stream.decompress(chunk, self._room)
            except zlib.error as error:
                raise _broken(str(error)) from None
            self._room -= len(data)
            out.append(data)
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return b"".join(out)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS_MAX:
            raise _broken(f"it has more than {_MEMBERS_MAX} members")
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    def finish(self) -> None:
        """Raises ProblemError where the end is missing."""
        if not self._stream.eof:
            raise _broken("its end is missing")


def _broken(why: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not gzip as announced ({why}): check Content-Encoding")
