"""What the tables must say about a log, worked out anew from the rules in plain Python, slowly and in the open.

Nothing of the project is used here. Times are integers, microseconds since 1970 UTC.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from tests.system.oracle_cameras import SLOT, cameras
from tests.system.oracle_events import (
    DAY,
    SECOND,
    Event,
    by_entity,
    current,
    minute_of,
    order_record,
    parse,
    settle,
    shown,
)
from tests.system.oracle_flow import flow
from tests.system.oracle_indicators import AVAILABILITY, INDICATORS, STOCK, Rate, Rates, Unit, summed
from tests.system.oracle_stock import Stock
from tests.system.records import ORDER, Record, accepted

__all__ = ["LATENESS", "Event", "Oracle", "shown"]

LATENESS: Final = 60 * SECOND


class Oracle:
    """All that follows from a log.

    :param active_days: days for which an order makes a takeaway operator active; 0 does not ask.
    """

    def __init__(self, log: Iterable[Record], active_days: int = 30) -> None:
        came = [parse(one.value or b"") for one in accepted(log)]
        self.events = settle(came)
        self.clock = max((one.time for one in came), default=0)
        self.watermark = self.clock - LATENESS
        self.as_of = minute_of(self.watermark)
        self.orders = {name: order_record(several) for name, several in by_entity(self.events, ORDER).items()}
        self._stock = Stock(self.events, active_days * DAY)
        self._flow = flow(self.events)
        self._cameras = cameras(self.events, self.as_of)

    def current(self, kind: str) -> dict[str, Event]:
        """The current record of every entity of a type."""
        return current(self.events, kind)

    def conflicts(self) -> dict[str, set[int]]:
        """Orders whose events disagree on the delivery, with what they say."""
        said = {
            order: {one.data["delivered_at"] for one in several}
            for order, several in by_entity(self.events, ORDER).items()
        }
        return {order: times for order, times in said.items() if len(times) > 1}

    def stock(self, minute: int) -> Rates:
        """The rates of every stock indicator at a minute, by the events before it."""
        return summed(self._stock.units(minute))

    @cached_property
    def stock_minutes(self) -> list[int]:
        """Every minute up to as_of at which a stock rate may change."""
        return self._stock.minutes(self.as_of)

    def units(self, code: str, start: int, end: int) -> list[Unit]:
        """What counts in [start, end), of stock at its end."""
        kind = INDICATORS[code].kind
        if kind == STOCK:
            return [unit for one, unit in self._stock.units(end) if one == code]
        if kind == AVAILABILITY:
            return [unit for camera in self._cameras if (unit := camera.unit(start, end))]
        return [one.unit for one in self._flow if one.code == code and start <= one.at < end]

    def between(self, code: str, start: int, end: int) -> Rates:
        """The rates of every place over [start, end), of stock at its end."""
        return summed((code, unit) for unit in self.units(code, start, end))

    def moments(self, code: str) -> list[int]:
        """When something of an indicator counts or changes: begins of slots, moments of flow, minutes of stock."""
        kind = INDICATORS[code].kind
        if kind == STOCK:
            return self.stock_minutes
        if kind == AVAILABILITY:
            return sorted({slot for camera in self._cameras for slot in camera.expected})
        return sorted({one.at for one in self._flow if one.code == code})

    def history(self) -> dict[tuple[str, str, str, int], Rate]:
        """Flow and availability of every minute that has any, a slot at its first."""
        minutes: dict[int, list[tuple[str, Unit]]] = {}
        for at, code, unit in self._dated():
            minutes.setdefault(minute_of(at), []).append((code, unit))
        return {
            (*place, minute): rate for minute, several in minutes.items() for place, rate in summed(several).items()
        }

    def _dated(self) -> Iterator[tuple[int, str, Unit]]:
        for one in self._flow:
            yield one.at, one.code, one.unit
        for camera in self._cameras:
            for slot in camera.expected:
                if unit := camera.unit(slot, slot + SLOT):
                    yield slot, "camera_online", unit
