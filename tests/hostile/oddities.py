"""What requests are broken with: pieces at which readers of JSON, of HTTP and of headers differ."""

from typing import Any, Final

Header = tuple[bytes, bytes]

_TEXTS: Final = (
    "NaN", "-Infinity", "Infinity", "1e400", "-1e-400", "-0", "0x10", "1_000", "01", ".5", "5.", "+1", "9" * 400,
    "9" * 5000, f"1e{'9' * 300}", "null", "true", "nul", "{}", "[]", "[[[[", "}}", '"', "\\", '\\"', "\\u0000",
    "\\ud800", "\\udfff\\ud800", "\\uD83D\\uDE00", "\\u12", "\\x41", "\x00", "\x1f", "\x7f", "\u0085", "\u2028",
    "\ufeff", "\ufffe", "\ud800", "𠀀", "e\u0301\u0323", "ﬁ", "\u202e", "A" * 300, "é" * 129, "%s%n",
    "'; DROP TABLE x--", "${x}", "\r\n", "\n\n", "\t", " ", ",", ":", ",,", '"id":', '"type":"', '"data":',
    '"extensions":', '"__proto__":1,', "//", "/**/",
)  # fmt: skip
TOKENS: Final = tuple(text.encode("utf-8", "surrogatepass") for text in _TEXTS)
"""Pieces of text."""

BAD_UTF8: Final = (
    b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82", b"\xf8\x88\x80\x80\x80",
)  # fmt: skip
"""Bytes that are no UTF-8."""

VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 3.0, 1e308, 2**63, 2**64, -(2**70), 10**300, "", " ", "x" * 257, "x" * 70000, "\x00", "诸暨",
    "2026-11-23", "9999-12-31T23:59:59Z", "1999-12-31T23:59:59Z", "2026-11-23T24:00:00+08:00",
    "0001-01-01T00:00:00+14:00", [], {}, [[]], [None], {"": {}}, [1] * 500, ["x"] * 3, {"name": 1}, {"a" * 300: "b"},
    "330681001", "op-1", "JY" + "9" * 14,
)  # fmt: skip
"""Values that are no field's, or hardly."""

CONTENT_TYPES: Final = (
    "", "text/plain", "application/xml", "application/json, text/plain", "*/*", "application/", "/", ";",
    "application/json;charset=gbk", "application/json; charset=utf-16", "application/x-ndjson;charset=\"latin1\"",
    "multipart/form-data; boundary=x", "é", "a" * 3000, "application/json;;;=;charset",
    "APPLICATION/JSON; CHARSET=UTF-8", "application/vnd.x+json", "application/cloudevents+xml",
    "application/json\t; charset = \"utf-8\"", "application/avro", "application/json; charset=utf-8; charset=gbk",
)  # fmt: skip
"""Of bodies, as nobody should announce them."""

LENGTHS: Final = (
    b"-1", b"+5", b"0x10", b"5 ", b"5, 5", b"5,6", b"1e3", b"", b"9" * 30, b"\xb2", b"5;x", b"00000000000000000005",
    b" 5", b"5.0",
)  # fmt: skip
"""Of Content-Length."""

CODINGS: Final = (
    b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"identity", b"xchunked", b"chunked;q=1", b'"chunked"',
    b"Chunked", b"\x0bchunked", b"chunked, identity", b"",
)  # fmt: skip
"""Of Transfer-Encoding."""

CHUNKS: Final = (
    b"", b"-5\r\n", b"zz\r\n", b"\r\n", b"5\r\nab", b"f" * 30 + b"\r\n", b"5 \r\nabcde\r\n0\r\n\r\n", b"0\r\n",
    b"0\r\nno colon\r\n\r\n", b"5;" + b"x" * 30_000, b"2\r\nabXX0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"1\r\nx\r\n" * 3000, b"5\nabcde\n0\n\n", b"0\r\n" + b"A: b\r\n" * 9000, b"\x00", b"0" * 500 + b"5\r\n",
)  # fmt: skip
"""What follows a chunk, or comes in its place."""

ATTRIBUTE_VALUES: Final = (
    b"1", b"1.0", b"/platform/meituan", b"yangguang.seal.order.v1", b"2026-11-23T12:00:31+08:00", b"%FF", b"%00", b"%",
    b"%zz", b"%25%32%35", b'"', b'"\\"', b'"a\\"b"', b"\xff\xfe", b"\xe8\xaf\xb8", b"a" * 9000, b"%E8%AF%B8" * 60, b"",
    b"{}", b'","data":{}}', b"%22,%22data%22:1", b"null",
)  # fmt: skip
"""Of headers in binary mode."""

