"""The first question of ClickHouse's Go driver, with which Grafana's data source connects over HTTP.

The driver reads that one answer as a block of the newest protocol, which the engine does not write. Told in it that the
server's revision is 0, it reads every later block in the form in which the engine does write them."""

import struct
from typing import Final

_QUESTION: Final = "SELECT displayName(), version(), revision(), timezone()"
_SINCE: Final = 54_454
"""From this revision on a column has a mark of how it is serialised, as in `_column`."""
_BLOCK: Final = b"\x01\x00\x02" + struct.pack("<i", -1) + b"\x00"
"""Before each block since revision 51903: no overflows, no bucket."""


def hello(sql: str, protocol: str, fmt: str, version: str, timezone: str) -> bytes | None:
    """The answer to a driver that introduces itself, None where the query is another or wants another form.

    :param protocol: `client_protocol_version` of the request.
    :param fmt: format of the answer."""
    if sql.strip() != _QUESTION or fmt != "Native" or not protocol.isdecimal() or int(protocol) < _SINCE:
        return None
    columns = (
        _column("displayName()", "String", _text("yangguang")),
        _column("version()", "String", _text(version)),
        _column("revision()", "UInt32", struct.pack("<I", 0)),
        _column("timezone()", "String", _text(timezone)),
    )
    return b"".join((_BLOCK, bytes((len(columns), 1)), *columns))


def _column(name: str, kind: str, value: bytes) -> bytes:
    return _text(name) + _text(kind) + b"\x00" + value


def _text(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 128, "a length of one byte"
    return bytes((len(data),)) + data
