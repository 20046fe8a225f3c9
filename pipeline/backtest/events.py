"""Judges the event alerts of a past period again: by the code of the alert stage, with the numbers of a configuration,
and by what was known at each minute. Reads stored records and slots and writes nothing."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from pipeline.backtest.firings import Firing, firings
from pipeline.backtest.replay import days
from schemas.event import EventData
from schemas.event_alerts import EventRules
from sinks.clickhouse import event_records
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.event_records import Known, Version
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.speech import StreamMark, stream_marks
from streams.event_alerts import CAMERA_STREAMS, judge_cameras, judge_records
from streams.event_phases import MINUTE, minute_after

_LANDED: Final = "landed_at"


class KnownThen:
    """When the stage knew of an event, by its recorded evaluations of one code.

    An evaluation judges all minutes after the one before it, by what has landed. So an event that landed late counts
    from the first minute that was judged after its landing, and not from its own time. Minutes before the first
    evaluation were not judged by anybody: there events count from their time.

    :param evaluations: last minute and time of recording (machine's clock) of each, ordered by the minute.
    """

    def __init__(self, evaluations: Sequence[tuple[datetime, datetime]]) -> None:
        self._until = [until for until, _ in evaluations]
        self._recorded = list(accumulate((recorded for _, recorded in evaluations), max))

    def since(self, time: datetime, landed: datetime) -> datetime:
        """The first minute that may be judged by an event of this time."""
        place = bisect_left(self._recorded, landed)
        return max(minute_after(time), self._until[place - 1] + MINUTE) if place else minute_after(time)

    def seen(self, history: Sequence[tuple[Version, datetime]]) -> list[Version]:
        """An entity's records as they were current one after the other, each with a time just before it was. Pure.

        :param history: with the landing times, in order of (time, id, source). What landed when a later record was
            known already was never current."""
        arrived = sorted((self.since(one.time, landed), number) for number, (one, landed) in enumerate(history))
        found: list[Version] = []
        latest = -1
        for minute, number in arrived:
            if number > latest:
                latest = number
                found.append(Version(minute - MINUTE, history[number][0].record))
        return found

    async def read(
        self,
        store: Store,
        model: type[EventData],
        fields: Collection[str],
        entities: Collection[str],
        before: datetime,
    ) -> dict[str, list[Version]]:
        """As `event_records.versions`, with each record from the minute on at which the stage knew it."""
        lives = await event_records.versions(store, model, (*fields, _LANDED), entities, before)
        return {
            entity: self.seen([(one, one.record.pop(_LANDED)) for one in history]) for entity, history in lives.items()
        }


async def known_then(store: Store, code: str, first: datetime, last: datetime) -> KnownThen:
    """By the evaluations of an event code of the minutes from `first` to `last`, and the one before them."""
    closings = f"FROM {DATABASE}.alert_log WHERE alert_id = '' AND kind = 'event' AND indicator = {{code:String}}"
    rows = await store.rows(
        f"SELECT as_of, max(recorded_at) {closings} AND as_of < toDateTime64({{after:Int64}}, 6, 'UTC')\n"
        f"    AND as_of >= (SELECT max(as_of) {closings} AND as_of < toDateTime64({{first:Int64}}, 6, 'UTC'))\n"
        f"GROUP BY as_of ORDER BY as_of",
        {"code": code, "first": int(first.timestamp()), "after": int((last + MINUTE).timestamp())},
    )
    return KnownThen([(utc(until), utc(recorded)) for until, recorded in rows])


def _reached(streams: Sequence[str], marks: Mapping[str, StreamMark], last: datetime) -> datetime | None:
    """The last minute up to `last` that all streams have passed; None where one has no watermark."""
    return min(last, *(marks[one].as_of for one in streams)) if all(one in marks for one in streams) else None


async def replay_events(
    store: Store,
    rules: EventRules,
    begin: datetime,
    end: datetime,
    on_code: Callable[[], None] = lambda: None,
    *,
    own_times: bool = False,
) -> list[Firing]:
    """The firings of event alerts in a period, as far as the watermarks are; every alert begins it in state ok.

    :param on_code: called when one of `EVENT_CODES` is judged.
    :param own_times: whether events count from their own times, whenever they landed."""
    portions = days(begin, end)
    first, last = portions[0][0], portions[-1][1]
    marks = await stream_marks(store)
    nothing: Mapping[str, Known] = {}
    rows: list[dict[str, Any]] = []
    for entry in rules.entries:
        until = _reached(entry.streams, marks, last)
        if until is not None and first <= until:
            then = KnownThen([]) if own_times else await known_then(store, entry.code, first, until)
            _, more = await judge_records(store, entry, first, until, nothing, read=then.read)
            rows += more
        on_code()
    until = _reached(CAMERA_STREAMS, marks, last)
    if until is not None and first <= until:
        _, more = await judge_cameras(store, rules.camera, first, until, nothing)
        rows += more
    on_code()
    return firings(rows)
