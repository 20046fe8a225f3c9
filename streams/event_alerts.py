"""Event alerts: what happened and has to be told at once, judged at every minute of as_of by what the entries of
schemas/event_alerts.py say of current records, and of schools' cameras by their slots."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.event import EventData
from schemas.event_alerts import EVENT_CODES, SCHOOL_CAMERA_DARK, EventEntry, EventRules, Parameters
from schemas.registry import Operator, Village
from sinks.clickhouse import alerts, event_records
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.event_records import Known, Version
from sinks.clickhouse.rates import SLOT_SECONDS
from sinks.clickhouse.speech import StreamMark, stream_marks
from streams.alert import PublishTransitions, beginning
from streams.event_phases import MINUTE, closing, dark_phases, facts_text, judged, longest_silence, phases

LANDING_SLACK: Final = timedelta(minutes=2)
"""How long rows may take from their landing time until they can be read."""
HOUR: Final = 3600
CAMERA_CODE: Final = "camera_online"
"""The indicator whose slots and bindings are read."""
_NAMED: Final[tuple[tuple[str, str, type[Operator | Village]], ...]] = (
    ("operator_id", "operator_name", Operator),
    ("village_id", "village_name", Village),
)
"""Facts that name somebody: the identity, the fact that says the name, and whose record has it."""
CAMERA_STREAMS: Final = ("yangguang.camera", Operator.stream)
"""The streams that dark cameras are judged by."""

ReadVersions = Callable[
    [Store, type[EventData], Collection[str], Collection[str], datetime], Awaitable[dict[str, list[Version]]]
]
"""Reads events of a model's entities as `event_records.versions` does."""


