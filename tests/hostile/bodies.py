"""Bodies of requests: events one by one, in lists and in lines, whole and broken, plainly and compressed."""

import gzip
import json
import zlib
from random import Random
from typing import Final, NamedTuple

from tests.hostile.events import any_event, damaged, nested, scalar, valid
from tests.hostile.oddities import CONTENT_TYPES

JSON: Final = "application/json"
ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
LINES: Final = "application/x-ndjson"
BLANK: Final = b" \t\r\n"
MIB: Final = 1 << 20

EVENTS_MAX: Final = 10_000
TAKEN: Final = frozenset({202, 207, 422})


class Body(NamedTuple):
    """A body, and what has to become of it where that can be said."""

    data: bytes
    content_type: str
    statuses: frozenset[int] | None = None
    """None: any that a request with events may get."""
    items: int | None = None
    """The number of results where the events are judged."""
    encoding: str = ""


def one(chance: Random) -> Body:
    """One event."""
    data = any_event(chance)
    if chance.random() < 0.1:
        data = chance.choice((b" ", b"\n", b"\t\r\n", b"\x0b")) + data + chance.choice((b" ", b"\n", b"\x00", b"{}"))
    content_type = chance.choice((JSON, JSON, ONE))
    start = data.lstrip(BLANK)[:1]
    if not start:
        return Body(data, content_type, frozenset({400}))
    if content_type == ONE or start == b"{":
        return Body(data, content_type, TAKEN, 1)
    return Body(data, content_type)


def a_list(chance: Random) -> Body:
    """A list whose items are JSON, so that each has to have its result."""
    items = [_whole_item(chance) for _ in range(chance.choice((1, 2, 3, 5, 20)))]
    space = chance.choice((b"", b"", b" ", b"\r\n\t"))
    data = space + b"[" + space + (space + b"," + space).join(items) + space + b"]" + space
    return Body(data, chance.choice((JSON, BATCH)), TAKEN, len(items))


def _whole_item(chance: Random) -> bytes:
    """JSON that is an event or not, such as readers agree upon where it ends."""
    item = chance.choice((valid, valid, scalar, _deep, _renamed))(chance)
    if chance.random() < 0.05:
        item = item.replace(
            b'"id":"', b'"id":' + chance.choice((b"NaN", b"-Infinity", b"1e999", b"9" * 9000)) + b',"i":"', 1
        )
    return item


def _deep(chance: Random) -> bytes:
    depth = chance.choice((3, 150, 250, 990, 3000, 20_000))
    return b'{"a":[' * depth + chance.choice((b"", b'"]}\\""', b"1")) + b"]}" * depth


def _renamed(chance: Random) -> bytes:
    return valid(chance).replace(
        chance.choice((b'"data"', b'"id"', b'"type"', b'"town_code"')),
        json.dumps(chance.choice(("", "x", "数据", "id", "\ud800"))).encode(),
        1,
    )


def broken_list(chance: Random) -> Body:
    """A list that is damaged, has no end, or has nothing in it."""
    match chance.randrange(6):
        case 0:
            return Body(chance.choice((b"[]", b" [ ] ", b"[\n]")), chance.choice((JSON, BATCH)), frozenset({400}))
        case 1:
            item, most = chance.choice(((b"1", EVENTS_MAX - 1), (b"{}", 200), (valid(chance), 100)))
            data = b"[" + b",".join([item] * chance.choice((3, most)))
            return Body(data, JSON, frozenset({422}), 1)
        case 2:
            data = b"[" + b"1," * chance.choice((EVENTS_MAX, 3 * EVENTS_MAX)) + b"1"
            return Body(data, BATCH, frozenset({413}))
        case 3:
            data = b"[" + chance.choice((b",", b"")).join(damaged(chance) for _ in range(3)) + b"]"
        case 4:
            data = b"[" + nested(chance) + b"," + nested(chance)
        case _:
            data = b"[" * chance.choice((1, 2, 1001, 2000)) + b'"' + b'\\"' * chance.choice((1, 500, 30_000))
    return Body(data, JSON)


