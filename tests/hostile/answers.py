"""Reading what comes back: HTTP/1.1 as it should be, and nothing else."""

import asyncio
import re
from typing import Final, NamedTuple

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([ -~]*)")
_LINES_MAX: Final = 50


class NotHttpError(Exception):
    """What came is no answer."""


class Answer(NamedTuple):
    """One answer. `headers` by their names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.headers.get("connection") == "close"


async def read_answer(reader: asyncio.StreamReader, bodyless: bool = False) -> Answer | None:
    """The next answer that is final; None where the connection has ended. Raises NotHttpError, and OSError where it was
    torn."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise NotHttpError(f"half an answer: {error.partial[:200]!r}") from None
            return None
        except asyncio.LimitOverrunError:
            raise NotHttpError("a head without an end") from None
        status, headers = _head(head)
        if status == 100:
            continue
        body = b"" if bodyless else await _body(reader, headers)
        return Answer(status, headers, body)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *fields = head[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or len(fields) > _LINES_MAX:
        raise NotHttpError(f"no status line: {head[:200]!r}")
    headers: dict[str, str] = {}
    for line in fields:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise NotHttpError(f"no header: {line[:200]!r}")
        name = field[1].decode().lower()
        if name in headers:
            raise NotHttpError(f"the header {name} comes twice")
        headers[name] = field[2].decode()
    return int(status[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length")
    if length is None or not length.isdigit() or "transfer-encoding" in headers:
        raise NotHttpError(f"an answer without a length: {headers}")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise NotHttpError("the body of an answer breaks off") from None
