"""What a simulation is told: which city, how much happens in it, and what goes wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pipeline.simulator.incidents import Incident
from pipeline.simulator.moments import DAY, MINUTE, to_us

OPERATORS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "takeaway": 3_800,
        "school_canteen": 60,
        "eldercare_canteen": 16,
        "workplace_canteen": 30,
        "caring_canteen": 60,
        "delivery_unit": 8,
        "school_supplier": 6,
        "banquet_centre": 40,
        "banquet_cook": 150,
        "cook_company": 3,
        "dining_street": 3,
    }
)
"""How many operators of each kind the city has, about what the city's targets speak of."""


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Shares of all events, 0 to 1.

    The late come minutes to days late, heartbeats up to an hour. The duplicate come again byte for byte, half of them
    on another connection. The out of order come up to 90 s late, behind later events of the same entity. The invalid
    come besides the good ones, so nothing is missing without them. The conflicting come again under the same id with
    other content. The unregistered are orders of operators that the registry does not know."""

    late: float = 0.001
    duplicate: float = 0.002
    out_of_order: float = 0.005
    invalid: float = 0.0005
    conflict: float = 0.0002
    unregistered: float = 0.0003

    def __post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if not 0 <= rate <= 1:
                raise ValueError(f"fault rate {name}={rate} is not valid: use a share from 0 to 1")

    @classmethod
    def none(cls) -> "FaultRates":
        """A world without faults."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class SimulationOptions:
    """One simulated city and its life.

    :param start: when its life begins (cut to the minute): first comes its registry, with times before the start.
        A simulation that goes on later keeps the start, and asks for a later span.
    :param seed: equal options and seeds give equal bytes.
    :param orders_per_day: takeaway orders of a mean day, over the curves of the day and the week.
    :param operators: number of operators by kind; kinds that are not named keep their default.
    :param cameras: number of cameras; each sends a heartbeat every 60 s of the open hours.
    :param findings_per_camera_day: raw findings of the cameras' programs.
    :param banquets_per_day: rural banquets of a mean day.
    :param seal_coverage: the share of delivered orders with a proved seal, in normal times.
    :param kitchens_active: the share of takeaway merchants whose kitchen is built, at the start.
    :param history: whether the start has a past: last orders of the merchants in the 30 days before, banquets of a
        year, findings of ten days.
    :param predecessor: when an earlier life of the city ended, if its events are still there. The registry at the start
        is then dated after it, so that it replaces the earlier one.
    :param faults: what goes wrong everywhere and always.
    :param incidents: what goes wrong at a place and time.

    Raises ValueError for a number that makes no city.
    """

    start: datetime
    seed: int = 1
    orders_per_day: int = 200_000
    operators: Mapping[str, int] = field(default_factory=dict)
    villages: int = 500
    cameras: int = 200
    findings_per_camera_day: float = 2.0
    banquets_per_day: float = 13.0
    seal_coverage: float = 0.945
    kitchens_active: float = 0.93
    history: bool = True
    predecessor: datetime | None = None
    faults: FaultRates = FaultRates()
    incidents: tuple[Incident, ...] = ()

    def __post_init__(self) -> None:
        to_us(self.start)  # refuses a naive one
        if self.predecessor is not None and to_us(self.predecessor) > to_us(self.start):
            raise ValueError(f"predecessor {self.predecessor} is after the start {self.start}: use an earlier moment")
        unknown = set(self.operators) - set(OPERATORS)
        if unknown:
            raise ValueError(f"operator kind {min(unknown)} is not known: use {', '.join(OPERATORS)}")
        numbers = {
            "orders_per_day": self.orders_per_day,
            "villages": self.villages,
            "cameras": self.cameras,
            "findings_per_camera_day": self.findings_per_camera_day,
            "banquets_per_day": self.banquets_per_day,
            **self.operators,
        }
        for name, number in numbers.items():
            if number < 0:
                raise ValueError(f"{name}={number} is not valid: use 0 or more")
        for name, share in (("seal_coverage", self.seal_coverage), ("kitchens_active", self.kitchens_active)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share} is not valid: use a share from 0 to 1")

    def entered(self, share: float, days: float) -> int:
        """When something that was there at the start became true: a share of the time before it, of so many days."""
        earliest = int(self.origin - days * DAY)
        if self.predecessor is not None:
            earliest = min(self.origin, max(earliest, to_us(self.predecessor)))
        return int(self.origin - share * (self.origin - earliest)) // 1000 * 1000

    @property
    def origin(self) -> int:
        """The start in microseconds, cut to the minute."""
        return to_us(self.start) // MINUTE * MINUTE

    def count(self, kind: str) -> int:
        """Number of operators of a kind."""
        return self.operators.get(kind, OPERATORS[kind])

    def incidents_named(self, name: str) -> list[tuple[int, Incident]]:
        """The incidents of one name, each with its place in the list."""
        return [(number, one) for number, one in enumerate(self.incidents) if one.name == name]

    def fingerprint(self) -> str:
        """Names the city and what happens in it, without its start and what goes wrong: a simulation can go on where
        another one stopped if these are equal."""
        counts = {kind: self.count(kind) for kind in OPERATORS}
        rest = (self.orders_per_day, self.villages, self.cameras, self.findings_per_camera_day, self.banquets_per_day)
        return f"{self.seed} {counts} {rest} {self.seal_coverage} {self.kitchens_active}"
