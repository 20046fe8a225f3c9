"""A storm of refused events of one source on the whole stack: it alone raises the condition, once, whatever dies."""

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.kafka_address import KafkaAddress
from streams.topics import Offsets
from tests.system.records import ORDER, SEAL, Record
from tests.system.stack import Stack, wait_for

STORM = "/platform/storm"
CALM = "/platform/calm"
PATIENCE_SECONDS = 200


class Producers:
    """One whose events are refused, and one of whose hardly any are, until they are told to stop."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._number = 0
        self._next = 0.0

    def _order(self, source: str, packages: int) -> Record:
        self._number += 1
        at = datetime.now(UTC).isoformat()
        data = {
            "order_id": f"o-{self._number}", "operator_id": "tw-1", "platform": "jd", "town_code": "330681003",
            "delivered_at": at, "fulfilment": "delivered", "packages": packages, "sealed_packages": 0,
            "seal_state": "absent", "evidence_level": 2,
        }  # fmt: skip
        event = {"specversion": "1.0", "id": f"e-{self._number}", "source": source, "type": ORDER, "time": at}
        return Record(SEAL, json.dumps({**event, "data": data}).encode())

    def push(self) -> None:
        """Some seconds' events of both."""
        if time.monotonic() >= self._next:
            storm = [self._order(STORM, packages=0) for _ in range(30)] + [self._order(STORM, packages=1)]
            calm = [self._order(CALM, packages=1) for _ in range(99)] + [self._order(CALM, packages=0)]
            self._stack.push([*storm, *calm])
            self._next = time.monotonic() + 3

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Goes on until something holds."""

        def holds() -> Any:
            self.push()
            return condition()

        wait_for(holds, PATIENCE_SECONDS, what)


@pytest.mark.timeout(700)
def test_a_storm_of_one_source_fires_for_it_alone_once_though_the_worker_is_killed_and_resolves(tmp_path: Path) -> None:
    config = tmp_path / "yangguang.toml"
    config.write_text('[rejects]\nwindow = "1m"\nfor = "0m"\n')
    stack = Stack(tmp_path / "stack")  # in event time: sources are judged by the machine's minutes all the same
    stack.env["YANGGUANG_CONFIG"] = str(config)
    notifier = stack.notifier

    def transitions() -> list[dict[str, Any]]:
        return stack.rows(
            "SELECT * FROM alert_transitions WHERE indicator = 'rejects_high' ORDER BY as_of, to_state DESC"
        )

    def judged() -> int:
        sql = "SELECT max(as_of) AS at FROM yangguang.alert_log WHERE indicator = 'rejects_high' AND alert_id = ''"
        return int(stack.rows(sql, "writer")[0]["at"].timestamp())

    try:
        stack.start()
        notifier.start()
        producers = Producers(stack)
        producers.until(lambda: len(transitions()) == 2, "the storm fires")
        stack.workers[0].end(signal.SIGKILL)
        before = judged()
        stack.workers[0].start()
        producers.until(lambda: judged() > before, "a minute is judged after the restart")
        assert [row["to_state"] for row in transitions()] == ["pending", "firing"]
        wait_for(lambda: len(transitions()) > 2, PATIENCE_SECONDS, "it resolves when the storm is over")
        found = transitions()
        assert [(row["from_state"], row["to_state"]) for row in found] == [
            ("ok", "pending"), ("pending", "firing"), ("firing", "resolved")
        ]  # fmt: skip
        for row in found:
            assert (row["indicator"], row["scope"], row["scope_id"], row["window"]) == (
                "rejects_high", "source", STORM, "1m"
            )  # fmt: skip
        firing = found[1]
        assert firing["numerator"] >= 30
        assert 0.9 < firing["rate"] == firing["numerator"] / firing["denominator"]
        assert firing["target"] == 0.05
        assert "mostly bad_value" in firing["reason"]
        shown = stack.rows("SELECT scope_id, state FROM alerts WHERE indicator = 'rejects_high'")
        assert shown == [{"scope_id": STORM, "state": "resolved"}]
        published = [json.loads(one.value or b"{}") for one in stack.records("yangguang.alerts").values()]
        conditions = [one for one in published if one["indicator"] == "rejects_high"]
        assert {one["transition_id"] for one in conditions} == {row["transition_id"] for row in found}
        read = Offsets(KafkaAddress(stack.servers), "yangguang-notify")
        wait_for(
            lambda: read.committed_now("yangguang.alerts")[0] == read.extents_now("yangguang.alerts")[0].end,
            30,
            "the notifier has read all of it",
        )
        read.close()
        told = {row["transition_id"] for row in found if row["to_state"] in ("firing", "resolved")}
        sent = stack.rows("SELECT transition_id, outcome FROM alert_deliveries")
        assert {(row["transition_id"], row["outcome"]) for row in sent} >= {(one, "delivered") for one in told}
        assert "Traceback" not in notifier.text()
    finally:
        if notifier.running:
            notifier.end(signal.SIGKILL)
        stack.stop()
