"""What goes wrong on the way: late, doubled, out of order, conflicting and broken events.

A cell's events are judged by their place in it, with generators apart from those that drew the events, so that faults
never change what happens in the city.
"""

from random import Random
from typing import Any, Final, NamedTuple

import orjson

from pipeline.simulator.chance import chance, positions
from pipeline.simulator.invalid import break_event
from pipeline.simulator.moments import MINUTE, SECOND
from pipeline.simulator.options import FaultRates
from pipeline.simulator.records import key_of
from pipeline.simulator.source import Draft, Source

EXTRA_MAX: Final = 31 * MINUTE + 90 * SECOND
"""How much later than the last of its events a cell's duplicates and broken events arrive at the most."""


class Arrival(NamedTuple):
    """One record that will arrive. The first four fields order all arrivals of a simulation."""

    arrival: int
    rank: int
    cell: int
    place: int
    topic: str
    key: bytes | None
    value: bytes
    reason: str | None
    fault: str | None
    connection: int


def _encoded(event: dict[str, Any]) -> bytes:
    """Compact JSON in a buffer of its own size: the one that comes from the encoder takes ten times as much memory,
    which counts where records wait."""
    return bytes(memoryview(orjson.dumps(event)))


def may_be_late(source: Source, cell: int, rate: float) -> bool:
    """Whether an event of the cell comes late by the fault `late`, as far as that is cheap to know."""
    bound = source.bound(cell)
    return rate > 0 and (bound is None or bool(positions(source.late_positions_rng(cell), rate, bound)))


def arrivals(source: Source, order: tuple[int, int], drafts: list[Draft], rates: FaultRates, cut: int) -> list[Arrival]:
    """What arrives of a cell's events, with the faults at these rates; what arrives before `cut` may be left out.

    :param order: the rank of the source and the number of the cell."""
    rank, cell = order
    size = len(drafts)
    late = positions(source.late_positions_rng(cell), rates.late, size)
    rng = chance(source.options.seed, "fault", source.name, cell)
    swapped = positions(rng, rates.out_of_order, size)
    doubled = positions(rng, rates.duplicate, size)
    conflicting = positions(rng, rates.conflict, size)
    broken = positions(rng, rates.invalid, size)
    late_by = {place: _lateness(source, cell, place) for place in late}
    swapped_by = {place: int((5 + rng.random() * 85) * SECOND) for place in swapped}
    result = []
    for place, (moment, topic, event) in enumerate(drafts):
        fault = None
        arrival = moment
        if place in swapped_by:
            arrival, fault = moment + swapped_by[place], "out_of_order"
        if place in late_by:
            arrival, fault = moment + late_by[place], "late"
        if arrival >= cut:
            value = _encoded(event)
            result.append(Arrival(arrival, rank, cell, place, topic, key_of(event), value, None, fault, 0))
    extra = size
    for place in doubled:
        moment, topic, event = drafts[place]
        arrival = moment + SECOND + int(rng.random() ** 2 * 30 * MINUTE)
        connection = rng.randrange(2)
        value = _encoded(event)
        result.append(Arrival(arrival, rank, cell, extra, topic, key_of(event), value, None, "duplicate", connection))
        extra += 1
    for place in conflicting:
        moment, topic, event = drafts[place]
        arrival = moment + SECOND + int(rng.random() * MINUTE)
        value = _encoded(_contradict(event, rng))
        result.append(Arrival(arrival, rank, cell, extra, topic, key_of(event), value, None, "conflict", 0))
        extra += 1
    for place in broken:
        moment, topic, event = drafts[place]
        result.append(broken_arrival(Draft(moment + SECOND, topic, event), (rank, cell, extra), rng, None))
        extra += 1
    return result


def broken_arrival(one: Draft, order: tuple[int, int, int], rng: Random, reason: str | None) -> Arrival:
    """A broken copy of an event, under an id of its own, so that the good one stands."""
    event = {**one.event, "id": f"{one.event['id']}-x{order[2]}"}
    wrong = break_event(event, one.topic, rng, reason)
    return Arrival(one.arrival, *order, wrong.topic, key_of(event), wrong.value, str(wrong.reason), "invalid", 0)


def _lateness(source: Source, cell: int, place: int) -> int:
    """From five minutes to what the source allows, a median of one and a half hours."""
    rng = chance(source.options.seed, "lateness", source.name, cell, place)
    return min(source.late_max, int(5 * MINUTE + rng.lognormvariate(4.6, 1.5) * MINUTE))


def _contradict(event: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The same identity with another content: an order's seal, a count, or a vendor's remark differ. In half of the
    cases the envelope is equal, so that only the content decides which of the two stands."""
    data = dict(event["data"])
    if "seal_state" in data:
        data["seal_state"] = "broken" if data["seal_state"] != "broken" else "intact"
    elif "picture" in data:
        data["picture"] = "covered" if data["picture"] != "covered" else "ok"
    elif "diners" in data:
        data["diners"] += 1
    elif "officers" in data:
        data["officers"] += 1
    data["extensions"] = {"revision": rng.randrange(2, 9)}
    time = event["time"]
    if rng.random() < 0.5 and time[20:23] != "999":
        time = f"{time[:20]}{int(time[20:23]) + 1:03d}{time[23:]}"
    return {**event, "time": time, "data": data}
