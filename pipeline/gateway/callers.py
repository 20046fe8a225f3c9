"""Who pushes, and how much they may."""

import base64
import binascii
import logging
import math
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, NamedTuple

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers

from pipeline.gateway.problems import ProblemError, unavailable
from pipeline.gateway.signatures import Signature, signature_of, unauthorized
from pipeline.keys.key import Grant, Key, signing_secret
from pipeline.keys.ring import KeyRing

log: Final = logging.getLogger(__name__)

_HOW: Final = "send `Authorization: Bearer KEY` with a key that `yangguang keys create` made"


class Caller(NamedTuple):
    """Who pushes: what of it is asked for each event or request."""

    producer: str
    """Empty where nobody asked."""
    grant: Grant
    rate: RateLimitItem | None = None
    signed_by: str | None = None
    """The key whose secret has to have signed the request."""
    key_id: str = ""
    """Empty where nobody asked."""


ANYBODY: Final = Caller("", Grant())


class Access(NamedTuple):
    """How a gateway is entered: from the settings."""

    required: bool = True
    """Whether a key has to be sent."""
    loopback: bool = True
    """Whether only this machine can reach the gateway, so that development keys are good."""
    signing_key: bytes = b""
    """The master of signing secrets."""


class Callers:
    """Tells who sends a request, and holds each producer to its rate."""

    def __init__(self, ring: KeyRing, access: Access) -> None:
        self._ring = ring
        self._access = access
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._callers: dict[str, Caller] = {}

    def of_request(self, headers: Headers) -> Caller:
        """Who sends a request with these headers. Raises ProblemError (401, 503)."""
        sent = headers.get("authorization")
        if sent is None:
            if self._access.required:
                raise unauthorized(f"the request has no API key: {_HOW}")
            return ANYBODY
        text = _key_in(sent)
        if text is None:
            raise unauthorized(f"the Authorization header holds no API key: {_HOW}")
        key = self._ring.find(text)
        if key is None and not self._ring.loaded.is_set():
            raise unavailable("the API keys are not read yet, as Kafka does not answer: send it again")
        if key is None:
            raise unauthorized(f"the API key is not known: {_HOW}")
        return self._good(key)

    def of_producer(self, producer: str) -> list[Caller]:
        """A producer whom somebody else has asked who it is, such as an MQTT broker: as each of its keys has it."""
        if not self._access.required:
            return [ANYBODY._replace(producer=producer)]
        return [
            self._caller(key) for key in self._ring.valid_of(producer) if self._access.loopback or not key.development
        ]

    def _good(self, key: Key) -> Caller:
        state = key.state(datetime.now(UTC))
        if state != "valid":
            raise unauthorized(f"the API key {key.id} is {state}: {_HOW}")
        if key.development and not self._access.loopback:
            raise unauthorized(f"the API key {key.id} is for development on the gateway's own machine only: {_HOW}")
        return self._caller(key)

    def _caller(self, key: Key) -> Caller:
        known = self._callers.get(key.id)
        if known is None or known.grant is not key.grant:
            rate = parse(key.rate) if key.rate else None
            signed_by = key.id if key.signed else None
            known = self._callers[key.id] = Caller(key.producer, key.grant, rate, signed_by, key.id)
        return known

    def signature(self, caller: Caller, headers: Headers) -> Signature | None:
        """The signature that the request has to have; None where its key asks for none. Raises ProblemError."""
        if caller.signed_by is None:
            return None
        return signature_of(headers, signing_secret(self._access.signing_key, caller.signed_by), time.time())

    def charge(self, caller: Caller, events: int) -> None:
        """Counts events against the producer's rate. Raises ProblemError (429; 413 where they can never fit)."""
        rate = caller.rate
        if rate is None or self._limiter.hit(rate, caller.producer, cost=events):
            return
        if events > rate.amount:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has {events} events and the API key may push {rate}: send fewer a request",
            )
        wait = self._limiter.get_window_stats(rate, caller.producer).reset_time - time.time()
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"the API key may push {rate}, which is used up; nothing of the request is stored: send it again later",
            {"Retry-After": str(max(1, math.ceil(wait)))},
        )


def _key_in(authorization: str) -> str | None:
    """The key in a header: a bearer token, or the password of Basic, for devices that know nothing else."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("latin-1").partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return None
