"""Requests as bytes, written by hand so that nothing puts them in order."""

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from tests.hostile.bodies import JSON, ONE, TAKEN, Body, any_body, huge, one
from tests.hostile.events import any_event, valid
from tests.hostile.oddities import (
    ATTRIBUTE_NAMES,
    ATTRIBUTE_VALUES,
    BAD_UTF8,
    CLAIMS,
    GARBAGE,
    HEADERS,
    MOMENTS,
    PLACES,
    QUESTIONS,
    TOKENS,
    Header,
)

POSTED: Final = frozenset({202, 207, 400, 413, 415, 422})
UNAUTHORIZED: Final = frozenset({401})


class Keys(NamedTuple):
    """API keys that the gateway knows."""

    whole: str
    """May push everything."""
    narrow: str
    """May push little."""
    limited: str
    """Has a rate that is soon used up."""
    signed: str
    """Has to sign; with `secret`."""
    secret: str


class Attempt(NamedTuple):
    """What is sent, and what has to come back."""

    kind: str
    raw: bytes
    answers: int | None = 1
    """How many answers; None where nobody can say where the requests end: then the connection has to end."""
    statuses: frozenset[int] | None = None
    """None: any that is none of 5xx but 503."""
    items: int | None = None
    """The number of results where the answer tells of events."""
    bodyless: bool = False
    """Answers have a length and no body, as of HEAD."""


def post(body: bytes, headers: Sequence[Header], path: bytes = b"/v1/events") -> bytes:
    """A request with a body of the length that it has."""
    return head(b"POST", path, [*headers, (b"Content-Length", b"%d" % len(body))]) + body


def head(method: bytes, path: bytes, headers: Sequence[Header]) -> bytes:
    """The head of a request to this machine."""
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: gateway", *(b"%s: %s" % one for one in headers), b"", b""]
    return b"\r\n".join(lines)


def bearer(key: str) -> Header:
    """The header with a key."""
    return b"Authorization", f"Bearer {key}".encode("latin-1", "replace")


def typed(body: Body) -> list[Header]:
    """The headers that a body needs."""
    found = [(b"Content-Type", body.content_type.encode("latin-1", "replace"))] if body.content_type else []
    return [*found, (b"Content-Encoding", body.encoding.encode("latin-1"))] if body.encoding else found


def of_body(chance: Random, keys: Keys) -> Attempt:
    """A hostile body in a request that is in order."""
    body = any_body(chance)
    return Attempt("body", post(body.data, [bearer(keys.whole), *typed(body)]), 1, body.statuses or POSTED, body.items)


def of_huge_body(chance: Random, keys: Keys) -> Attempt:
    """What is too much."""
    body = huge(chance)
    return Attempt("huge", post(body.data, [bearer(keys.whole), *typed(body)]), 1, body.statuses, body.items)


def binary(chance: Random, keys: Keys) -> Attempt:
    """An event in binary mode, with attributes of all kinds."""
    attributes = {
        b"ce-id": b"h-%d" % chance.randrange(10**6),
        b"ce-source": b"/platform/meituan",
        b"ce-type": b"yangguang.seal.order.v1",
        b"ce-specversion": b"1.0",
        b"ce-time": b"2026-11-23T12:00:31%2B08:00",
    }
    for name in chance.sample(list(attributes), chance.choice((0, 0, 1, 2))):
        del attributes[name]
    headers = list(attributes.items())
    headers += [
        (chance.choice(ATTRIBUTE_NAMES), chance.choice(ATTRIBUTE_VALUES)) for _ in range(chance.choice((0, 1, 1, 3)))
    ]
    whole = valid(chance)
    data = chance.choice((whole[whole.index(b'"data":') + 7 : -1], any_event(chance), b"", chance.choice(TOKENS)))
    kind = chance.choice(
        (
            b"application/json",
            b"application/json",
            b"application/vnd.box+json",
            b"text/json",
            b"application/octet-stream",
        )
    )
    return Attempt("binary", post(data, [bearer(keys.whole), (b"Content-Type", kind), *headers]), 1, POSTED)


def odd_headers(chance: Random, keys: Keys) -> Attempt:
    """A request in order but for headers that nobody sends."""
    body = one(chance)
    headers = [
        bearer(keys.whole),
        *typed(body),
        *chance.sample(HEADERS, chance.choice((1, 2, 4))),
        *[(b"X-N", b"1")] * chance.choice((0, 90)),
    ]
    chance.shuffle(headers)
    return Attempt("odd headers", post(body.data, headers), 1, POSTED | UNAUTHORIZED)


