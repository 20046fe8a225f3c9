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
            found.append(Firing(alert, *place, row["as_of"], None, bool(row["inhibited_by"])))
        elif row["to_state"] == "resolved" and alert in open_:
            place_in_list = open_.pop(alert)
            found[place_in_list] = found[place_in_list]._replace(end=row["as_of"])
    return found


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
