"""Silence of one town on the whole stack: told as no data, at its minute, once, and over with the first event."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.system.records import Record
from tests.system.stack import Stack, wait_for
from tests.system.test_alerts import MINUTE, START, order

SILENT: Final = "330681109"
LAST: Final = 300
STOPS: Final = 30
SPEAKS: Final = 200
"""The minutes after 10:00 at which the town falls silent, and speaks again."""


def _of_town(number: int, minute: int) -> Record:
    record = order(number, minute, 1)
    return record._replace(value=(record.value or b"").replace(b"330681003", SILENT.encode()))


def _orders(first: int, last: int) -> list[Record]:
    spoken = [_of_town(9000 + minute, minute) for minute in range(first, last) if not STOPS <= minute < SPEAKS]
    return [order(minute, minute, 1) for minute in range(first, last)] + spoken


def test_a_town_that_falls_silent_is_no_data_at_its_minute_once_though_the_worker_is_killed(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack")
    try:
        stack.start()
        for first, last in ((0, 100), (100, 180), (180, LAST)):
            stack.push(_orders(first, last))
            stack.workers[0].end(signal.SIGKILL)
            stack.workers[0].start()
        stack.wait_committed()
        stack.wait_as_of(int((START + (LAST - 2) * MINUTE).timestamp()) * 1_000_000)

        def found() -> list[dict[str, Any]]:
            where = "WHERE indicator = 'no_data' ORDER BY as_of, to_state DESC"
            return stack.rows(f"SELECT * FROM alert_transitions {where}")

        def minute(row: dict[str, Any]) -> int:
            at: datetime = row["as_of"]
            return int((at.astimezone(UTC) - START) / MINUTE)

        wait_for(lambda: len(found()) >= 3, 30, "the silence fires and resolves")
        told = [(row["scope"], row["scope_id"], row["from_state"], row["to_state"], minute(row)) for row in found()]
        fires = STOPS - 1 + 120 + 1
        assert told == [
            ("town", SILENT, "ok", "pending", fires),
            ("town", SILENT, "pending", "firing", fires),
            ("town", SILENT, "firing", "resolved", SPEAKS + 1),
        ]
        [alert] = stack.rows("SELECT * FROM alerts WHERE kind = 'condition'")
        assert (alert["alert_id"], alert["window"], alert["state"]) == (
            f"no_data.town.{SILENT}.2h.yangguang.seal", "2h", "resolved"
        )  # fmt: skip
    finally:
        stack.stop()
