"""One API key: pure values. What is kept of a key is its digest and what it may; its text is shown once.

A key has 256 random bits, so a plain SHA-256 of it cannot be reversed by trying, and is enough."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from limits import parse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.catalogue import STREAMS
from schemas.event import Event
from schemas.towns import TOWNS

PREFIX: Final = "yg"
SHORT_STREAMS: Final = {stream.removeprefix("yangguang."): stream for stream in STREAMS}
"""What people call the streams (registry, camera, banquet, seal), and their topics."""

_SECRET_BYTES: Final = 32
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH: Final = 8
_SOURCES_KNOWN: Final = 10_000

Right = Literal["push", "acknowledge", "silence"]
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
StreamName = Literal["registry", "camera", "banquet", "seal"]
ProducerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


def _town(code: str) -> str:
    if code not in TOWNS:
        raise ValueError(f"{code} is no town code: use one of {', '.join(TOWNS)}")
    return code


def _rate(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise ValueError(f"{text} is no rate: write events per time, such as 100/second or 60000/minute") from None
    return text


class Grant(BaseModel):
    """What a key may: by itself push events and nothing else. An empty list of streams, sources or towns allows all.

    A source is a prefix up to a `/`: `/platform/jd` allows `/platform/jd` and `/platform/jd/east`, not `/platform/jdx`.
    With a `*` at its end it is any beginning: `/vendor/box-*` allows `/vendor/box-7`."""

    model_config = ConfigDict(frozen=True, ignored_types=(cached_property,))

    may: tuple[Right, ...] = ("push",)
    """Keys from before there were other rights do not say it."""
    streams: tuple[StreamName, ...] = ()
    sources: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()
    towns: tuple[Annotated[str, AfterValidator(_town)], ...] = ()

    @cached_property
    def _sources_asked(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _topics(self) -> frozenset[str]:
        return frozenset(SHORT_STREAMS[one] for one in self.streams)

    @cached_property
    def _towns(self) -> frozenset[str]:
        return frozenset(self.towns)

    def refusal(self, event: Event) -> str | None:
        """JSON pointer and message where the event is not the producer's to push; None where it is."""
        if "push" not in self.may:
            return f"/source: the API key may {' and '.join(self.may) or 'nothing'} only: ask for one that may push"
        if self.streams and event.data.stream not in self._topics:
            return f"/type: the API key is for {', '.join(self.streams)} only: ask for one that has this stream"
        if self.sources and not self.allows_source(event.source):
            return "/source: is not a source of this API key's producer: send your own, or ask for a key that has it"
        if self.towns and getattr(event.data, "town_code", None) not in self._towns:
            return "/data/town_code: the API key is not for this town: ask for one that has it"
        return None

    def allows_source(self, source: str) -> bool:
        """Whether the source is one of the producer's. Producers have few, so answers are remembered."""
        known = self._sources_asked.get(source)
        if known is None:
            known = not self.sources or any(_begins(source, one) for one in self.sources)
            if len(self._sources_asked) < _SOURCES_KNOWN:
                self._sources_asked[source] = known
        return known


def _begins(source: str, prefix: str) -> bool:
    if prefix.endswith("*"):
        return source.startswith(prefix[:-1])
    return source == prefix or source.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


class Key(BaseModel):
    """What is kept of a key. Times are UTC."""

    model_config = ConfigDict(frozen=True)

    id: str
    producer: ProducerName
    digest: str
    """SHA-256 of the key's text, hexadecimal."""
    grant: Grant = Grant()
    rate: Annotated[str, AfterValidator(_rate)] | None = None
    """Events in a time that the producer may push; None: as many as the gateway takes."""
    signed: bool = False
    """Its requests have to be signed."""
    development: bool = False
    """Made by `yangguang up` for this machine: only good at a gateway that listens on loopback."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> Literal["valid", "revoked", "expired"]:
        """Whether the key is good now."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"

    def shown(self, now: datetime) -> dict[str, Any]:
        """The key for people who look after keys: everything but its digest."""
        shown = self.model_dump(mode="json", exclude={"digest", "grant"})
        return {**shown, **self.grant.model_dump(mode="json"), "state": self.state(now)}


class NewKey(NamedTuple):
    """A key that was just made, and its text, which nobody can tell later."""

    key: Key
    text: str


def new_key(producer: str, at: datetime, **fields: Any) -> NewKey:
    """A new random key. Raises pydantic's ValidationError for fields that cannot be."""
    identity = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    text = f"{PREFIX}_{identity}_{secrets.token_hex(_SECRET_BYTES)}"
    made = Key.model_validate(
        {"id": identity, "producer": producer, "digest": digest_of(text), "created_at": at, **fields}
    )
    return NewKey(made, text)


def digest_of(text: str) -> str:
    """What is kept of a key's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def id_of(text: str) -> str | None:
    """The id in a key's text; None where the text is no key."""
    prefix, _, rest = text.partition("_")
    identity, _, secret = rest.partition("_")
    return identity if prefix == PREFIX and identity and secret else None


def signing_secret(master: bytes, identity: str) -> str:
    """The secret with which requests of a signed key are signed, in the form of Standard Webhooks: `whsec_` and base64.

    It is derived from the key's id and kept nowhere: who has the master can tell it, who has the stored keys cannot."""
    derived = hmac.digest(master, f"signing:{identity}".encode(), "sha256")
    return "whsec_" + base64.b64encode(derived).decode()
