"""Every row that analysts can read against what the oracle says, exactly; each difference is one sentence."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from tests.system.compare_questions import between_differences, why_differences
from tests.system.compare_rates import SHANGHAI, history_differences, rate_differences
from tests.system.compare_records import VIEWS, conflict_differences, record_differences
from tests.system.differing import differ, keyed
from tests.system.oracle import Oracle, shown
from tests.system.records import STREAM_OF, Place, Record
from tests.system.stack import Stack

_OTHER_VIEWS: Final = (
    "order_conflicts", "events", "rejected", "rates_now", "rates_history", "alerts", "alert_transitions",
)  # fmt: skip


def differences(stack: Stack, oracle: Oracle, rejects: Mapping[Place, Record], asked: int = 1) -> list[str]:
    """All differences between the tables and the oracle, once every indicator is as far as it should be.

    :param asked: spans and places of some indicators for which `rate_between` and `why` are asked; 2: of all of them.
    """
    stack.wait_as_of(oracle.as_of)
    return [
        *_zones(stack),
        *_events(stack, oracle),
        *_rejected(stack, rejects),
        *record_differences(stack, oracle),
        *conflict_differences(stack, oracle),
        *rate_differences(stack, oracle),
        *history_differences(stack, oracle),
        *between_differences(stack, oracle, asked),
        *why_differences(stack, oracle, asked),
    ]


def _zones(stack: Stack) -> Iterable[str]:
    """Every moment that a view shows is in Asia/Shanghai."""
    for view in (*VIEWS.values(), *_OTHER_VIEWS):
        for row in stack.rows(f"DESCRIBE yangguang.{view}"):
            if "DateTime" in row["type"] and "'Asia/Shanghai'" not in row["type"]:
                yield f"{view}.{row['name']} is {row['type']}, which is not in Asia/Shanghai"
    for row in stack.rows("SELECT time FROM yangguang.events LIMIT 1"):
        if row["time"].utcoffset() != datetime(2020, 1, 1, tzinfo=SHANGHAI).utcoffset():
            yield f"events.time is read as {row['time']!r}, which is not in Asia/Shanghai"


def _events(stack: Stack, oracle: Oracle) -> Iterable[str]:
    expected = {
        (one.type, one.source, one.id): (STREAM_OF[one.type], one.subject, shown(one.time)) for one in oracle.events
    }
    rows = stack.rows("SELECT stream, type, source, id, subject, time FROM yangguang.events")
    actual, twice = keyed(
        "event",
        (((row["type"], row["source"], row["id"]), (row["stream"], row["subject"], row["time"])) for row in rows),
    )
    return [*twice, *differ("event", expected, actual)]


def _rejected(stack: Stack, rejects: Mapping[Place, Record]) -> Iterable[str]:
    rows = stack.rows(
        "SELECT topic, partition, offset, reason, raw_partition, raw_offset, replayed_at FROM yangguang.rejected"
    )
    expected = {tuple(place): record.reason for place, record in rejects.items()}
    actual, twice = keyed(
        "rejected", (((row["topic"], row["partition"], row["offset"]), row["reason"]) for row in rows)
    )
    yield from twice
    yield from differ("rejected", expected, actual)
    raw = stack.records("yangguang.rejected") if rows else {}
    for row in rows:
        record = rejects.get(Place(row["topic"], row["partition"], row["offset"]))
        if record is not None:
            found = raw.get(Place("yangguang.rejected", row["raw_partition"], row["raw_offset"]))
            if found is None or (found.value or b"") != (record.value or b""):
                yield f"rejected {record.reason}: the raw bytes are {found!r}, should be {record.value!r}"
