"""What happens that somebody has to be told of at once: the catalogue of event alerts.

An entry says what it reads, which entities can matter, and between which moments its condition holds by one record.
Adding an alert over the records of a model means adding an entry here.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from schemas.banquet import Banquet
from schemas.camera import Finding
from schemas.event import EventData
from schemas.indicator import SHANGHAI
from schemas.registry import Operator

Record = Mapping[str, Any]
"""Fields of one current record by their names."""

NEVER: Final = datetime(2106, 1, 1, tzinfo=UTC)
"""The end of what has no end."""
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)

CRITICAL_FINDINGS: Final = frozenset({"RODENT", "OPEN_FIRE", "FLAME_UNATTENDED"})
GUIDED_DINERS: Final = 100
"""From how many diners on a banquet is guided on site (DB33/T 2346-2021)."""
CERTIFIED_DINERS: Final = 300
GUIDANCE_DUE: Final = timedelta(hours=24)
CERTIFICATE_NOTICE: Final = timedelta(days=30)
DARK_SLOTS: Final = 3
"""Slots of 5 minutes in a row without a healthy heartbeat after which a school's camera is dark."""

_UPCOMING: Final = frozenset({"declared", "filed", "assigned", "guided", "rectifying"})
"""States of a banquet that is going to be held."""


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
    """SQL over raw rows: an entity without such a row cannot be in breach. `{first}` and `{last}` are the minutes."""
    by_change: bool
    """Only what came or changed since the last minute can begin to hold: time alone changes nothing."""
    holds: Callable[[Record, Record | None], Bounds | None]
    """When it holds by the record, and by that of the other operator that `refers_to` names."""
    refers_to: str = ""
    """The field that names an operator whose current record is read too."""

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are read."""
        own = self.model.stream
        return (own, Operator.stream) if self.refers_to and own != Operator.stream else (own,)


def finding_critical(record: Record, _other: Record | None) -> Bounds | None:
    """While a person's confirmation of an acute danger stands."""
    if record["review"] == "confirmed" and record["finding"] in CRITICAL_FINDINGS:
        return Bounds(ALWAYS, NEVER)
    return None


def banquet_unguided(record: Record, _other: Record | None) -> Bounds | None:
    """In the last 24 hours before the meal of a banquet that nobody has guided."""
    held_at, guided_at = record["held_at"], record["guided_at"]
    if record["status"] not in _UPCOMING or record["diners"] < GUIDED_DINERS:
        return None
    if guided_at is not None and guided_at < held_at:
        return None
    return Bounds(held_at - GUIDANCE_DUE, held_at)


def banquet_cook_uncertified(record: Record, cook: Record | None) -> Bounds | None:
    """Until the meal of a great banquet without a cook whose training and health are certified on that day."""
    if record["status"] not in _UPCOMING or record["diners"] < CERTIFIED_DINERS:
        return None
    day = record["held_at"].astimezone(SHANGHAI).date()
    if cook is not None and all(
        cook[one] is not None and cook[one] >= day for one in ("training_valid_until", "health_valid_until")
    ):
        return None
    return Bounds(ALWAYS, record["held_at"])


def supplier_certificate_ending(record: Record, _other: Record | None) -> Bounds | None:
    """From 30 days before the last certificate's last day on, also when it is over. None at all is not an ending."""
    until = latest_certificate(record)
    if record["kind"] != "school_supplier" or record["status"] != "active" or until is None:
        return None
    return Bounds(datetime.combine(until - CERTIFICATE_NOTICE, time(), SHANGHAI).astimezone(UTC), NEVER)


def latest_certificate(record: Record) -> date | None:
    """The last day on which any of an operator's certificates is valid."""
    return max((until for _, until in record["certificates"]), default=None)


_CRITICAL_SQL: Final = ", ".join(f"'{one}'" for one in sorted(CRITICAL_FINDINGS))
_BANQUET_FIELDS: Final = ("town_code", "status", "held_at", "diners", "venue", "cook_id", "guided_at")

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
        f"diners >= {GUIDED_DINERS} AND held_at > {{first}} AND held_at <= {{last}} + INTERVAL 24 HOUR",
        False,
        banquet_unguided,
    ),
    EventEntry(
        "banquet_cook_uncertified",
        Banquet,
        _BANQUET_FIELDS,
        f"diners >= {CERTIFIED_DINERS} AND held_at > {{first}}",
        False,
        banquet_cook_uncertified,
        "cook_id",
    ),
    EventEntry(
        "supplier_certificate_ending",
        Operator,
        ("town_code", "name", "kind", "status", "certificates"),
        "kind = 'school_supplier'",
        False,
        supplier_certificate_ending,
    ),
)

SCHOOL_CAMERA_DARK: Final = "school_camera_dark"
"""The alert that is judged on slots instead of records."""
EVENT_CODES: Final = (*(one.code for one in EVENT_ENTRIES), SCHOOL_CAMERA_DARK)
