"""A small city for the tests, and the judge of its events: the same decoder that reads them in earnest."""

from datetime import UTC, datetime
from typing import Any, Final

from pipeline.simulator import Emission, FaultRates, SimulationOptions
from schemas.catalogue import STREAMS
from schemas.decode import Decoder
from schemas.event import Event

START: Final = datetime.fromisoformat("2026-11-23T10:00+08:00")
ALL_FAULTS: Final = FaultRates(
    late=0.02, duplicate=0.02, out_of_order=0.02, invalid=0.05, conflict=0.01, unregistered=0.01
)
_DECODERS: Final = {topic: Decoder(topic) for topic in STREAMS}
_LATEST: Final = datetime(2027, 6, 1, tzinfo=UTC)


def small(**changes: Any) -> SimulationOptions:
    """A city of 120 merchants and a few of everything else, without faults unless they are asked for."""
    options: dict[str, Any] = {
        "start": START,
        "orders_per_day": 3_000,
        "operators": {"takeaway": 120, "school_canteen": 6, "caring_canteen": 25, "banquet_cook": 30},
        "villages": 60,
        "cameras": 8,
        "banquets_per_day": 4.0,
        "faults": FaultRates.none(),
    }
    return SimulationOptions(**(options | changes))


def verdict(emission: Emission) -> str | None:
    """The reason with which the decoder of its topic refuses a record; None if it accepts it."""
    outcome = _DECODERS[emission.topic].decode(emission.value, _LATEST)
    return None if isinstance(outcome, Event) else str(outcome.reason)
