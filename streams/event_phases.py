"""Phases of an entity's life in which an event alert's condition holds or does not, and the transitions that follow.

All pure functions of records and slots, so that jumps of the watermark, restarts and replays give the same transitions
with the same ids.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from schemas.event_alerts import (
    EVENT_PARAMETERS,
    NEVER,
    SCHOOL_CAMERA_DARK,
    EventEntry,
    Parameters,
    Record,
    latest_certificate,
)
from schemas.indicator import SHANGHAI, value_on
from schemas.working_days import is_school_day
from sinks.clickhouse import alerts
from sinks.clickhouse.event_records import Known, SchoolCamera, Version
from sinks.clickhouse.rates import SLOT_SECONDS
from streams.alert_machine import Change, alert_id, transition_id

MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = 3600


class Phase(NamedTuple):
    """From minute `begin` until the next phase the condition holds or not."""

    begin: datetime
    holds: bool
    town_code: str
    facts: Record


def minute_from(moment: datetime) -> datetime:
    """The first minute that is not before a moment."""
    cut = moment.replace(second=0, microsecond=0)
    return cut if cut == moment else cut + MINUTE


def minute_after(moment: datetime) -> datetime:
    """The first minute that a moment is before: from it on, what happened then is known."""
    return moment.replace(second=0, microsecond=0) + MINUTE


def _current(history: Sequence[Version]) -> dict[datetime, Record]:
    """The record from each minute on; of several within one minute the last."""
    return {minute_after(one.time): one.record for one in history}


def phases(
    entry: EventEntry, own: Sequence[Version], others: Mapping[str, Sequence[Version]] | None = None
) -> list[Phase]:
    """The life of one entity, from its first record on. Pure.

    :param own: its records in order of (time, id, source).
    :param others: those of the operators that its records refer to."""
    changes = _current(own)
    begins = sorted(changes)
    found: list[Phase] = []
    for begin, end in pairwise([*begins, NEVER]):
        record = changes[begin]
        other = _current((others or {}).get(record[entry.refers_to] or "", ())) if entry.refers_to else {}
        before = [minute for minute in other if minute <= begin]
        moments = sorted({begin, *(minute for minute in other if begin < minute < end)})
        known = other[max(before)] if before else None
        for start, stop in pairwise([*moments, end]):
            known = other.get(start, known)
            bounds = entry.holds(record, known, entry.parameters)
            low, high = (minute_from(bounds.begin), minute_from(bounds.end)) if bounds else (stop, stop)
            low, high = min(max(low, start), stop), min(max(high, start), stop)
            for at, until, holds in ((start, low, False), (low, high, True), (max(low, high), stop, False)):
                if at < until:
                    found.append(Phase(at, holds, record["town_code"], {**record, **(known or {})}))
    return found


def longest_silence(parameters: Parameters) -> timedelta:
    """What the slots have to be known for, before the first minute that is judged."""
    lengths: list[timedelta] = [one.value for one in parameters["silence"]]
    return max(lengths)


def _whole(silence: timedelta) -> int:
    """How many slots a silence has."""
    return int(silence.total_seconds()) // SLOT_SECONDS


def dark_phases(
    camera: SchoolCamera,
    healthy: Mapping[int, int],
    first: datetime,
    last: datetime,
    dark: bool,
    parameters: Parameters = EVENT_PARAMETERS[SCHOOL_CAMERA_DARK],
) -> list[Phase]:
    """What the slots of a camera say that ended at a minute from `first` to `last`. Pure.

    Only slots in business hours are looked at. Slots in a row have no pause between them; dark ones count on school
    days only, a healthy one ends it on any day.

    :param healthy: bits of the healthy slots by hour (Unix seconds), from `longest_silence` before `first` on.
    :param dark: whether it is dark already."""
    found: list[Phase] = []
    facts = {"operator_id": camera.operator_id, "camera_id": camera.camera_id}
    step = SLOT_SECONDS
    end = -(-int(first.timestamp()) // step) * step
    if not camera.school:
        # its records say that nobody expects it any more, which is not the same as not knowing
        at = datetime.fromtimestamp(end, UTC)
        return [Phase(at, False, camera.town_code, facts)] if dark and at <= last else []
    expected_from = int(camera.first_time.timestamp()) // step * step + step
    before = _whole(longest_silence(parameters))
    run = 0
    # a run that reaches into these minutes is known from the slots just before them
    for start in range(end - before * step, int(last.timestamp()) - step + 1, step):
        local = datetime.fromtimestamp(start, SHANGHAI)
        bit = 1 << (start % _HOUR // step)
        if start < expected_from or not camera.open[local.hour] & bit:
            run = 0
            continue
        well = bool(healthy.get(start // _HOUR * _HOUR, 0) & bit)
        run = 0 if well or not is_school_day(local.date()) else run + 1
        ended = start + step
        needed = _whole(value_on(parameters["silence"], local.date()))
        if ended < end or not (dark if well else run >= needed and not dark):
            continue
        dark = not well
        since = datetime.fromtimestamp(ended - run * step, UTC)
        told = {**facts, "dark_since": since} if dark else facts
        found.append(Phase(datetime.fromtimestamp(ended, UTC), dark, camera.town_code, told))
    return found


def judged(
    code: str, subject: str, life: Sequence[Phase], known: Known | None, first: datetime, last: datetime
) -> tuple[Known | None, list[dict[str, Any]]]:
    """The alert of one entity after the minutes from `first` to `last`, and its rows of `alert_log`. Pure.

    What nothing is known of stays as it is. An alert stays with the town in which it began."""
    rows: list[dict[str, Any]] = []
    for phase, end in zip(life, [*(one.begin for one in life), NEVER][1:], strict=True):
        at = max(phase.begin, first)
        if at > last or end <= first or at >= end:
            continue
        firing = known is not None and known.state == "firing"
        if phase.holds == firing:
            continue
        town = known.town_code if firing and known else phase.town_code
        before = known.state if known else "ok"
        if phase.holds:
            changes = [
                ("ok" if before == "pending" else before, "pending", "begins to hold"),
                ("pending", "firing", "holds"),
            ]
        elif firing:
            changes = [("firing", "resolved", "does not hold any more")]
        else:
            continue
        for order, (old, new, reason) in enumerate(changes):
            rows.append(_row(code, town, subject, old, new, at, reason, order, phase.facts))
        known = Known(town, changes[-1][1], at)
    return known, rows


def _said(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def facts_text(facts: Record) -> str:
    """What is known, as JSON; what is not known is left out, and certificates are their last day."""
    told = {name: _said(value) for name, value in facts.items() if value is not None and name != "certificates"}
    if "certificates" in facts and (until := latest_certificate(facts)) is not None:
        told["valid_until"] = until.isoformat()
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _row(
    code: str, town: str, subject: str, old: str, new: str, at: datetime, reason: str, order: int, facts: Record
) -> dict[str, Any]:
    identity = alert_id(code, "town", town, subject)
    # the ids take states by name only
    change = Change(old, new, reason)  # type: ignore[arg-type]  # states come back from ClickHouse as strings
    return alerts.log_row(
        alert_id=identity,
        transition_id=transition_id(identity, at, change),
        kind="event",
        indicator=code,
        scope="town",
        scope_id=town,
        window="",
        subject=subject,
        from_state=old,
        to_state=new,
        since=at,
        as_of=at,
        reason=reason,
        step=order,
        facts={**facts, "town_code": town},
    )


def closing(code: str, last: datetime) -> dict[str, Any]:
    """The row that says up to which minute an event code has been judged."""
    row = _row(code, "", "", "", "ok", last, "", alerts.WENT_ON, {})
    return {**row, "alert_id": "", "transition_id": "", "scope": "", "facts": ""}