ATTRIBUTE_NAMES: Final = (
    b"ce-id", b"ce-source", b"ce-type", b"ce-specversion", b"ce-time", b"CE-Subject", b"ce-data", b"ce-data_base64",
    b"ce-", b"ce-datacontenttype", b"ce-x", b"ce-ID", b"ce-\x7e!#",
)  # fmt: skip
"""Of headers in binary mode."""

HEADERS: Final[tuple[Header, ...]] = (
    (b"X-" + b"a" * 200, b"b" * 3000), (b"Accept", b"*/*;q=" + b"9" * 500), (b"Cookie", b"=;" * 900),
    (b"Range", b"bytes=0-,-1"), (b"Transfer-Encoding-X", b"chunked"), (b"X-Forwarded-For", b"'\"<>, ::1, unknown"),
    (b"X-Forwarded-Proto", b"gopher"), (b"Forwarded", b'for="[::1'), (b"Connection", b"keep-alive, te, \xff"),
    (b"Keep-Alive", b"timeout=99999999999999999999"), (b"Accept-Encoding", b"br;q=1, gzip;q=x"), (b"Origin", b"null"),
    (b"If-None-Match", b"*"), (b"Date", b"never"), (b"TE", b"trailers, x"), (b"X-HTTP-Method-Override", b"DELETE"),
    (b"X-Original-URL", b"/healthz"), (b"Trailer", b"Content-Length"), (b"Via", b"\xe8\xaf\xb8"),
    (b"Content-Type", b"text/plain"), (b"Content-Encoding", b"gzip"), (b"Authorization", b"Bearer x"),
    (b"Content-Encoding", b""), (b"Content-Length-X", b"5"), (b"Expect", b"100-continue"),
    (b"Upgrade-Insecure-Requests", b"1"), (b"Content-Disposition", b"\x80"), (b"traceparent", b"00-" + b"f" * 32),
    (b"webhook-id", b"1"), (b"webhook-timestamp", b"9" * 400),
)  # fmt: skip
"""Headers that nobody sends with an event."""

CLAIMS: Final = (b"", b"v1,", b"v1,!!", b"v1," + b"A" * 5000, b"\xff", b" ".join([b"v1,AAAA"] * 900))
"""Signatures that are none."""

MOMENTS: Final = (b"", b"now", b"9" * 6000, b"-1", b"\xb2\xb3", b"1e9", b"0x1", b" 1", b"1.5")
"""Times of signatures that are none."""

PLACES: Final = (
    b"/", b"/healthz", b"/readyz", b"/v1/schemas", b"/v1/schemas/x", b"/v1/schemas/yangguang.seal.order.v1",
    b"/v1/events", b"/v1/events/", b"/V1/EVENTS", b"/v1//events", b"/v1/events/../rates", b"//",
    b"/%2e%2e/%2e%2e/etc/passwd", b"/%00", b"/%", b"/%ff%fe", b"/v1/schemas/" + b"a" * 6000, b"/v1/vendors/x",
    b"/v1/vendors/%2F", b"*", b"http://elsewhere/v1/events", b"/v1/events;x=1", b"/?" + b"&" * 500,
    b"/healthz?" + b"a=b&" * 900, b"/v1/schemas/%F0%9F%98%80", b"/v1/alerts/x/ack", b"/docs", b"/openapi.json",
    b"/metrics", b"/v1/rejected?limit=1", b"/v1/rejected?since=%ff&until=9999-99-99",
    b"/v1/rejected?limit=" + b"9" * 90, b"/v1/rejected?reason='", b"/v1/events#x", b"/\\..\\", b"/v1/events%20",
    b"/v1/events?x=[]{}|<>\"`",
)  # fmt: skip
"""Where nothing is to be had, or something else."""

QUESTIONS: Final = (
    b"indicator=x", b"scope=city&scope=town", b"x=1", b"status=%27%20OR%201=1--", b"window=%00", b"indicator=%ff",
    b"scope_id=" + b"9" * 900, b"=", b"&&", b"indicator[]=x", b"state=\\'", b"indicator=%F0%9F%98%80%5C",
    b"scope=" + b"%5B" * 300, b"scope_id={x:String}",
)  # fmt: skip
"""To what can be asked."""

GARBAGE: Final = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), b"\r\n" * 9,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 5000,
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", b"GET /" + b"a" * 70_000,
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n",
    b"\n", b" GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
)  # fmt: skip
"""No HTTP, or hardly."""
