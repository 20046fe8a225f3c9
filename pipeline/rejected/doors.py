"""What the gateway's doors know, for those who judge a refused event again: keys and vendors' mappings as they are now.

Each is read when it is first asked for: most refused events need neither."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from pipeline.keys.key import Grant
from pipeline.keys.topic import read_keys
from pipeline.rejected.replay import EventsOf, Permitted
from pipeline.settings import Settings
from pipeline.vendors import Ignored, Vendor, load_vendors
from schemas.event import Event
from schemas.reject import Reason, Rejection


def events_of(settings: Settings) -> EventsOf:
    """Reads vendors' messages as a gateway with these settings would. A message that holds nothing for us has no event.

    What is returned raises SettingsError where a mapping cannot be used."""

    @cache
    def vendors() -> dict[str, Vendor]:
        return load_vendors(settings)

    def events(name: str, raw: bytes) -> Sequence[bytes] | Rejection:
        vendor = vendors().get(name)
        if vendor is None:
            return Rejection(Reason.NOT_MAPPED, f": {settings.config} names no vendor {name[:100]}")
        found = vendor.events(raw)
        return [] if isinstance(found, Ignored) else found

    return events


def permitted(settings: Settings) -> Permitted:
    """Tells whether a gateway with these settings would let a producer push an event now: one of its keys has to be
    valid and allow it.

    What is returned raises KafkaError where the keys cannot be read."""

    @cache
    def keys() -> dict[str, list[Grant]]:
        now = datetime.now(UTC)
        found: dict[str, list[Grant]] = {}
        for key in read_keys(settings.kafka_address).values():
            if key.state(now) == "valid" and (settings.on_loopback or not key.development):
                found.setdefault(key.producer, []).append(key.grant)
        return found

    def may(producer: str, event: Event) -> bool:
        if settings.authentication == "off":
            return True
        return any(grant.refusal(event) is None for grant in keys().get(producer, ()))

    return may
