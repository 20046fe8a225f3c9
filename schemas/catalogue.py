"""Every event type there is: which topic carries it and which model reads it."""

from typing import Final

from schemas.banquet import Banquet
from schemas.camera import Finding, Heartbeat, Kitchen
from schemas.event import Event, EventData, envelope
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.seal import Order

MODELS: Final[tuple[type[EventData], ...]] = (
    Operator,
    Village,
    Measure,
    Heartbeat,
    Finding,
    Kitchen,
    Banquet,
    Order,
)

EVENT_TYPES: Final[dict[str, type[EventData]]] = {model.type: model for model in MODELS}
ENVELOPES: Final[dict[str, type[Event]]] = {model.type: envelope(model) for model in MODELS}
STREAMS: Final[tuple[str, ...]] = tuple(dict.fromkeys(model.stream for model in MODELS))
"""The four streams, which are also the names of their topics."""

REJECTED_TOPIC: Final = "yangguang.rejected"
LANDED_TOPIC: Final = "yangguang.landed"
AGGREGATED_TOPIC: Final = "yangguang.aggregated"
ALERTS_TOPIC: Final = "yangguang.alerts"
KEYS_TOPIC: Final = "yangguang.keys"
"""The newest record of each API key: who may push what. Compacted, so it is kept for ever."""
AUDIT_TOPIC: Final = "yangguang.audit"
"""Who did what by hand: keys made and revoked, raw bytes of rejected events looked at, replays."""
ACTIONS_TOPIC: Final = "yangguang.actions"
"""What people did about alerts: acknowledgements, silences, and silences taken back."""
