"""The oracle's first half: from accepted records to settled events, and to what was current when.

Nothing of the project is used here. Times are integers, microseconds since 1970 UTC.
"""

import json
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from tests.system.records import FINDING, HEARTBEAT, KITCHEN, MEASURE, OPERATOR, ORDER, RECORD, VILLAGE

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SHANGHAI: Final = 8 * HOUR
"""Ahead of UTC, without summer time since 1991."""

ENTITY: Final = {
    OPERATOR: "operator_id", VILLAGE: "village_id", MEASURE: "measure_id", HEARTBEAT: "camera_id",
    FINDING: "finding_id", KITCHEN: "operator_id", RECORD: "banquet_id", ORDER: "order_id",
}  # fmt: skip
_MOMENTS: Final = frozenset(
    {"delivered_at", "found_at", "due_at", "closed_at", "declared_at", "held_at", "guided_at", "done_at"}
)
_SETS: Final = frozenset({"platforms", "accepted", "certificates", "open_hours"})
_AS_THEY_ARE: Final = frozenset({"extensions", "vendor_code", "finding"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


class Event(NamedTuple):
    """One accepted event. Of `data`, texts are trimmed and NFC, moments are integers, nulls are gone."""

    type: str
    source: str
    id: str
    time: int
    subject: str
    data: dict[str, Any]

    @property
    def order(self) -> tuple[int, str, str]:
        """By which events of one entity follow each other."""
        return self.time, self.id, self.source


def moment(text: str) -> int:
    """RFC 3339 to microseconds; further digits are cut."""
    match = _TIME.fullmatch(text)
    assert match, f"{text} is no time of the log maker"
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")) - _EPOCH
    return whole // timedelta(seconds=1) * SECOND + int((match[2] or "0")[:6].ljust(6, "0"))


def shown(microseconds: int) -> datetime:
    """A moment as datetime, for comparison with what a table shows."""
    return _EPOCH + timedelta(microseconds=microseconds)


def minute_of(moment: int) -> int:
    """The minute that holds a moment, by its begin."""
    return moment // MINUTE * MINUTE


def day_of(moment: int) -> date:
    """The day in Asia/Shanghai that holds a moment."""
    return _EPOCH.date() + timedelta(days=(moment + SHANGHAI) // DAY)


def end_of(day: str) -> int:
    """The midnight in Asia/Shanghai with which a day ends."""
    return ((date.fromisoformat(day) - _EPOCH.date()).days + 1) * DAY - SHANGHAI


def parse(value: bytes) -> Event:
    """Reads an event that is to be accepted. An empty list is as if absent."""
    raw = json.loads(value)
    data = {name: _normal(name, one) for name, one in raw["data"].items() if one not in (None, [])}
    return Event(raw["type"], raw["source"], raw["id"], moment(raw["time"]), raw.get("subject") or "", data)


def _normal(name: str, value: Any) -> Any:
    if name in _AS_THEY_ARE:
        return value
    if name in _MOMENTS:
        return moment(value)
    if name in _SETS:
        return sorted({json.dumps(one, sort_keys=True): one for one in value}.values(), key=_canonical)
    if isinstance(value, dict):
        return {inner: _normal(inner, one) for inner, one in value.items() if one is not None}
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def settle(events: Iterable[Event]) -> list[Event]:
    """One event of each identity: the greater time wins, then the greater content."""
    winners: dict[tuple[str, str, str], Event] = {}
    for event in events:
        identity = event.type, event.source, event.id
        known = winners.get(identity)
        if known is None or (known.time, _canonical(known.data)) < (event.time, _canonical(event.data)):
            winners[identity] = event
    return list(winners.values())


def by_entity(events: Iterable[Event], kind: str) -> dict[str, list[Event]]:
    """Events of one type by entity, each list in the order in which they follow each other."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.type == kind:
            found.setdefault(event.data[ENTITY[kind]], []).append(event)
    return {entity: sorted(several, key=lambda one: one.order) for entity, several in found.items()}


def current(events: Iterable[Event], kind: str) -> dict[str, Event]:
    """The current record of every entity of a type."""
    return {entity: several[-1] for entity, several in by_entity(events, kind).items()}


_EVIDENCE: Final = ("packages", "sealed_packages", "seal_state", "evidence_level", "code", "photo_uri")


def best_evidence(events: list[Event]) -> Event:
    """Of an order's events the one that says most surely how it was sealed."""
    return max(events, key=lambda one: (one.data["evidence_level"], *one.order))


def order_record(events: list[Event]) -> dict[str, Any]:
    """An order as its events, in their order, say together."""
    latest, best = events[-1].data, best_evidence(events).data
    kept = {name: value for name, value in latest.items() if name not in _EVIDENCE}
    return kept | {name: best[name] for name in _EVIDENCE if name in best}


class Timed:
    """Entities of one type with their events in order, cut at a minute."""

    def __init__(self, events: Iterable[Event], kind: str) -> None:
        self._entities = [
            (entity, several, [one.time for one in several]) for entity, several in by_entity(events, kind).items()
        ]

    def before(self, minute: int) -> dict[str, Event]:
        """What was current by the events before the minute; entities without any are left out."""
        return {
            entity: events[count - 1]
            for entity, events, times in self._entities
            if (count := bisect_left(times, minute))
        }
