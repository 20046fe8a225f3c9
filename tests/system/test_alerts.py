"""An alert from the events that cause it to the webhook that people read: the right minute, once, whatever dies."""

import json
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.system.records import ORDER, SEAL, Record
from tests.system.stack import Stack, free_port, wait_for

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
MINUTE = timedelta(minutes=1)
DROP = range(60, 120)  # minutes after START in which no seal is intact
LAST = 330
TOWN = "330681003"


class Received(NamedTuple):
    """What the webhook was sent."""

    key: str
    body: dict[str, Any]


class Webhook:
    """A receiver that is out of order for its first requests."""

    def __init__(self, failures: int) -> None:
        self.received: list[Received] = []
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                if outer.asked <= failures:
                    self.send_response(503)
                else:
                    outer.received.append(Received(self.headers["Idempotency-Key"], json.loads(body)))
                    self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(name="webhook")
def _webhook() -> Iterator[Webhook]:
    webhook = Webhook(failures=2)
    yield webhook
    webhook.close()


def order(number: int, minute: int, second: int) -> Record:
    delivered = (START + minute * MINUTE + timedelta(seconds=second)).isoformat()
    intact = minute not in DROP
    data: dict[str, Any] = {
        "order_id": f"o-{number}",
        "operator_id": "tw-1",
        "platform": "meituan",
        "town_code": TOWN,
        "delivered_at": delivered,
        "fulfilment": "delivered",
        "packages": 1,
        "sealed_packages": 1,
        "seal_state": "intact" if intact else "broken",
        "evidence_level": 2,
    }
    event = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/platform/meituan",
        "type": ORDER,
        "time": delivered,
        "data": data,
    }
    return Record(SEAL, json.dumps(event).encode(), key=data["order_id"].encode())


def orders(first: int, last: int) -> list[Record]:
    """Three orders a minute, for the minutes from `first` to before `last`."""
    return [order(minute * 3 + index, minute, 20 * index + 1) for minute in range(first, last) for index in range(3)]


def expected(last_as_of: int) -> list[tuple[str, str, datetime]]:
    """(from, to, minute) as a person would find them with a pencil: one loop over the minutes of as_of."""
    state, held, found = "ok", 0, []
    for m in range(1, last_as_of + 1):
        minutes = range(max(0, m - 75), max(0, m - 15))
        n, good = 3 * len(minutes), 3 * sum(1 for one in minutes if one not in DROP)
        if not n:
            continue
        rate, z = good / n, 1.959963984540054
        upper = (rate + z * z / (2 * n) + z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n)
        breach = n >= 30 and upper < 0.9
        at = START + m * MINUTE
        if state in ("ok", "resolved") and breach:
            found.append((state, "pending", at))
            state, held = "pending", -1
        if state == "pending":
            held += 1
            if not breach:
                found.append(("pending", "ok", at))
                state = "ok"
            elif held == 10:
                found.append(("pending", "firing", at))
                state, held = "firing", -1
        elif state == "firing":
            held = held + 1 if rate >= 0.92 and n >= 30 else -1
            if held == 10:
                found.append(("firing", "resolved", at))
                state = "resolved"
    return found


def is_told(row: dict[str, Any]) -> bool:
    """All three places fire and recover in the same minutes: the city's messages stand for the others, also in the end,
    as an end goes to those only who were told of the beginning."""
    return bool(row["scope"] == "city" and row["to_state"] in ("firing", "resolved"))


def test_a_drop_fires_and_resolves_at_its_minutes_once_though_worker_and_notifier_are_killed(
    tmp_path: Path, webhook: Webhook
) -> None:
    config = tmp_path / "yangguang.toml"
    config.write_text(f'[channel.duty]\ntype = "webhook"\nurl = "{webhook.url}"\n[channel.screen]\ntype = "console"\n')
    stack = Stack(tmp_path / "stack")
    stack.env["YANGGUANG_CONFIG"] = str(config)
    notifier = stack.notifier
    try:
        stack.start()
        notifier.start()
        worker = stack.workers[0]
        for first, last in ((0, 100), (100, 150), (150, LAST)):
            stack.push(orders(first, last))
            worker.end(signal.SIGKILL)
            notifier.end(signal.SIGKILL)
            worker.start()
            notifier.start()
        stack.wait_committed()
        as_of = LAST - 3  # the last event is in minute LAST - 1, the watermark a minute behind it, cut to the minute
        stack.wait_as_of(int((START + (LAST - 2) * MINUTE).timestamp()) * 1_000_000)
        wanted = expected(as_of + 1)
        places = [("city", "330681"), ("platform", "meituan"), ("town", TOWN)]

        def transitions() -> list[dict[str, Any]]:
            return stack.rows("SELECT * FROM alert_transitions WHERE indicator = 'seal_coverage' ORDER BY as_of")

        wait_for(lambda: len(transitions()) >= len(wanted) * len(places), 30, "all transitions")
        found = transitions()
        for scope, scope_id in places:
            own = [
                (row["from_state"], row["to_state"], row["as_of"].astimezone(UTC))
                for row in found
                if (row["scope"], row["scope_id"]) == (scope, scope_id)
            ]
            assert own == wanted, (scope, scope_id)
        assert {to for _, to, _ in wanted} == {"pending", "firing", "resolved"}
        assert len({row["transition_id"] for row in found}) == len(found)
        told = {row["transition_id"] for row in found if is_told(row)}
        wait_for(lambda: {one.key for one in webhook.received} == told, 60, "the webhook is told of each")
        _check_messages(webhook, stack)
    finally:
        if notifier.running:
            notifier.end(signal.SIGKILL)
        stack.stop()


def _check_messages(webhook: Webhook, stack: Stack) -> None:
    city = [one.body for one in webhook.received if one.body["scope"] == "city"]
    firing = next(one for one in city if one["to_state"] == "firing")
    assert "诸暨市外卖封签使用率" in firing["text"]
    assert "近1小时" in firing["text"]
    assert f"（{firing['numerator']}/{firing['denominator']}" in firing["text"]
    assert firing["rate"] == firing["numerator"] / firing["denominator"] < firing["target"] == 0.9
    assert {one["scope_id"] for one in firing["worst"]} == {"meituan", TOWN}
    assert firing["as_of"].endswith("+08:00")
    for one in webhook.received:
        assert one.key == one.body["transition_id"]
    for one in webhook.received:
        assert one.body["worst_operators"] == [] or one.body["worst_operators"][0]["operator_id"] == "tw-1"
    attempts = stack.rows("SELECT channel, attempt, outcome FROM alert_deliveries")
    assert {row["outcome"] for row in attempts if row["channel"] == "duty"} == {"failed", "delivered"}
    assert {row["outcome"] for row in attempts if row["channel"] == "screen"} == {"delivered"}
    alerts = stack.rows("SELECT scope, state FROM alerts WHERE indicator = 'seal_coverage'")
    assert {row["state"] for row in alerts} == {"resolved"}
