"""Signed requests, as Standard Webhooks signs them: HMAC-SHA256 over id, timestamp and body as they were sent.

The time window keeps an old request from being played again, and within the window each signature is taken once. A
replay could do little harm anyway, as an event counts once; but the producer whose request was caught shall be told.
Each gateway process remembers for itself."""

import base64
import binascii
import hashlib
import hmac
import time
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from starlette.datastructures import Headers

from pipeline.gateway.problems import ProblemError, unavailable

WINDOW_SECONDS: Final = 300
_REMEMBERED_MAX: Final = 200_000
_VERSION: Final = "v1,"


class Signature(NamedTuple):
    """What the headers claim, and the digest that the body is fed to as it arrives."""

    digest: Any
    claimed: tuple[bytes, ...]

    def holds(self) -> bool:
        """Whether one of the claimed signatures is that of the body fed so far."""
        right = self.digest.digest()
        return any(hmac.compare_digest(right, one) for one in self.claimed)


def signature_of(headers: Headers, secret: str, now: float) -> Signature:
    """The request's signature, before its body has been read. Raises ProblemError (401) where it cannot be good.

    :param secret: `whsec_` and base64.
    :param now: Unix seconds.
    """
    identity, moment, claims = (headers.get(f"webhook-{one}", "") for one in ("id", "timestamp", "signature"))
    if not (identity and moment and claims):
        raise unauthorized(
            "this API key's requests have to be signed: send the headers webhook-id, webhook-timestamp and "
            "webhook-signature as Standard Webhooks has them"
        )
    if not moment.isascii() or not moment.isdigit() or abs(now - int(moment[:12])) > WINDOW_SECONDS:
        raise unauthorized(
            f"webhook-timestamp is not within {WINDOW_SECONDS} s of the gateway's clock, which says {int(now)}: set "
            "the clock right and sign anew"
        )
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identity}.{moment}.".encode("latin-1", "replace"), hashlib.sha256)
    return Signature(digest, tuple(_decoded(one) for one in claims.split() if one.startswith(_VERSION)))


def _decoded(claim: str) -> bytes:
    try:
        return base64.b64decode(claim.removeprefix(_VERSION), validate=True)
    except (binascii.Error, ValueError):
        return b""


class Seen:
    """The signatures that were taken within the window."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def take(self, signature: Signature) -> bytes:
        """Remembers a signature that holds; it is given back with `forget` where nothing came of the request.

        Raises ProblemError: 401 for a signature that does not hold or was taken before, 503 where there is no room."""
        if not signature.holds():
            raise unauthorized(
                "webhook-signature is not that of this request: sign `id.timestamp.body`, the body as it is sent, with "
                "the key's signing secret"
            )
        now = time.monotonic()
        mark: bytes = signature.digest.digest()
        if self._until.get(mark, 0.0) > now:
            raise unauthorized("this signed request was taken before: sign a repeat anew, with its own timestamp")
        while self._until and (len(self._until) >= _REMEMBERED_MAX or next(iter(self._until.values())) <= now):
            oldest = next(iter(self._until))
            if self._until[oldest] > now:
                raise unavailable(
                    "the gateway remembers as many signed requests as it may: send fewer, with more events"
                )
            del self._until[oldest]
        self._until[mark] = now + 2 * WINDOW_SECONDS
        return mark

    def forget(self, mark: bytes | None) -> None:
        """Nothing is stored of the request: it may come again as it was."""
        if mark is not None:
            self._until.pop(mark, None)


def unauthorized(detail: str) -> ProblemError:
    """401, with how to say who one is."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer realm="yangguang"'})
