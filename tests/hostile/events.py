"""Events that are broken on purpose: valid ones with bytes or values changed, and what was never an event."""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, Final

from tests.hostile.oddities import BAD_UTF8, TOKENS, VALUES
from tests.schemas.events import REQUIRED, least, whole

VALID: Final = tuple(
    json.dumps(make(kind), ensure_ascii=ascii_only, separators=(",", ":")).encode()
    for kind in REQUIRED
    for make, ascii_only in ((whole, False), (least, True))
)
DEPTHS: Final = (2, 50, 127, 128, 129, 199, 200, 201, 900, 999, 1001, 5000)
DEPTH_MAX: Final = 100_000
AT_THE_LIMIT: Final = (65_535, 65_536, 65_537)

Maker = Callable[[Random], bytes]


def valid(chance: Random) -> bytes:
    """An event in order, with an id that may have been before."""
    return chance.choice(VALID).replace(b"01JD9ZK3-7", b"h-%d" % chance.randrange(10**6), 1)


def noise(chance: Random) -> bytes:
    """Any bytes, or pieces of JSON in no order."""
    if chance.random() < 0.5:
        return chance.randbytes(chance.randrange(200))
    return b"".join(chance.choice(TOKENS + BAD_UTF8) for _ in range(chance.randrange(12)))


def damaged(chance: Random) -> bytes:
    """A valid event in which some bytes are changed, taken away, doubled, or come from another one."""
    return bent(chance, valid(chance))


def bent(chance: Random, text: bytes) -> bytes:
    """Another text likewise."""
    raw = bytearray(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(raw) + 1)
        to = min(len(raw), at + chance.choice((1, 1, 2, 10, 60)))
        match chance.randrange(7):
            case 0 if at < len(raw):
                raw[at] ^= 1 << chance.randrange(8)
            case 1:
                del raw[at:to]
            case 2:
                raw[at:at] = raw[at:to]
            case 3:
                raw[at:at] = chance.choice(TOKENS)
            case 4:
                raw[at:to] = chance.choice(TOKENS + BAD_UTF8)
            case 5:
                raw[at:] = valid(chance)[chance.randrange(300) :]
            case _:
                raw[at:to] = chance.randbytes(chance.randrange(4))
    return bytes(raw)


def altered(chance: Random) -> bytes:
    """A valid event of which one to three values are others, at any depth, or are gone, or are new."""
    return changed(chance, json.loads(valid(chance)))


def changed(chance: Random, message: dict[str, Any]) -> bytes:
    """Another message likewise; the one that is given is changed."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        target: Any = chance.choice((message, message.get("data"), message.get("data")))
        while isinstance(target, dict | list) and target:
            place: Any = chance.choice(list(target) if isinstance(target, dict) else range(len(target)))
            if isinstance(target[place], dict | list) and target[place] and chance.random() < 0.6:
                target = target[place]
                continue
            if isinstance(target, list) or chance.random() < 0.6:
                target[place] = deepcopy(chance.choice(VALUES))
            elif chance.random() < 0.5:
                del target[place]
            else:
                name = chance.choice(("x", "", "extensions", "id", "person", "13800138000", "a/b~c"))
                target[name] = deepcopy(chance.choice(VALUES))
            break
    return json.dumps(message, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def nested(chance: Random) -> bytes:
    """An event with something deep in one of its places, which may never end."""
    depth = DEPTH_MAX if chance.random() < 0.01 else chance.choice(DEPTHS)
    begin, end = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"":', b"}]"), (b'{"a":[', b"]}"), (b"[0,", b"]")))
    deep = begin * depth + b"1" + (b"" if chance.random() < 0.2 else end * depth)
    raw = valid(chance)
    place = chance.randrange(5)
    if place == 0:
        return deep
    if place == 1:
        return raw[:-1] + b',"subject":' + deep + b"}"
    if place == 2:
        return raw[:-2] + b',"extensions":' + deep + b"}}"
    if place == 3:
        return raw.replace(b'"data":{', b'"data":' + deep + b',"y":{', 1)
    return raw.replace(b'"time":"', b'"time":' + deep + b',"z":"', 1)


def doubled(chance: Random) -> bytes:
    """A valid event with keys that come twice, with other values."""
    raw = valid(chance)
    name = chance.choice((b"id", b"type", b"source", b"time", b"data", b"specversion", b"town_code", b"status"))
    again = b'"%s":%s,' % (name, json.dumps(chance.choice(VALUES)).encode())
    where = chance.choice((b"{", b'"data":{'))
    return raw.replace(where, where + again * chance.choice((1, 1, 2, 500 if len(again) < 100 else 1)), 1)


def long(chance: Random) -> bytes:
    """An event about as long as events may be, or of one huge number or string."""
    raw = valid(chance)
    match chance.randrange(4):
        case 0:
            return raw[:-1] + b" " * (chance.choice(AT_THE_LIMIT) - len(raw)) + b"}"
        case 1:
            return (
                raw[:-1]
                + b',"x":'
                + chance.choice((b"9", b"0.9", b"-1e"))
                + b"9" * chance.choice((100, 4300, 4301, 60_000))
                + b"}"
            )
        case 2:
            text = chance.choice((b"x", b"\\u4e00", b"\\\\", "诸".encode(), b"\\ud800"))
            return raw.replace(b'"source":"', b'"source":"' + text * chance.choice((255, 257, 10_000)), 1)
        case _:
            many = b",".join(chance.choice((b"1", b"{}", b'"x"', b"null")) for _ in range(chance.choice((300, 3000))))
            field = chance.choice((b"platforms", b"certificates", b"open_hours", b"accepted", b"subject"))
            return raw.replace(b'"data":{', b'"data":{"%s":[%s],' % (field, many), 1)


def foreign(chance: Random) -> bytes:
    """A valid event in an encoding that JSON is not sent in."""
    text = valid(chance).decode()
    return chance.choice((b"", b"\xef\xbb\xbf")) + text.encode(
        chance.choice(("utf-8", "utf-16", "utf-16-le", "utf-32-be", "gb18030", "big5", "utf-7", "latin-1")), "replace"
    )


def scalar(chance: Random) -> bytes:
    """JSON that is no event."""
    return json.dumps(chance.choice(VALUES)).encode()


MAKERS: Final[tuple[Maker, ...]] = (valid, noise, damaged, altered, nested, doubled, long, foreign, scalar)
_WEIGHTS: Final = (12, 10, 30, 22, 6, 5, 4, 3, 8)


def any_event(chance: Random) -> bytes:
    """One of all of these."""
    [make] = chance.choices(MAKERS, _WEIGHTS)
    return make(chance)
