"""What happens that somebody has to be told of at once: the catalogue of event alerts.

An entry says what it reads, which entities can matter, and between which moments its condition holds by one record.
Adding an alert over the records of a model means adding an entry here.

Numbers and lengths of a definition are parameters, each valid from a day on. Which day counts is that of what the alert
is about: of the meal, of a certificate's end, of a camera's slot.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.banquet import Banquet
from schemas.camera import Finding
from schemas.event import EventData
from schemas.indicator import ALWAYS as FIRST_DAY
from schemas.indicator import SHANGHAI, Dated, followed_by, value_on
from schemas.registry import Operator

Record = Mapping[str, Any]
"""Fields of one current record by their names."""

NEVER: Final = datetime(2106, 1, 1, tzinfo=UTC)
"""The end of what has no end."""
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)

Parameters = Mapping[str, tuple[Dated[Any], ...]]
"""Of one alert, by name: a number, or a length of time."""


def _always(value: int | timedelta) -> tuple[Dated[Any], ...]:
    return (Dated[Any].model_validate({"from": FIRST_DAY, "value": value}),)


EVENT_PARAMETERS: Final[Mapping[str, Parameters]] = {
    # from how many diners on a banquet is guided on site (DB33/T 2346-2021), and how long before the meal at the latest
    "banquet_unguided": {"diners": _always(100), "lead": _always(timedelta(hours=24))},
    # from how many diners on a cook has to be certified
    "banquet_cook_uncertified": {"diners": _always(300)},
    # how long before a supplier's last certificate ends
    "supplier_certificate_ending": {"notice": _always(timedelta(days=30))},
    # after how long without a healthy heartbeat a school's camera is dark
    "school_camera_dark": {"silence": _always(timedelta(minutes=15))},
}
"""What can be set, by the alert's code, with its default."""

CRITICAL_FINDINGS: Final = frozenset({"RODENT", "OPEN_FIRE", "FLAME_UNATTENDED"})
_UPCOMING: Final = frozenset({"declared", "returned", "filed", "assigned", "guided", "rectifying"})
"""States of a banquet that is going to be held. A declaration that was returned is mended, and the guests come."""


class Bounds(NamedTuple):
    """Moments [begin, end) in which a condition holds by one record."""

    begin: datetime
    end: datetime


class EventEntry(NamedTuple):
    """One event alert over the current records of a model."""

    code: str
    model: type[EventData]
    fields: tuple[str, ...]
    """Fields of the record that are read; all of them are facts of the alert where they are known."""
    relevant: str
    """SQL over raw rows: an entity without such a row cannot be in breach. `{first}` and `{last}` are the minutes; a
    parameter's name stands for the value of it by which most entities matter, lengths in seconds."""
    by_change: bool
    """Only what came or changed since the last minute can begin to hold: time alone changes nothing."""
    holds: Callable[[Record, Record | None, Parameters], Bounds | None]
    """When it holds by the record, by that of the other operator that `refers_to` names, and by the parameters."""
    refers_to: str = ""
    """The field that names an operator whose current record is read too."""
    parameters: Parameters = MappingProxyType({})

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are read."""
        own = self.model.stream
        return (own, Operator.stream) if self.refers_to and own != Operator.stream else (own,)

    def candidates(self, first: str, last: str) -> str:
        """`relevant` for the minutes from `first` to `last`, which are SQL too."""
        widest = {name: _widest([one.value for one in several]) for name, several in self.parameters.items()}
        return self.relevant.format(first=first, last=last, **widest)


def _widest(values: list[Any]) -> int:
    """The longest of several lengths, and the least of several numbers."""
    if isinstance(values[0], timedelta):
        return int(max(values).total_seconds())
    return int(min(values))


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def finding_critical(record: Record, _other: Record | None, _parameters: Parameters) -> Bounds | None:
    """While a person's confirmation of an acute danger stands."""
    if record["review"] == "confirmed" and record["finding"] in CRITICAL_FINDINGS:
        return Bounds(ALWAYS, NEVER)
    return None


