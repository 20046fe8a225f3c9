"""Links by which whoever was told of an alert acts on it without an account: the address itself is the right to do so.

A link names one firing of one alert and an end. Forging one needs the key; whoever is handed one may use it, so links
are sent to people on duty only and end soon."""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Final, NamedTuple

PATH: Final = "/a/"
_TAG_BYTES: Final = 16
_TOKEN_MAX: Final = 2048
"""The longest link is that of a source of which too much is refused: 256 letters of up to 4 bytes, which with the rest
of the claim and the tag are 1500 characters in base64."""


class LinkError(Exception):
    """The address is none of ours, or its time is over."""

    def __init__(self, expired: bool) -> None:
        super().__init__("the link has expired" if expired else "the link is none of ours")
        self.expired = expired


class Linked(NamedTuple):
    """What a link is for."""

    alert_id: str
    since: datetime
    """When the firing began."""
    expires: datetime


def link_key(master: bytes) -> bytes:
    """The key of links, of the master of signing secrets: another purpose, another key."""
    return hmac.digest(master, b"yangguang alert links", "sha256")


def make_link(base_url: str, key: bytes, alert_id: str, since: datetime, expires: datetime) -> str:
    """The address for one firing.

    :param base_url: of the gateway as people reach it.
    :param key: from `link_key`.
    :param since: the minute at which the firing began."""
    claim = json.dumps(
        [alert_id, since.astimezone(UTC).isoformat(), int(expires.timestamp())],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    return f"{base_url.rstrip('/')}{PATH}{_text(claim)}.{_text(_tag(key, claim))}"


def read_token(token: str, key: bytes, at: datetime) -> Linked:
    """What the last part of an address is for. Raises LinkError for what was not made with this key, and after its
    end."""
    try:
        if len(token) > _TOKEN_MAX:
            raise LinkError(expired=False)
        claim, tag = (_bytes(one) for one in token.split("."))
        if not hmac.compare_digest(tag, _tag(key, claim)):
            raise LinkError(expired=False)
        alert_id, since, expires = json.loads(claim)
    except (ValueError, binascii.Error):
        raise LinkError(expired=False) from None
    if at.timestamp() >= expires:
        raise LinkError(expired=True)
    return Linked(str(alert_id), datetime.fromisoformat(since), datetime.fromtimestamp(expires, UTC))


def _tag(key: bytes, claim: bytes) -> bytes:
    return hmac.new(key, claim, hashlib.sha256).digest()[:_TAG_BYTES]


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(value) != text:
        raise ValueError("another spelling of the same bytes")
    return value