def _days(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The minutes from `first` to `last` in portions of a day: what is read at once stays small."""
    while first <= last:
        end = min(last, first + timedelta(days=1) - MINUTE)
        yield first, end
        first = end + MINUTE


async def judge_records(
    store: Store,
    entry: EventEntry,
    first: datetime,
    last: datetime,
    known: Mapping[str, Known],
    landed_since: datetime | None = None,
    read: ReadVersions = event_records.versions,
) -> tuple[dict[str, Known], list[dict[str, Any]]]:
    """The alerts of one entry after the minutes from `first` to `last`, by subject, and their rows of `alert_log`, of
    which the facts are not yet text. Writes nothing.

    :param known: the alerts' states before the first minute.
    :param landed_since: None to look at everything, else of an entry that only changes matter to at what landed since.
    :param read: how records are read; a replay leaves out what was not known yet."""
    entities = await event_records.candidates(store, entry, first, last, landed_since)
    entities |= {subject for subject, one in known.items() if one.state == "firing"}
    lives = await read(store, entry.model, entry.fields, entities, last)
    others: dict[str, list[Version]] = {}
    if entry.refers_to:
        named = {one.record[entry.refers_to] for life in lives.values() for one in life} - {None, ""}
        others = await read(store, Operator, event_records.COOK_FIELDS, named, last)
    after: dict[str, Known] = {}
    rows: list[dict[str, Any]] = []
    for subject, life in sorted(lives.items()):
        state, more = judged(entry.code, subject, phases(entry, life, others), known.get(subject), first, last)
        rows += more
        if state is not None:
            after[subject] = state
    return after, rows


async def judge_cameras(
    store: Store, parameters: Parameters, first: datetime, last: datetime, known: Mapping[str, Known]
) -> tuple[dict[str, Known], list[dict[str, Any]]]:
    """The same of schools' cameras, as they are bound now and by the slots that are stored now."""
    after = dict(known)
    rows: list[dict[str, Any]] = []
    if int(last.timestamp()) // SLOT_SECONDS * SLOT_SECONDS < first.timestamp():
        return after, rows  # no slot has ended
    firing = {camera for camera, one in after.items() if one.state == "firing"}
    cameras = await event_records.school_cameras(store, CAMERA_CODE, firing)
    listed = [one.camera_id for one in cameras]
    for begin, end in _days(first, last) if cameras else ():
        since = int((begin - longest_silence(parameters)).timestamp()) // HOUR * HOUR
        bits = await event_records.healthy_hours(store, CAMERA_CODE, listed, since, int(end.timestamp()))
        hours: dict[str, dict[int, int]] = {}
        for (camera_id, hour), healthy in bits.items():
            hours.setdefault(camera_id, {})[hour] = healthy
        for camera in cameras:
            state = after.get(camera.camera_id)
            dark = state is not None and state.state == "firing"
            life = dark_phases(camera, hours.get(camera.camera_id, {}), begin, end, dark, parameters)
            state, more = judged(SCHOOL_CAMERA_DARK, camera.camera_id, life, state, begin, end)
            rows += more
            if state is not None:
                after[camera.camera_id] = state
    return after, rows


class EventAlerter:
    """The stage's state between ticks.

    :param publish: puts transitions on their topic and returns when the broker has acknowledged them.
    :param rules: the alerts with what is set locally.
    """

    def __init__(
        self,
        store: Store,
        publish: PublishTransitions,
        rules: EventRules = EventRules(),  # noqa: B008 # immutable
        *,
        event_clock: bool,
    ) -> None:
        self._store = store
        self._publish = publish
        self._rules = rules
        self._event_clock = event_clock
        self._known: dict[str, dict[str, Known]] = {}
        self._until: dict[str, datetime] = {}
        self._looked: dict[str, datetime | None] = {}
        self._loaded = False

    def forget(self) -> None:
        """Another owner may have gone on: read the states again before the next evaluation."""
        self._loaded = False

    async def _load(self) -> None:
        self._until = await alerts.evaluated_until(self._store)
        for code in EVENT_CODES:
            self._known[code] = await event_records.known_events(self._store, code)
            self._looked[code] = await event_records.recorded_last(self._store, code)
        self._loaded = True

    async def evaluate(self) -> int:
        """Judges all minutes that as_of has passed since the last call; returns the number of transitions."""
        if not self._loaded:
            await self._load()
        looked = now()
        marks = await stream_marks(self._store)
        rows: list[dict[str, Any]] = []
        done: dict[str, datetime] = {}
        known: dict[str, dict[str, Known]] = {}
        for entry in self._rules.entries:
            if (span := await self._span(entry.code, entry.streams, marks)) is not None:
                landed = self._looked.get(entry.code)
                known[entry.code], more = await judge_records(
                    self._store, entry, *span, self._known[entry.code], landed - LANDING_SLACK if landed else None
                )
                rows += [*more, closing(entry.code, span[1])]
                done[entry.code] = span[1]
        if (span := await self._span(SCHOOL_CAMERA_DARK, CAMERA_STREAMS, marks)) is not None:
            known[SCHOOL_CAMERA_DARK], more = await judge_cameras(
                self._store, self._rules.camera, *span, self._known[SCHOOL_CAMERA_DARK]
            )
            rows += [*more, closing(SCHOOL_CAMERA_DARK, span[1])]
            done[SCHOOL_CAMERA_DARK] = span[1]
        if not rows:
            return 0
        await self._name([row for row in rows if row["transition_id"]])
        transitions = await alerts.record(self._store, rows)
        for code, last in done.items():
            self._until[code], self._looked[code] = last, looked
            self._known[code] |= known[code]
        await self._publish(transitions)
        return len(transitions)

    async def _span(
        self, code: str, streams: Sequence[str], marks: Mapping[str, StreamMark]
    ) -> tuple[datetime, datetime] | None:
        """The first and last minute to judge; None where there is none, or a stream is late."""
        if any(one not in marks or marks[one].stale for one in streams):
            return None
        last = min(marks[one].as_of for one in streams)
        until = self._until.get(code)
        if until is None:
            until = await beginning(self._store, streams, last, event_clock=self._event_clock)
        return (until + MINUTE, last) if until is not None and until < last else None

    async def _name(self, transitions: Sequence[dict[str, Any]]) -> None:
        """Facts as JSON, with the names of the operators and villages that they tell of."""
        for row in transitions:
            if row["indicator"] == "supplier_certificate_ending":
                row["facts"] = {**row["facts"], "operator_id": row["subject"]}
        for row in transitions:
            row["facts"] = {name: value for name, value in row["facts"].items() if name != "name"}
        for identity, name, model in _NAMED:
            mentioned = {row["facts"].get(identity) for row in transitions} - {None}
            known = await event_records.names(self._store, model, mentioned)
            for row in transitions:
                row["facts"][name] = known.get(row["facts"].get(identity))
        for row in transitions:
            row["facts"] = facts_text(row["facts"])
