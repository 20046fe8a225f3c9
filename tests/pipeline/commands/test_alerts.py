"""What people do about alerts at the terminal: see, acknowledge, silence, and ask who is told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pipeline.audit import read
from schemas.action import Action
from schemas.catalogue import ACTIONS_TOPIC
from sinks.clickhouse.address import Address
from sinks.clickhouse.alert_actions import acknowledged_by, active_silences, record_actions
from sinks.clickhouse.alerts import LOG_COLUMNS
from sinks.clickhouse.client import Store
from streams.kafka_address import KafkaAddress
from streams.topics import ensure_topics
from tests.pipeline.commands.conftest import City, Run
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD
from tests.pipeline.gateway.stack import Broker, Tape

Answer = TypeVar("Answer")

ROUTES = """
[channel.duty]
type = "console"
[channel.school]
type = "console"
[[route]]
name = "schools"
match = { departments = ["市教体局"] }
channels = ["school"]
[[route]]
name = "rest"
channels = ["duty"]
escalate_after = "15m"
escalate_to = ["school"]
[[maintenance]]
name = "move"
match = { indicators = ["seal_coverage"] }
from = 2026-12-01T22:00:00
to = 2026-12-02T06:00:00
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp("kafka"))
    ensure_topics(KafkaAddress(running.servers))
    yield running
    running.kill()


@pytest.fixture
def tape(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tape]:
    monkeypatch.setenv("YANGGUANG_KAFKA", broker.servers)
    reading = Tape(broker.servers, (ACTIONS_TOPIC,))
    yield reading
    reading.close()


def insert_alert(city: City, alert_id: str, since: datetime, state: str = "firing", **more: Any) -> None:
    values = {
        "alert_id": alert_id, "transition_id": f"{alert_id}-{since:%H%M%S}-{state}", "kind": "event",
        "indicator": "finding_critical", "scope": "town", "scope_id": "330681001", "window": "",
        "from_state": "ok", "to_state": state, "since": since, "held": 0, "as_of": since, "recorded_at": since,
        "numerator": 0, "denominator": 0, "unknown": 0, "rate": None, "target": None, "worst": [], "reason": "seen",
        "step": 0, "subject": alert_id, "inhibited_by": "", "facts": "{}", **more,
    }  # fmt: skip
    client = city.server.client()
    client.insert("yangguang.alert_log", [[values[name] for name in LOG_COLUMNS]], column_names=LOG_COLUMNS)
    client.close()


def write_down(city: City, tape: Tape) -> list[Action]:
    """What the notifier does with the topic."""
    actions = [Action.from_json(one.value) for one in tape.new()]
    found = [one for one in actions if one is not None]
    assert len(found) == len(actions)
    asked(city, lambda store: record_actions(store, found))
    return found


def asked(city: City, question: Callable[[Store], Awaitable[Answer]]) -> Answer:
    """What the notifier's functions answer."""

    async def ask() -> Answer:
        store = await Store.open(Address("127.0.0.1", city.server.port, "writer", WRITER_PASSWORD))
        try:
            return await question(store)
        finally:
            await store.close()

    return asyncio.run(ask())


def test_an_acknowledgement_holds_for_one_firing_and_is_in_the_audit_log(
    city: City, run: Run, tape: Tape, broker: Broker
) -> None:
    insert_alert(city, "ack-1", city.now)
    assert "acknowledged: finding_critical" in run("alerts", "ack", "ack-1", "--by", "值班员", "--why", "去看").stdout
    [action] = write_down(city, tape)
    assert (action.action, action.by, action.via, action.alert_id) == ("acknowledge", "值班员", "cli", "ack-1")
    shown = json.loads(run("alerts", "show", "ack-1", "--json").stdout)
    assert shown["alert"]["acknowledged_by"] == "值班员"
    assert [one["why"] for one in shown["actions"]] == ["去看"]
    assert [one["to_state"] for one in shown["transitions"]] == ["firing"]
    later = city.now + timedelta(minutes=2)
    assert asked(city, lambda store: acknowledged_by(store, "ack-1", city.now)) == "值班员"
    assert asked(city, lambda store: acknowledged_by(store, "ack-1", later)) is None
    assert asked(city, lambda store: acknowledged_by(store, "no-such", city.now)) is None
    entry = list(read(KafkaAddress(broker.servers)))[-1]
    assert (entry.action, entry.subject, entry.why) == ("alerts acknowledge", "ack-1", "值班员: 去看")
    insert_alert(city, "ack-1", city.now + timedelta(minutes=1), "resolved")
    assert "not firing" in run("alerts", "ack", "ack-1", "--by", "a", "--why", "b", status=1).stderr
    insert_alert(city, "ack-1", city.now + timedelta(minutes=2))
    assert json.loads(run("alerts", "show", "ack-1", "--json").stdout)["alert"]["acknowledged_by"] is None
    assert "acknowledged by: nobody" in run("alerts", "show", "ack-1").stdout


