"""From transitions to firings: when an alert fired, for how long, and whether it flapped. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

SOON: Final = timedelta(days=1)
"""An alert that fires again within this of its resolving flaps."""
SHORT: Final = timedelta(minutes=30)
"""An alert that resolves within this of its firing flaps."""
WEEK: Final = timedelta(days=7)


class Firing(NamedTuple):
    """One time that an alert fired, until it resolved; `end` None where it had not by the end of the period."""

    alert_id: str
    indicator: str
    scope: str
    scope_id: str
    window: str
    begin: datetime
    end: datetime | None
    inhibited: bool = False
    subject: str = ""
    """Of an event alert the finding, banquet, camera or supplier that it is about."""
    kind: str = "rate"
    """rate or event."""


def firings(transitions: Iterable[Mapping[str, Any]]) -> list[Firing]:
    """Firings from rows of `alert_log` that are transitions, ordered by their begin. A resolving whose firing lies
    before the first row tells of no firing in the period and is left out."""
    found: list[Firing] = []
    open_: dict[str, int] = {}
    for row in sorted(transitions, key=lambda one: (one["as_of"], one["step"])):
        alert = row["alert_id"]
        if row["to_state"] == "firing" and row["from_state"] != "firing":
            open_[alert] = len(found)
            place = row["indicator"], row["scope"], row["scope_id"], row["window"]
            told = bool(row["inhibited_by"]), row["subject"], row["kind"]
            found.append(Firing(alert, *place, row["as_of"], None, *told))
        elif row["to_state"] == "resolved" and alert in open_:
            place_in_list = open_.pop(alert)
            found[place_in_list] = found[place_in_list]._replace(end=row["as_of"])
    return found


class Beside(NamedTuple):
    """A firing by the configuration (`would`), by the record (`did`), or by both. Of both, the recorded one had begun
    earlier where it fired already when the period began."""

    shown: Firing
    would: bool
    did: Firing | None


def beside(would: Iterable[Firing], did: Iterable[Firing], begin: datetime) -> list[Beside]:
    """Firings of a period beside those that were recorded, ordered by their begin.

    Two are one where the same alert begins at the same minute. As a replay begins in state ok, so are the first of an
    alert and a recorded one that had begun before `begin` and went on."""
    recorded = {(one.alert_id, one.begin): one for one in did}
    standing = {one.alert_id: one for one in recorded.values() if one.begin < begin}
    found = []
    for one in sorted(would, key=lambda firing: firing.begin):
        same = recorded.pop((one.alert_id, one.begin), None)
        before = standing.pop(one.alert_id, None)
        if same is None and before is not None and (before.end is None or one.begin < before.end):
            same = recorded.pop((before.alert_id, before.begin), None)
        found.append(Beside(one, True, same))
    found += [Beside(one, False, one) for one in recorded.values()]
    return sorted(found, key=lambda pair: pair.shown.begin)


def flaps(several: Sequence[Firing]) -> int:
    """How many firings are flaps: over within 30 minutes, or begun within a day after the same alert resolved."""
    last: dict[str, datetime | None] = {}
    count = 0
    for one in sorted(several, key=lambda firing: firing.begin):
        before = last.get(one.alert_id)
        again = before is not None and one.begin - before <= SOON
        brief = one.end is not None and one.end - one.begin <= SHORT
        count += again or brief
        last[one.alert_id] = one.end
    return count


def per_week(count: int, begin: datetime, end: datetime) -> float:
    """A count of a period as one of a week."""
    return round(count * (WEEK / (end - begin)), 2)
