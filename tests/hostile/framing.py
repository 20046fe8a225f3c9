"""Requests whose ends are told wrongly, doubly or not at all."""

from collections.abc import Iterator
from random import Random
from typing import Final

from tests.hostile.bodies import JSON, Body, one
from tests.hostile.events import valid
from tests.hostile.oddities import CHUNKS, CODINGS, LENGTHS, Header
from tests.hostile.requests import POSTED, Attempt, Keys, bearer, head, post, typed

_SMUGGLED: Final = b"GET /v1/schemas/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def chunked(chance: Random, keys: Keys) -> Attempt:
    """A body in chunks that are in order, however odd they are."""
    body = one(chance)
    headers = [bearer(keys.whole), *typed(body), (b"Transfer-Encoding", b"chunked")]
    if chance.random() < 0.2:
        headers.append((b"Expect", b"100-continue"))
    end = chance.choice(
        (b"0\r\n\r\n", b"000\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nX-Trailer: y\r\nContent-Length: 5\r\n\r\n")
    )
    data = b"".join(b"%s\r\n%s\r\n" % (size, piece) for size, piece in _pieces(chance, body.data)) + end
    return Attempt("chunked", head(b"POST", b"/v1/events", headers) + data, 1, body.statuses or POSTED, body.items)


def _pieces(chance: Random, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, least = 0, max(1, len(data) // 300)
    while at < len(data):
        piece = data[at : at + chance.choice((least, least, 7 * least, len(data)))]
        at += len(piece)
        form = chance.choice((b"%x", b"%X", b"%08x", b'%x;name="value"', b"%x;x"))
        yield form % len(piece), piece


def broken_chunks(chance: Random, keys: Keys) -> Attempt:
    """Chunks that break off, or whose sizes are none."""
    raw = valid(chance)
    first = b"%x\r\n%s\r\n" % (len(raw), raw)
    rest = chance.choice(CHUNKS)
    body = chance.choice((first, b"")) + rest
    headers = [
        bearer(chance.choice((keys.whole, "none"))),
        (b"Content-Type", b"application/json"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    return Attempt("broken chunks", head(b"POST", b"/v1/events", headers) + body, None)


def two_ends(chance: Random, keys: Keys) -> Attempt:
    """Requests in which one reader could see another end than the next."""
    headers: list[Header] = [bearer(keys.whole), (b"Content-Type", b"application/json")]
    length, coding = b"Content-Length", (b"Transfer-Encoding", b"chunked")
    raw = valid(chance)
    statuses = None
    match chance.randrange(6):
        case 0:
            headers += [(length, b"4"), coding]
            statuses = frozenset({400})
        case 1:
            headers += [coding, (length, b"%d" % len(_SMUGGLED))]
            statuses = frozenset({400})
        case 2:
            headers += [(length, b"%d" % len(raw)), (length, chance.choice((b"0", b"%d" % len(raw), b"7")))]
        case 3:
            headers += [
                (chance.choice((b"Transfer-Encoding ", b"Transfer_Encoding", b"Transfer-Encoding\t")), b"chunked"),
                (length, b"5"),
            ]
        case 4:
            headers += [coding, (b"Transfer-Encoding", chance.choice(CODINGS))]
        case _:
            headers += [(b"X", b"y\r\nContent-Length: 3"), (length, b"%d" % len(raw))]
    body = chance.choice((b"0\r\n\r\n" + _SMUGGLED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw), raw + _SMUGGLED))
    return Attempt("two ends", head(b"POST", b"/v1/events", headers) + body, None, statuses)


def wrong_length(chance: Random, keys: Keys) -> Attempt:
    """A length that is none, or not that of the body."""
    raw = valid(chance)
    headers: list[Header] = [bearer(keys.whole), (b"Content-Type", b"application/json")]
    match chance.randrange(4):
        case 0:
            headers.append((b"Content-Length", chance.choice(LENGTHS)))
        case 1:
            headers.append((b"Content-Length", b"%d" % (len(raw) + chance.choice((1, 100, 10**9, 10**18)))))
        case 2:
            headers.append((b"Content-Length", b"%d" % chance.randrange(len(raw))))
        case _:
            headers.append((b"Transfer-Encoding", chance.choice(CODINGS)))
    return Attempt("wrong length", head(b"POST", b"/v1/events", headers) + raw, None)


def cut(chance: Random, keys: Keys) -> Attempt:
    """A request in order that breaks off somewhere, or has a bit turned in its head."""
    body = Body(valid(chance), JSON)
    raw = bytearray(post(body.data, [bearer(keys.whole), *typed(body)]))
    if chance.random() < 0.5:
        del raw[chance.randrange(len(raw)) :]
    else:
        end = raw.index(b"\r\n\r\n") + 4
        for _ in range(chance.choice((1, 1, 3))):
            raw[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return Attempt("cut", bytes(raw), None)