def lines(chance: Random) -> Body:
    """One event a line, with line ends of all kinds."""
    several = [chance.choice((any_event, valid))(chance) for _ in range(chance.choice((1, 1, 2, 4, 30)))]
    ends = (b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b" \n", b"\x0b", "\u2028".encode(), b"\x00\n")
    data = b"".join(line + chance.choice(ends) for line in several)
    if chance.random() < 0.02:
        data = chance.choice((b"1\n", b"{}\r\n", b"\xff\n")) * chance.choice((EVENTS_MAX // 10, EVENTS_MAX + 1))
    number = sum(bool(line.strip(BLANK)) for line in data.split(b"\n"))
    if not number:
        return Body(data, LINES, frozenset({400}))
    return Body(data, LINES, TAKEN if number <= EVENTS_MAX else frozenset({413}), number)


def odd_type(chance: Random) -> Body:
    """A body whose Content-Type is missing, strange, or not what it is."""
    kind = chance.choice(CONTENT_TYPES)
    return Body(any_event(chance), kind)


def packed(chance: Random) -> Body:
    """A body with gzip, whole or damaged, in members, or more than it seems."""
    inner = chance.choice((one, a_list, lines))(chance)
    raw = gzip.compress(inner.data, chance.choice((0, 1, 9)))
    match chance.randrange(8):
        case 0 | 1:
            return inner._replace(data=raw, encoding=chance.choice(("gzip", "x-gzip", " GZIP ")))
        case 2:
            cut = raw[: chance.randrange(len(raw))]
            return Body(cut, inner.content_type, frozenset({400}), encoding="gzip")
        case 3:
            bent = bytearray(raw)
            bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
            return Body(bytes(bent), inner.content_type, encoding="gzip")
        case 4:
            at = chance.randrange(len(inner.data) + 1)
            members = (
                gzip.compress(inner.data[:at])
                + gzip.compress(b"") * chance.choice((0, 3))
                + gzip.compress(inner.data[at:])
            )
            return inner._replace(data=members, encoding="gzip")
        case 5:
            return Body(raw + chance.choice((b"\x00", b"x", raw[:9], b"\x1f\x8b")), inner.content_type, encoding="gzip")
        case 6:
            return Body(inner.data, inner.content_type, frozenset({400}), encoding="gzip")
        case _:
            other = chance.choice(
                ("deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "compress", "\xff", "gzip;q=1")
            )
            return Body(zlib.compress(inner.data), inner.content_type, frozenset({415}), encoding=other)


def huge(chance: Random) -> Body:
    """What takes much more to read than to send, or is simply too much."""
    match chance.randrange(9):
        case 0:
            return Body(gzip.compress(bytes(chance.choice((9, 60)) * MIB)), JSON, frozenset({413}), encoding="gzip")
        case 1:
            return Body(gzip.compress(gzip.compress(bytes(30 * MIB))), JSON, TAKEN, 1, "gzip")
        case 2:
            members = gzip.compress(b" " * chance.choice((0, 100))) * chance.choice((990, 1100, 5000))
            return Body(members, LINES, frozenset({400}), encoding="gzip")
        case 3:
            return Body(gzip.compress(valid(chance) + b" " * (8 * MIB)), ONE, frozenset({413}), encoding="gzip")
        case 4:
            many = chance.choice((b"[],", b"{},", b'{"a":1},', b'{"":{}},', b'"",')) * chance.choice((10_000, 300_000))
            return Body(b"[[" + many + b"1]]", JSON, frozenset({422}), 1)
        case 5:
            return Body(
                chance.choice((b"[", b'{"":', b'{"a":[')) * chance.choice((100_000, 1_000_000)),
                JSON,
                frozenset({422}),
                1,
            )
        case 6:
            return Body(b"[" * 2000 + b'"' + b'\\"' * 1_000_000, JSON, frozenset({422}), 1)
        case 7:
            item = b'{"a":"' + bytes([chance.randrange(97, 122)]) * chance.choice((65_600, 1_200_000)) + b'"}'
            return Body(b"[" + item + b"," + valid(chance) + b"]", BATCH, frozenset({207}), 2)
        case _:
            return Body(b"[" + b" " * (8 * MIB) + b"1]", JSON, frozenset({413}))


_MAKERS: Final = (one, a_list, broken_list, lines, odd_type, packed)
_WEIGHTS: Final = (50, 12, 8, 12, 6, 12)


def any_body(chance: Random) -> Body:
    """One of all of these but the huge ones."""
    [make] = chance.choices(_MAKERS, _WEIGHTS)
    return make(chance)
