"""People act on alerts through the gateway: with an API key, or by the link that a message had."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.action import Action
from schemas.catalogue import ACTIONS_TOPIC
from sinks.clickhouse.alerts import LOG_COLUMNS
from streams.action_links import LinkError, link_key, make_link, read_token
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.stack import Broker, Gateway, Tape

MASTER = "a master of signing secrets for tests"
KEY = link_key(MASTER.encode())
SINCE = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("door"), broker.servers, clickhouse.port, signing_key=MASTER)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture
def http(door: Gateway) -> Iterator[httpx.Client]:
    with door.client() as client:
        yield client


@pytest.fixture
def actions(broker: Broker) -> Iterator[Tape]:
    reading = Tape(broker.servers, (ACTIONS_TOPIC,))
    yield reading
    reading.close()


def done(tape: Tape) -> list[Action]:
    found = [Action.from_json(one.value) for one in tape.new()]
    return [one for one in found if one is not None]


def insert_alert(clickhouse: Server, alert_id: str, state: str = "firing", since: datetime = SINCE) -> None:
    values: dict[str, Any] = {
        "alert_id": alert_id, "transition_id": f"{alert_id}-{state}-{since}", "kind": "rate",
        "indicator": "seal_coverage", "scope": "town", "scope_id": "330681001", "window": "1h", "from_state": "pending",
        "to_state": state, "since": since, "held": 0, "as_of": since, "recorded_at": since, "numerator": 5,
        "denominator": 10, "unknown": 0, "rate": 0.5, "target": 0.9, "worst": [], "reason": "", "step": 0,
        "subject": "", "inhibited_by": "", "facts": "",
    }  # fmt: skip
    client = clickhouse.client()
    client.insert("yangguang.alert_log", [[values[name] for name in LOG_COLUMNS]], column_names=LOG_COLUMNS)
    client.close()


def link(alert_id: str, since: datetime = SINCE, hours: float = 1, key: bytes = KEY) -> str:
    return make_link("", key, alert_id, since, datetime.now(UTC) + timedelta(hours=hours))


def test_a_firing_alert_is_acknowledged_with_an_api_key(http: httpx.Client, clickhouse: Server, actions: Tape) -> None:
    insert_alert(clickhouse, "api-1")
    answer = http.post("/v1/alerts/api-1/ack", json={"by": "值班员", "why": "已联系平台"})
    assert answer.status_code == 202, answer.text
    [action] = done(actions)
    assert action.action_id == answer.json()["action_id"]
    assert (action.action, action.alert_id, action.by, action.why, action.via) == (
        "acknowledge", "api-1", "值班员", "已联系平台", "api",
    )  # fmt: skip
    assert datetime.fromisoformat(action.matches["since"]) == SINCE


@pytest.mark.parametrize(
    ("alert_id", "body", "status"),
    [
        ("none-such", {"by": "a", "why": "b"}, 404),
        ("api-2", {"by": "a", "why": "b"}, 409),
        ("api-3", {"by": "a"}, 400),
        ("api-3", {"by": " ", "why": "b"}, 400),
        ("api-3", {"by": "a", "why": "b" * 501}, 400),
        ("api-3", {"by": "a", "why": "b", "more": 1}, 400),
        ("api-3", {"by": "a", "why": "b" * 20_000}, 413),
    ],
)
def test_what_cannot_be_acknowledged_is_refused_and_nothing_is_stored(
    http: httpx.Client, clickhouse: Server, actions: Tape, alert_id: str, body: dict[str, Any], status: int
) -> None:
    insert_alert(clickhouse, "api-2", "pending")
    insert_alert(clickhouse, "api-3")
    answer = http.post(f"/v1/alerts/{alert_id}/ack", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert done(actions) == []


def test_without_an_api_key_nobody_acknowledges(door: Gateway, clickhouse: Server, actions: Tape) -> None:
    insert_alert(clickhouse, "api-4")
    assert httpx.post(f"{door.url}/v1/alerts/api-4/ack", json={"by": "a", "why": "b"}).status_code == 401
    assert done(actions) == []


def test_opening_a_link_shows_the_alert_and_does_nothing(door: Gateway, clickhouse: Server, actions: Tape) -> None:
    insert_alert(clickhouse, "link-1")
    answer = httpx.get(door.url + link("link-1"))
    assert answer.status_code == 200
    assert "暨阳街道" in answer.text
    assert 'method="post"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "form-action 'none'" not in policy
    assert httpx.head(door.url + link("link-1")).status_code in (200, 405)
    assert done(actions) == []


@pytest.mark.parametrize(("button", "hours"), [("acknowledge", None), ("silence-1h", 1), ("silence-4h", 4)])
def test_a_button_acts_for_whoever_has_the_link(
    door: Gateway, clickhouse: Server, actions: Tape, button: str, hours: int | None
) -> None:
    insert_alert(clickhouse, "link-2")
    answer = httpx.post(door.url + link("link-2"), data={"by": "王", "why": "去现场", "do": button})
    assert answer.status_code == 202, answer.text
    [action] = done(actions)
    assert (action.alert_id, action.by, action.why, action.via) == ("link-2", "王", "去现场", "link")
    if hours is None:
        assert (action.action, datetime.fromisoformat(action.matches["since"])) == ("acknowledge", SINCE)
    else:
        assert (action.action, action.matches) == ("silence", {"alert_id": "link-2"})
        assert action.until == action.at + timedelta(hours=hours)


@pytest.mark.parametrize(
    "given_", [{}, {"by": "王"}, {"by": "王", "why": "x", "do": "silence-900h"}, {"by": "\n", "why": "x"}]
)
def test_a_form_that_says_too_little_is_shown_again(
    door: Gateway, clickhouse: Server, actions: Tape, given_: dict[str, str]
) -> None:
    insert_alert(clickhouse, "link-3")
    answer = httpx.post(door.url + link("link-3"), data={"do": "acknowledge"} | given_)
    assert answer.status_code == 400
    assert 'method="post"' in answer.text
    assert done(actions) == []


def test_a_link_that_is_forged_old_or_of_another_firing_does_nothing(
    door: Gateway, clickhouse: Server, actions: Tape
) -> None:
    insert_alert(clickhouse, "link-4")
    form = {"by": "王", "why": "x", "do": "acknowledge"}
    for address, status in (
        (link("link-4", key=link_key(b"other")), 403),
        ("/a/nonsense", 403),
        (link("link-4", hours=-1), 410),
        (link("link-4", since=SINCE - timedelta(hours=1)), 409),
        (link("no-such-alert"), 409),
    ):
        answer = httpx.post(door.url + address, data=form)
        assert (answer.status_code, 'method="post"' in answer.text) == (status, False), address
    assert done(actions) == []


MOMENT = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


@given(st.text(min_size=1, max_size=60), st.timedeltas(timedelta(0), timedelta(days=365)))
def test_a_link_says_what_it_was_made_for(alert_id: str, later: timedelta) -> None:
    since = SINCE + later
    address = make_link("https://x.example/", KEY, alert_id, since, MOMENT + timedelta(hours=1))
    assert address.startswith("https://x.example/a/")
    linked = read_token(address.rpartition("/")[2], KEY, MOMENT)
    assert linked == (alert_id, since, MOMENT + timedelta(hours=1))


@given(st.data())
def test_a_link_with_any_other_letter_is_refused(data: st.DataObject) -> None:
    token = make_link("", KEY, "seal", SINCE, MOMENT + timedelta(hours=1)).rpartition("/")[2]
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != token[place]))
    with pytest.raises(LinkError):
        read_token(token[:place] + letter + token[place + 1 :], KEY, MOMENT)


def test_a_link_ends_at_its_end() -> None:
    token = make_link("", KEY, "seal", SINCE, MOMENT).rpartition("/")[2]
    assert read_token(token, KEY, MOMENT - timedelta(seconds=1)).alert_id == "seal"
    with pytest.raises(LinkError, match="expired"):
        read_token(token, KEY, MOMENT)