def test_a_silence_holds_for_what_matches_until_it_is_ended(city: City, run: Run, tape: Tape) -> None:
    insert_alert(city, "quiet-1", city.now)
    insert_alert(city, "loud-1", city.now, scope_id="330681002")
    words = ("--match", "indicator=finding_critical", "--match", "subject=quiet-1", "--by", "李", "--why", "检修")
    run("alerts", "silence", *words, "--for", "2h")
    [made] = write_down(city, tape)

    def silenced() -> dict[str, bool]:
        rows = json.loads(run("alerts", "list", "--kind", "event", "--json").stdout)
        return {one["alert_id"]: one["silenced_until"] is not None for one in rows}

    assert (silenced()["quiet-1"], silenced()["loud-1"]) == (True, False)
    [listed] = json.loads(run("alerts", "silence", "--list", "--json").stdout)
    assert (listed["action_id"], listed["by"], listed["why"]) == (made.action_id, "李", "检修")
    [held] = asked(city, lambda store: active_silences(store, datetime.now(UTC)))
    assert (held.action_id, held.until, dict(held.matches)) == (made.action_id, made.until, made.matches)
    assert asked(city, lambda store: active_silences(store, held.until)) == []
    run("alerts", "unsilence", made.action_id, "--by", "李", "--why", "修好")
    write_down(city, tape)
    assert silenced()["quiet-1"] is False
    assert asked(city, lambda store: active_silences(store, datetime.now(UTC))) == []
    assert run("alerts", "silence", "--list").stdout == "no silences\n"
    assert "no silence" in run("alerts", "unsilence", made.action_id, "--by", "李", "--why", "x", status=1).stderr


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (("--for", "2h", "--by", "a", "--why", "b"), "say what is silenced", 2),
        (("--match", "scope=town", "--by", "a", "--why", "b"), "say how long", 2),
        (("--match", "scope=town", "--for", "2h"), "say who acts and why", 2),
        (("--match", "colour=red", "--for", "2h", "--by", "a", "--why", "b"), "names nothing", 2),
        (("--match", "scope=town", "--for", "31d", "--by", "a", "--why", "b"), "within 30 days", 1),
        (("--match", "scope=town", "--until", "2026-01-01T00:00", "--by", "a", "--why", "b"), "end after now", 1),
        (("--match", "scope=town", "--for", "2h", "--by", " ", "--why", "b"), "should not be empty", 1),
        (("no-such", "--for", "2h", "--by", "a", "--why", "b"), "there is no alert no-such", 1),
    ],
)
def test_a_silence_that_says_too_little_is_refused(
    run: Run, tape: Tape, words: tuple[str, ...], said: str, status: int
) -> None:
    assert said in run("alerts", "silence", *words, status=status).stderr
    assert tape.new() == []


def test_nothing_is_done_while_kafka_is_away(city: City, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_alert(city, "away-1", city.now)
    monkeypatch.setenv("YANGGUANG_KAFKA", "127.0.0.1:1")
    result = run("alerts", "ack", "away-1", "--by", "a", "--why", "b", status=1)
    assert "acknowledged:" not in result.stdout


def test_a_route_is_explained_for_an_alert_and_for_one_that_is_imagined(city: City, run: Run, tmp_path: Path) -> None:
    (tmp_path / "yangguang.toml").write_text(ROUTES)
    insert_alert(city, "route-1", city.now)
    assert run("alerts", "route", "--explain", "route-1").stdout.splitlines() == [
        "schools: no, it is for departments 市教体局, and this has 市食药安办, 市市场监管局",
        "rest: yes, tells duty; unacknowledged for 15 min, then school",
    ]
    imagined = run("alerts", "route", "--explain", "--indicator", "school_6h", "--at", "2026-12-01T23:00")
    assert imagined.stdout.startswith("schools: yes, tells school\n")
    assert "held back" not in imagined.stdout
    moved = run("alerts", "route", "--explain", "--indicator", "seal_coverage", "--at", "2026-12-01T23:00")
    assert moved.stdout.endswith("held back: maintenance move\n")


def test_without_routes_everybody_is_told(run: Run) -> None:
    asked = run("alerts", "route", "--explain", "--indicator", "stale")
    assert asked.stdout == "no routes are configured, so every channel is told\n"
