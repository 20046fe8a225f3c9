"""The simulated city in motion: all records in the order in which they arrive.

Pure: no clock, no network. Equal options give equal bytes, and a span is the same whether it is simulated at once, in
portions, or by simulations that begin where the last one stopped. For that each cell of time is drawn on its own, and a
simulation that begins later first draws the earlier cells of which something is still on its way.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from pipeline.simulator.banquets import BanquetSource
from pipeline.simulator.chance import chance
from pipeline.simulator.city import City, build_city
from pipeline.simulator.duties import DutySource
from pipeline.simulator.faults import EXTRA_MAX, Arrival, arrivals, broken_arrival, may_be_late
from pipeline.simulator.findings import FindingSource
from pipeline.simulator.heartbeats import HeartbeatSource
from pipeline.simulator.moments import MINUTE, iso, to_datetime, to_us
from pipeline.simulator.options import FaultRates, SimulationOptions
from pipeline.simulator.records import Record
from pipeline.simulator.registry import RegistrySource
from pipeline.simulator.seals import SealSource
from pipeline.simulator.source import Draft, Source, draft
from schemas.seal import Order

_OPENING: Final = -1
_STORM_SOURCE: Final = "/platform/douyin"


class Emission(NamedTuple):
    """One record that arrives.

    `reason` is None for a valid event, else the reason with which it has to be rejected: the ledger of a test.
    `fault` says what went wrong on the way (late, out_of_order, duplicate, conflict, invalid), `connection` on which of
    the producer's connections it came (0, or 1 for some duplicates)."""

    arrival_us: int
    topic: str
    key: bytes | None
    value: bytes
    reason: str | None
    fault: str | None
    connection: int

    @property
    def arrival(self) -> datetime:
        """When it arrives, Asia/Shanghai."""
        return to_datetime(self.arrival_us)

    @property
    def record(self) -> Record:
        """As it goes over the wire."""
        return Record(self.topic, self.key, self.value)


class StormSource(Source):
    """Invalid events by order (incident `reject-storm`): every event of it is broken before it arrives."""

    name = "storm"
    settled = MINUTE

    def cell(self, number: int) -> list[Draft]:
        """The good events that will be broken, as one place after the other."""
        begin = number * MINUTE
        drafts = []
        for place, incident in self.options.incidents_named("reject-storm"):
            if not incident.window.covers(begin):
                continue
            for count in range(incident.per_minute):
                moment = begin + count * MINUTE // incident.per_minute // 1000 * 1000
                order = f"ST{number}-{place}-{count}"
                data = {
                    "order_id": order,
                    "operator_id": "tw-00001",
                    "platform": "douyin",
                    "town_code": "330681001",
                    "delivered_at": iso(moment),
                    "fulfilment": "delivered",
                    "packages": 1,
                    "sealed_packages": 1,
                    "seal_state": "intact",
                    "evidence_level": 2,
                }
                identity = (incident.source or _STORM_SOURCE, order)
                drafts.append(draft(moment, Order, identity, iso(moment), data))
        return drafts

    def reasons(self, number: int) -> list[str | None]:
        """The reason that is ordered for each event of the cell; None for any."""
        begin = number * MINUTE
        storms = [one for _, one in self.options.incidents_named("reject-storm") if one.window.covers(begin)]
        return [one.reason for one in storms for _ in range(one.per_minute)]


