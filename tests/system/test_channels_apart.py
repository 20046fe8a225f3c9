"""A ledger of messages: no transition is lost and no channel waits for another, whatever is killed or hangs."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from schemas.indicator import SHANGHAI
from schemas.towns import TOWNS
from tests.system.parts import standing_still
from tests.system.records import Record
from tests.system.stack import Stack, free_port, wait_for
from tests.system.test_alerts import MINUTE, START, Webhook, order

LAST: Final = 420
DROPPING: Final = dict(zip(list(TOWNS)[:4], range(60, 300, 60), strict=True))
"""Towns whose seals are broken for an hour, from this minute on: one after the other, so that the city never fires."""


def orders(first: int, last: int) -> list[Record]:
    """One order a minute in each town."""
    made = []
    for minute in range(first, last):
        for index, town in enumerate(TOWNS):
            event = json.loads(order(minute * 100 + index, minute, index + 1).value or b"")
            begins = DROPPING.get(town)
            broken = begins is not None and begins <= minute < begins + 60
            event["data"] |= {"town_code": town, "seal_state": "broken" if broken else "intact"}
            made.append(order(minute * 100 + index, minute, index + 1)._replace(value=json.dumps(event).encode()))
    return made


class Hanging:
    """Takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"
        self.asked = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._open.append(self._socket.accept()[0])
                self.asked += 1

    def close(self) -> None:
        """Listens no more."""
        for one in (self._socket, *self._open):
            one.close()


@pytest.fixture(name="webhook")
def _webhook() -> Iterator[Webhook]:
    with closing(Webhook(failures=1)) as webhook:
        yield webhook


@pytest.fixture(name="hanging")
def _hanging() -> Iterator[Hanging]:
    with closing(Hanging()) as hanging:
        yield hanging


def test_every_transition_reaches_the_channel_that_takes_it_though_others_hang_and_parts_are_killed(
    tmp_path: Path, webhook: Webhook, hanging: Hanging
) -> None:
    config = tmp_path / "yangguang.toml"
    refusing = f"http://127.0.0.1:{free_port()}/nobody"
    config.write_text(
        "".join(
            f'[channel.{name}]\ntype = "webhook"\nurl = "{url}"\n'
            for name, url in (("hanging", hanging.url), ("duty", webhook.url), ("nobody", refusing))
        )
    )
    stack = Stack(tmp_path / "stack")
    stack.env["YANGGUANG_CONFIG"] = str(config)
    notifier = stack.notifier
    try:
        stack.start()
        notifier.start()
        for first in range(0, LAST, 60):
            stack.push(orders(first, first + 60))
            for part in (stack.workers[0], notifier):
                part.end(signal.SIGKILL)
                part.start()
        stack.wait_committed()
        stack.wait_as_of(int((START + (LAST - 2) * MINUTE).timestamp()) * 1_000_000)

        def told() -> set[str]:
            rows = stack.rows("SELECT * FROM alert_transitions WHERE indicator = 'seal_coverage'")
            assert all(row["scope"] != "city" or row["to_state"] in ("pending", "ok") for row in rows)
            return {row["transition_id"] for row in rows if row["to_state"] in ("firing", "resolved")}

        wait_for(lambda: len(told()) == 2 * len(DROPPING), 30, "each town fires and resolves")
        wait_for(lambda: {one.key for one in webhook.received} == told(), 30, "the webhook has each")
        assert hanging.asked
        rows = stack.rows("SELECT channel, transition_id, outcome FROM alert_deliveries")
        assert {row["transition_id"] for row in rows if (row["channel"], row["outcome"]) == ("duty", "delivered")} >= (
            told()
        )
        assert {row["outcome"] for row in rows if row["channel"] in ("hanging", "nobody")} == {"failed"}
    finally:
        if notifier.running:
            notifier.end(signal.SIGKILL)
        stack.stop()


@pytest.mark.timeout(400)
def test_staff_get_summary_and_sign_of_life_and_are_told_that_kafka_is_dead_and_clickhouse_hangs(
    tmp_path: Path, webhook: Webhook
) -> None:
    config = tmp_path / "yangguang.toml"
    morning = datetime.now(SHANGHAI).strftime("%H:%M")
    config.write_text(
        f'[channel.duty]\ntype = "webhook"\nurl = "{webhook.url}"\n'
        f'[notify]\nsummary = "{morning}"\nsummary_channels = ["duty"]\nwatchdog_channels = ["duty"]\n'
    )
    stack = Stack(tmp_path / "stack")
    stack.env["YANGGUANG_CONFIG"] = str(config)
    notifier = stack.notifier
    try:
        stack.start()
        notifier.start()

        def regular() -> set[str]:
            return {one.body["kind"] for one in webhook.received}

        wait_for(lambda: regular() == {"summary", "watchdog"}, 120, "summary and sign of life are sent")
        [day] = [one.body for one in webhook.received if one.body["kind"] == "summary"]
        assert f"【日报】{datetime.now(SHANGHAI):%Y-%m-%d}" in day["text"]
        both = ["outage.clickhouse", "outage.kafka"]

        def outages(state: str) -> list[str]:
            if not notifier.running:
                notifier.start()  # as a supervisor does
            told = [one.body for one in webhook.received if one.body["kind"] == "outage"]
            return sorted(one["alert_id"] for one in told if one["state"] == state)

        stack.kafka.end(signal.SIGKILL)
        with standing_still(stack.clickhouse.pid):
            wait_for(lambda: outages("firing") == both, 120, "what is dead and what hangs is told")
            assert outages("resolved") == []
            notifier.end(signal.SIGKILL)
            notifier.start()
        stack.kafka.start()
        stack.wait_kafka()
        wait_for(lambda: outages("resolved") == both, 60, "the end of both is told")
        assert outages("firing") == both, "no outage is told twice"
        told = {one.body["id"] for one in webhook.received if one.body["kind"] == "outage"}

        def recorded() -> set[str]:
            rows = stack.rows("SELECT transition_id FROM alert_deliveries WHERE outcome = 'delivered'")
            return {row["transition_id"] for row in rows}

        wait_for(lambda: told <= recorded(), 60, f"{told} are recorded, though ClickHouse was away")
    finally:
        if notifier.running:
            notifier.end(signal.SIGKILL)
        stack.stop()
