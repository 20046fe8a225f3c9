"""Scenarios of a city on an empty system: each alert at its minutes with its numbers, and the messages that people get.

Worker and notifier are killed in between, and one of the channels never answers.
"""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.scenarios import LAST, LATE_AFTER, MINUTE, PERSONS, START, STORIES, Sender, at, entities, late, orders
from tests.system.stack import Stack, free_port, wait_for
from tests.system.test_alerts import Webhook

UNDECIDED: Final = ("{", "}", "None", "null", "NaN", "0/0", "_")
"""What no message shows to people: gaps that were not filled, shares of nothing, code words."""


class Hanging:
    """A receiver that takes every request and answers none."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked.set()
                outer._over.wait()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Lets go of those who wait."""
        self._over.set()
        self._server.shutdown()


class City(Stack):
    """A stack with a notifier that tells a webhook, and one that hangs."""

    def __init__(self, home: Path, duty: str, hanging: str) -> None:
        super().__init__(home / "stack")
        config = home / "yangguang.toml"
        config.write_text(
            "takeaway_active_days = 0\n[indicator.dining_streets]\ndeadline = 2026-11-19\n"
            f'[channel.duty]\ntype = "webhook"\nurl = "{duty}"\n'
            f'[channel.hanging]\ntype = "webhook"\nurl = "{hanging}"\n[channel.screen]\ntype = "console"\n'
        )
        self.env["YANGGUANG_CONFIG"] = str(config)

    def kill(self) -> None:
        """Worker and notifier die, and are there again."""
        for part in (self.workers[0], self.notifier):
            part.end(signal.SIGKILL)
            part.start()

    def judged(self, minute: int) -> None:
        """Returns when this minute has been judged."""
        self.wait_committed()
        self.wait_as_of(int(at(minute).timestamp()) * 1_000_000)


@pytest.fixture(name="day", scope="module")
def _day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[City, Webhook, list[dict[str, Any]]]]:
    """The whole day: stack, webhook and the transitions that were recorded."""
    with ExitStack() as opened:
        duty = opened.enter_context(closing(Webhook(failures=1)))
        hanging = opened.enter_context(closing(Hanging()))
        city = City(tmp_path_factory.mktemp("city"), duty.url, hanging.url)
        opened.callback(_end, city)
        city.start()
        city.notifier.start()
        sender = Sender()
        sent = sorted([*orders(sender), *entities(sender)], key=lambda one: one[0])
        for first, last in ((-10, 100), (100, LATE_AFTER)):
            city.push([record for minute, record in sent if first <= minute < last])
            city.kill()
        city.judged(LATE_AFTER - 2)
        city.push(late(sender))
        city.wait_committed()
        city.push([record for minute, record in sent if minute >= LATE_AFTER])
        city.kill()
        city.judged(LAST - 2)
        wanted = sum(len(one.expected) for one in STORIES)

        def recorded() -> list[dict[str, Any]]:
            rows = city.rows("SELECT * FROM alert_transitions WHERE indicator NOT IN ('stale', 'error')")
            # what fires at once has been pending in the same minute
            once = {(row["alert_id"], row["as_of"]) for row in rows if row["to_state"] == "firing"}
            return [row for row in rows if row["to_state"] != "pending" or (row["alert_id"], row["as_of"]) not in once]

        wait_for(lambda: len(recorded()) >= wanted, 60, "all transitions")
        told = len(_sent(recorded()))
        wait_for(lambda: len({one.key for one in duty.received}) >= told, 60, "the webhook is told")
        assert hanging.asked.is_set()
        yield city, duty, recorded()


def _end(city: City) -> None:
    if city.notifier.running:
        city.notifier.end(signal.SIGKILL)
    city.stop()


def _sent(rows: list[dict[str, Any]]) -> set[str]:
    """What is sent: all that the city does not stand for, and no end of what nobody was told of."""
    sent: set[str] = set()
    begun: set[str] = set()
    for row in sorted(rows, key=lambda one: (one["as_of"], one["to_state"] != "firing")):
        firing, held = row["to_state"] == "firing", bool(row["inhibited_by"])
        if (firing or (row["to_state"] == "resolved" and row["alert_id"] in begun)) and not held:
            sent.add(row["transition_id"])
        if firing:
            begun = begun - {row["alert_id"]} if held else begun | {row["alert_id"]}
    return sent


def _found(rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, int, str]]]:
    found: dict[str, list[tuple[str, int, str]]] = {}
    for row in sorted(rows, key=lambda one: one["as_of"]):
        minute = int((row["as_of"] - START) / MINUTE)
        numbers = f"{row['numerator']}/{row['denominator']}/{row['unknown']}"
        found.setdefault(row["alert_id"], []).append((row["to_state"], minute, numbers))
    return found


Day = tuple[City, Webhook, list[dict[str, Any]]]


@pytest.mark.timeout(400)
def test_every_alert_has_its_states_at_its_minutes_with_its_numbers_and_there_is_no_other(day: Day) -> None:
    _, _, rows = day
    assert _found(rows) == {one.alert: list(one.expected) for one in STORIES}


def test_what_the_city_stands_for_is_not_sent_and_all_else_is_though_a_channel_hangs(day: Day) -> None:
    _, duty, rows = day
    held = {row["alert_id"] for row in rows if row["inhibited_by"] and row["to_state"] == "firing"}
    assert held == {one.alert for one in STORIES if not one.sent}
    assert {one.key for one in duty.received} == _sent(rows)


@pytest.mark.parametrize("story", [one for one in STORIES if one.says], ids=lambda one: one.alert)
def test_a_message_says_what_people_have_to_know(day: Day, story: Any) -> None:
    _, duty, _ = day
    bodies = [one.body for one in duty.received if one.body["alert_id"] == story.alert]
    firing = next(one for one in bodies if one["to_state"] == "firing")
    for said in (*story.says, "【告警】", "起于：", "处理："):
        assert said in firing["text"]
    fires = next(minute for state, minute, _ in story.expected if state == "firing")
    assert f"起于：{at(fires + 480):%Y-%m-%d %H:%M}" in firing["text"]
    if any(state == "resolved" for state, _, _ in story.expected):
        over = next(one for one in bodies if one["to_state"] == "resolved")
        assert "持续" in over["text"]


def test_a_meal_without_guidance_is_over_and_not_put_right(day: Day) -> None:
    _, duty, _ = day
    ends = {one.body["subject"]: one.body["text"] for one in duty.received if one.body["to_state"] == "resolved"}
    assert ends["b-missed"].startswith("【结束】")
    assert ends["b-guided"].startswith("【恢复】")
    assert "误报" in ends["f-OPEN"]
    assert "已整改" in ends["f-RODE"]


def test_no_message_has_code_words_or_shares_of_nothing(day: Day) -> None:
    _, duty, _ = day
    for one in duty.received:
        text, _, _ = one.body["text"].partition("告警编号：")  # which commands take
        assert not [sign for sign in UNDECIDED if sign in text], text


def test_no_person_is_in_messages_tables_or_logs(day: Day) -> None:
    city, duty, _ = day
    tables = ("alert_log", "raw_alert_deliveries", "raw_alert_actions")
    stored = [city.rows(f"SELECT * FROM yangguang.{one}", "writer") for one in tables]
    texts = [json.dumps([one.body for one in duty.received], ensure_ascii=False), str(stored)]
    texts += [one.read_text(errors="replace") for one in city.logs.glob("*.log")]
    assert not [person for person in PERSONS for text in texts if person in text]
