"""CloudEvents in HTTP binary mode: attributes in `ce-` headers, data in the body; kept in structured mode."""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from pipeline.gateway.items import BLANK, is_json
from schemas.reject import Reason, Rejection

_PREFIX: Final = "ce-"
_REQUIRED: Final = frozenset({"id", "source", "specversion", "type"})
_READABLE_LENGTH: Final = 256


def attributes_of(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The event's attributes; bytes that are not UTF-8 become surrogates, which no event may have.

    Of doubled headers the last counts, as of doubled keys."""
    found = {}
    for raw_name, value in headers:
        name = raw_name.decode("latin-1").lower()
        if name.startswith(_PREFIX) and name not in ("ce-data", "ce-data_base64"):
            found[name.removeprefix(_PREFIX)] = _decoded(value)
    return found


def is_binary(attributes: dict[str, str]) -> bool:
    """Whether the headers name any attribute that every event has."""
    return not _REQUIRED.isdisjoint(attributes)


def _decoded(value: bytes) -> str:
    """Quotes taken off, then percent-decoded once, as the HTTP binding of CloudEvents says."""
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = value[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    return unquote_to_bytes(value).decode("utf-8", "surrogateescape")


def structured(attributes: dict[str, str], content_type: str, body: bytes) -> tuple[bytes, Rejection | None]:
    """The event's text in structured mode, around the data as it was sent; and the refusal, where the data are no JSON:
    the text then carries them as `data_base64`."""
    head = json.dumps({**attributes, "datacontenttype": content_type})[:-1]
    if not body.strip(BLANK):
        return f"{head}}}".encode(), None
    if is_json(body):
        return head.encode() + b',"data":' + body.strip(BLANK) + b"}", None
    raw = f'{head},"data_base64":"{base64.b64encode(body).decode()}"}}'.encode()
    known = (
        "".join(filter(str.isprintable, attributes.get(name, "")[:_READABLE_LENGTH]))
        for name in ("source", "id", "type")
    )
    return raw, Rejection(Reason.NOT_JSON, "/data: the body is not JSON", *known)
