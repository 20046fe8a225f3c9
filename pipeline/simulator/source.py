"""What every source of events has in common: time is cut into cells, and a cell is drawn on its own.

A source is asked for its cells in order. What it gives for one cell depends on the options and the number of the cell,
not on the cells before it; only the registry remembers, and it is always played from the start of the city's life.
"""

from typing import Any, ClassVar, NamedTuple

from pipeline.simulator.chance import chance
from pipeline.simulator.moments import DAY, HOUR, MINUTE, day_number, day_start
from pipeline.simulator.options import SimulationOptions
from schemas.event import EventData


class Draft(NamedTuple):
    """An event that is on its way: when it arrives, in microseconds, on which topic, and what it says."""

    arrival: int
    topic: str
    event: dict[str, Any]


def draft(arrival: int, model: type[EventData], identity: tuple[str, str], time: str, data: dict[str, Any]) -> Draft:
    """A CloudEvent of the model's type with the identity (source, id), about the model's entity."""
    source, event_id = identity
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": model.type,
        "time": time,
        "subject": data[model.entity],
        "data": data,
    }
    return Draft(arrival, model.stream, event)


class Source:
    """One source of events.

    `unit` is the length of a cell, `lead` how long before its cell an event may arrive, `settled` how long after the
    cell's beginning the last of its events arrives, but for faults, `late_max` how late the fault `late` may make it,
    `past` how long before the start of the city's life its cells begin; all in microseconds."""

    name: ClassVar[str]
    unit: ClassVar[int] = MINUTE
    lead: ClassVar[int] = 0
    settled: ClassVar[int] = HOUR
    late_max: ClassVar[int] = 3 * DAY
    past: ClassVar[int] = 0
    remembers: ClassVar[bool] = False
    """Whether the cells have to be played in order from the first one."""

    def __init__(self, options: SimulationOptions) -> None:
        self.options = options

    def number_at(self, us: int) -> int:
        """The cell in which the moment lies."""
        return day_number(us) if self.unit == DAY else us // self.unit

    def begin(self, number: int) -> int:
        """When the cell begins."""
        return day_start(number) if self.unit == DAY else number * self.unit

    def first(self) -> int:
        """The first cell of the city's life."""
        past = self.past if self.options.history else 0
        return self.number_at(self.options.origin - past)

    def cell(self, number: int) -> list[Draft]:
        """What the cell brings, in a fixed order. What would have arrived before the start of the city's life is its
        past: of each entity's past only the last event is sent, at the start."""
        raise NotImplementedError

    def bound(self, _number: int) -> int | None:
        """At most how many events the cell brings, where that is cheap to know."""
        return None

    def opening(self) -> list[Draft]:
        """What arrives at the very start, before anything else."""
        return []

    def late_positions_rng(self, number: int) -> Any:
        """The generator that says which events of the cell come late, apart from all other draws: a simulation that
        goes on has to ask it for days of cells."""
        return chance(self.options.seed, "late", self.name, number)