def odd_key(chance: Random, keys: Keys) -> Attempt:
    """A request of somebody who is nobody, or may do little."""
    text = keys.whole
    known = (
        b"", b"Bearer", b"Bearer ", b"bearer x", b"Basic", b"Basic !!!", b"Basic " + base64.b64encode(b"\xff:\xff"),
        b"Digest a=b",
        b"Negotiate", b"Bearer " + b"a" * 9000, b"Bearer yg_" + b"_" * 50, b"Bearer yg__", b"Bearer \xff\xfe",
        f"Bearer {text[:-1]}".encode(),
        f"Bearer {text}0".encode(), f"Bearer {text.upper()}".encode(), f"Basic {text}".encode(),
        f"Bearer {text}, Bearer {text}".encode(),
        b"Bearer " + text.encode()[:20] + "é".encode() + text.encode()[20:], b"Bearer\t" + text.encode(),
        f"Bearer%20{text}".encode(),
    )  # fmt: skip
    body = one(chance)
    case = chance.random()
    if case < 0.5:
        headers = [(b"Authorization", chance.choice(known)), *typed(body)]
        return Attempt("no key", post(body.data, headers), 1, UNAUTHORIZED)
    if case < 0.75:
        return Attempt("narrow key", post(body.data, [bearer(keys.narrow), *typed(body)]), 1, POSTED)
    return Attempt("limited key", post(body.data, [bearer(keys.limited), *typed(body)]), 1, POSTED | {429})


def signed(chance: Random, keys: Keys) -> Attempt:
    """A request whose signature is missing, wrong or of another time; now and then a right one."""
    body = Body(any_event(chance), chance.choice((JSON, ONE)))
    now = int(time.time())
    moment = chance.choice((now, now, now - 200, now - 4000, now + 4000))
    identity = b"m-%d" % chance.randrange(10**9)
    right = hmac.digest(
        base64.b64decode(keys.secret.removeprefix("whsec_")), b"%s.%d." % (identity, moment) + body.data, "sha256"
    )
    claim = b"v1," + base64.b64encode(right)
    headers = {b"webhook-id": identity, b"webhook-timestamp": b"%d" % moment, b"webhook-signature": claim}
    good = chance.random() < 0.2 and abs(moment - now) < 250
    if not good:
        name, value = chance.choice(
            [(b"webhook-signature", one) for one in _wrong(claim, body.data)]
            + [(b"webhook-timestamp", one) for one in MOMENTS]
            + [(b"webhook-id", one) for one in (b"", identity + b"x")]
        )
        headers[name] = value
    sent = [bearer(keys.signed), *typed(body), *headers.items()]
    return Attempt("signed", post(body.data, sent), 1, POSTED if good else UNAUTHORIZED)


def _wrong(claim: bytes, data: bytes) -> Sequence[bytes]:
    """Signatures that are none, made of a right one."""
    plain = b"v1," + base64.b64encode(hashlib.sha256(data).digest())
    return (*CLAIMS, b"v1," + claim, claim[:-3], b"v2" + claim[2:], plain)


def asked(chance: Random, keys: Keys) -> Attempt:
    """Another method, another place, another question."""
    method = chance.choice(
        (
            b"GET",
            b"GET",
            b"GET",
            b"HEAD",
            b"PUT",
            b"DELETE",
            b"OPTIONS",
            b"PATCH",
            b"TRACE",
            b"QUERY",
            b"get",
            b"M" * 300,
        )
    )
    place = chance.choice(PLACES)
    if chance.random() < 0.01:
        method, place = b"GET", chance.choice((b"/v1/rates?", b"/v1/alerts?")) + chance.choice(QUESTIONS)
    headers = [] if chance.random() < 0.5 else [bearer(keys.whole)]
    return Attempt("asked", head(method, place, headers), 1, bodyless=method == b"HEAD")


def piped(chance: Random, keys: Keys) -> Attempt:
    """Several requests in one go."""
    number = chance.choice((2, 3, 10, 40))
    parts = []
    for _ in range(number):
        body = Body(valid(chance), JSON, TAKEN)
        parts.append(
            chance.choice(
                (post(body.data, [bearer(keys.whole), *typed(body)]), head(b"GET", b"/healthz", []), post(b"x", []))
            )
        )
    return Attempt("piped", b"".join(parts), number)


def garbage(chance: Random, _keys: Keys) -> Attempt:
    """No HTTP at all."""
    noise = chance.randbytes(chance.choice((1, 30, 3000)))
    return Attempt(
        "garbage",
        chance.choice((*GARBAGE, noise, noise, chance.choice(TOKENS) * 20, chance.choice(BAD_UTF8) * 99)),
        None,
    )