def banquet_unguided(record: Record, _other: Record | None, parameters: Parameters) -> Bounds | None:
    """In the last hours (`lead`) before the meal of a banquet of `diners` and more that nobody has guided."""
    held_at, guided_at = record["held_at"], record["guided_at"]
    day = _day(held_at)
    if record["status"] not in _UPCOMING or record["diners"] < value_on(parameters["diners"], day):
        return None
    if guided_at is not None and guided_at < held_at:
        return None
    return Bounds(held_at - value_on(parameters["lead"], day), held_at)


def banquet_cook_uncertified(record: Record, cook: Record | None, parameters: Parameters) -> Bounds | None:
    """Until the meal of a banquet of `diners` and more without a cook whose training and health are certified on that
    day."""
    day = _day(record["held_at"])
    if record["status"] not in _UPCOMING or record["diners"] < value_on(parameters["diners"], day):
        return None
    if cook is not None and all(
        cook[one] is not None and cook[one] >= day for one in ("training_valid_until", "health_valid_until")
    ):
        return None
    return Bounds(ALWAYS, record["held_at"])


def supplier_certificate_ending(record: Record, _other: Record | None, parameters: Parameters) -> Bounds | None:
    """From so long (`notice`, whole days) before the last certificate's last day on, also when it is over. None at all
    is not an ending."""
    until = latest_certificate(record)
    if record["kind"] != "school_supplier" or record["status"] != "active" or until is None:
        return None
    begin = until - value_on(parameters["notice"], until)
    return Bounds(datetime.combine(begin, time(), SHANGHAI).astimezone(UTC), NEVER)


def latest_certificate(record: Record) -> date | None:
    """The last day on which any of an operator's certificates is valid."""
    return max((until for _, until in record["certificates"]), default=None)


_CRITICAL_SQL: Final = ", ".join(f"'{one}'" for one in sorted(CRITICAL_FINDINGS))
_BANQUET_FIELDS: Final = (
    "town_code", "village_id", "status", "held_at", "diners", "venue", "cook_id", "guided_at",
)  # fmt: skip

EVENT_ENTRIES: Final = (
    EventEntry(
        "finding_critical",
        Finding,
        ("town_code", "operator_id", "camera_id", "finding", "review", "found_at", "zone"),
        f"review = 'confirmed' AND finding IN ({_CRITICAL_SQL})",
        True,
        finding_critical,
    ),
    EventEntry(
        "banquet_unguided",
        Banquet,
        _BANQUET_FIELDS,
        "diners >= {diners} AND held_at > {first} AND held_at <= {last} + INTERVAL {lead} SECOND",
        False,
        banquet_unguided,
        parameters=EVENT_PARAMETERS["banquet_unguided"],
    ),
    EventEntry(
        "banquet_cook_uncertified",
        Banquet,
        _BANQUET_FIELDS,
        "diners >= {diners} AND held_at > {first}",
        False,
        banquet_cook_uncertified,
        "cook_id",
        EVENT_PARAMETERS["banquet_cook_uncertified"],
    ),
    EventEntry(
        "supplier_certificate_ending",
        Operator,
        ("town_code", "name", "kind", "status", "certificates"),
        "kind = 'school_supplier'",
        False,
        supplier_certificate_ending,
        parameters=EVENT_PARAMETERS["supplier_certificate_ending"],
    ),
)

SCHOOL_CAMERA_DARK: Final = "school_camera_dark"
"""The alert that is judged on slots instead of records."""
EVENT_CODES: Final = (*(one.code for one in EVENT_ENTRIES), SCHOOL_CAMERA_DARK)


class EventRules(NamedTuple):
    """The event alerts with the parameters that are set locally."""

    entries: tuple[EventEntry, ...] = EVENT_ENTRIES
    camera: Parameters = EVENT_PARAMETERS[SCHOOL_CAMERA_DARK]


def event_rules(given: Mapping[str, Parameters]) -> EventRules:
    """What is judged by, where `given` has what is set of each code: until the first day of a list the default
    holds."""

    def applied(code: str, own: Parameters) -> Parameters:
        return {name: followed_by(several, given.get(code, {}).get(name, ())) for name, several in own.items()}

    return EventRules(
        tuple(one._replace(parameters=applied(one.code, one.parameters)) for one in EVENT_ENTRIES),
        applied(SCHOOL_CAMERA_DARK, EVENT_PARAMETERS[SCHOOL_CAMERA_DARK]),
    )