class Simulation:
    """A city's life from one moment on.

    :param since: the first moment that is wanted, at or after the start of the options; the start if None.
    """

    def __init__(self, options: SimulationOptions, since: datetime | None = None, city: City | None = None) -> None:
        self.options = options
        self._since = options.origin if since is None else max(options.origin, to_us(since))
        city = city or build_city(options)
        registry = RegistrySource(options, city)
        self._sources: list[Source] = [
            registry,
            DutySource(options, city),
            BanquetSource(options, city),
            FindingSource(options, city),
            SealSource(options, city, registry),
            HeartbeatSource(options, city),
        ]
        if options.incidents_named("reject-storm"):
            self._sources.append(StormSource(options))
        self._silences = options.incidents_named("silence")
        self._delays = options.incidents_named("late")
        self._delay_max = max((one.minutes for _, one in self._delays), default=0) * MINUTE
        self._calendar: dict[int, list[Arrival]] = {}
        self._next = [self._first_cell(source) for source in self._sources]
        self._minute = self._since // MINUTE
        self._ready: list[Arrival] = []
        self._taken = 0
        self._ready_until = self._minute * MINUTE
        if self._since == options.origin:
            for rank, source in enumerate(self._sources):
                self._open(rank, source.opening())

    @property
    def since_us(self) -> int:
        """The first moment that it tells of, in microseconds."""
        return self._since

    def advance(self, until: datetime) -> Iterator[Emission]:
        """What arrives from where the last call ended, before `until`. Has to be read to its end."""
        return self.advance_us(to_us(until))

    def advance_us(self, until: int) -> Iterator[Emission]:
        """The same, with the moment in microseconds."""
        while True:
            ready, size = self._ready, len(self._ready)
            while self._taken < size and ready[self._taken].arrival < until:
                one = ready[self._taken]
                self._taken += 1
                if one.arrival >= self._since:
                    yield Emission(one.arrival, *one[4:])
            if self._taken < size or self._ready_until >= until:
                return
            self._draw_minute()

    def _draw_minute(self) -> None:
        """Makes the arrivals of the next minute ready; later cells bring nothing to it."""
        end = (self._minute + 1) * MINUTE
        for rank, source in enumerate(self._sources):
            while source.begin(self._next[rank]) - source.lead < end:
                self._draw_cell(rank, source, self._next[rank])
                self._next[rank] += 1
        self._ready = sorted(self._calendar.pop(self._minute, ()))
        self._taken = 0
        self._minute += 1
        self._ready_until = end

    def _first_cell(self, source: Source) -> int:
        if source.remembers or self._since == self.options.origin:
            return source.first()
        reach = source.settled + EXTRA_MAX + source.late_max + self._delay_max
        return max(source.first(), source.number_at(self._since - reach))

    def _draw_cell(self, rank: int, source: Source, number: int) -> None:
        begin = source.begin(number)
        faults = self.options.faults
        overdue = not source.remembers and begin + source.settled + EXTRA_MAX + self._delay_max <= self._since
        if overdue and not may_be_late(source, number, faults.late):
            return
        drafts = source.cell(number)
        if isinstance(source, StormSource):
            self._storm(rank, source, number, drafts)
            return
        origin = self.options.origin
        if begin - source.lead < origin:
            self._open(rank, _past(drafts, origin) if self.options.history else [], number)
            drafts = [one for one in drafts if one.arrival >= origin]
        if self._delays:
            drafts = [self._delayed(one) for one in drafts]
        for one in arrivals(source, (rank, number), drafts, faults, self._since):
            self._place(one)

    def _delayed(self, one: Draft) -> Draft:
        minutes = max(
            (
                incident.minutes
                for _, incident in self._delays
                if incident.window.covers(one.arrival) and incident.meets_event(one.topic, one.event)
            ),
            default=0,
        )
        return one._replace(arrival=one.arrival + minutes * MINUTE) if minutes else one

    def _open(self, rank: int, drafts: list[Draft], number: int = _OPENING) -> None:
        """What a source brings at the very start; nothing goes wrong with it."""
        origin = self.options.origin
        if self._since == origin:
            here = [one._replace(arrival=origin) for one in drafts]
            source = self._sources[rank]
            for one in arrivals(source, (rank, number), here, FaultRates.none(), origin):
                self._place(one._replace(place=one.place - len(here)))

    def _storm(self, rank: int, source: StormSource, number: int, drafts: list[Draft]) -> None:
        rng = chance(self.options.seed, "storm", number)
        for place, (one, reason) in enumerate(zip(drafts, source.reasons(number), strict=True)):
            self._place(broken_arrival(one, (rank, number, place), rng, reason))

    def _place(self, one: Arrival) -> None:
        if one.arrival >= self._since and not (self._silences and self._silenced(one)):
            minute = one.arrival // MINUTE
            if minute in self._calendar:
                self._calendar[minute].append(one)
            else:
                self._calendar[minute] = [one]

    def _silenced(self, one: Arrival) -> bool:
        covering = [incident for _, incident in self._silences if incident.window.covers(one.arrival)]
        if not covering or one.place < 0:  # the opening is no traffic
            return False
        event = _readable(one.value)
        return any(incident.meets_event(one.topic, event) for incident in covering)


def _past(drafts: list[Draft], origin: int) -> list[Draft]:
    """Of each entity the last event before the start."""
    last: dict[Any, Draft] = {}
    for one in drafts:
        if one.arrival < origin:
            last[one.event["subject"]] = one
    return list(last.values())


def _readable(value: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        event = {}
    if not isinstance(event, dict):
        event = {}
    data = event.get("data")
    return {"source": str(event.get("source", "")), "data": data if isinstance(data, dict) else {}}


def simulate(
    options: SimulationOptions, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Emission]:
    """All records that arrive in [since, until), in the order of their arrival, drawn as they are read.

    :param since: the start of the city's life if None. Simulating [a, b) and then [b, c) gives what [a, c) gives.
    :param until: None goes on for ever; an iterator over a city in which nothing happens then never returns.
    """
    simulation = Simulation(options, since)
    if until is not None:
        return simulation.advance(until)
    return _for_ever(simulation)


def _for_ever(simulation: Simulation) -> Iterator[Emission]:
    end = simulation.options.origin
    while True:
        end += MINUTE
        yield from simulation.advance_us(end)
