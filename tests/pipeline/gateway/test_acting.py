"""People act on alerts through the gateway: with an API key, or by the link that a message had."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from pipeline.audit import Entry, read
from schemas.action import Action
from schemas.catalogue import ACTIONS_TOPIC, AUDIT_TOPIC
from schemas.indicator import SHANGHAI
from sinks.clickhouse.alert_actions import COLUMNS, row
from sinks.clickhouse.alerts import LOG_COLUMNS
from streams.action_links import link_key, make_link
from streams.kafka_address import KafkaAddress
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.samples import order
from tests.pipeline.gateway.stack import Broker, Gateway, Tape, give_key
from tests.system.parts import wait_for

MASTER = "a master of signing secrets for tests"
KEY = link_key(MASTER.encode())
OFFICE = {"may": ["acknowledge", "silence"]}
SIGNED = {"by": "值班员", "why": "已联系平台"}
SINCE = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("door"), broker.servers, clickhouse.port, signing_key=MASTER)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def duty(door: Gateway, broker: Broker) -> dict[str, str]:
    """Headers with a key of its own for the duty office, which may push nothing."""
    return holding(door, give_key(broker.servers, "duty", key_text("dutykey1"), grant=OFFICE), 404)


@pytest.fixture
def http(door: Gateway, duty: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.url, timeout=30, headers=duty) as client:
        yield client


@pytest.fixture
def actions(broker: Broker) -> Iterator[Tape]:
    reading = Tape(broker.servers, (ACTIONS_TOPIC,))
    yield reading
    reading.close()


@pytest.fixture
def audited(broker: Broker) -> Iterator[Tape]:
    reading = Tape(broker.servers, (AUDIT_TOPIC,))
    yield reading
    reading.close()


def key_text(identity: str) -> str:
    return f"yg_{identity}_{'a' * 64}"


def holding(door: Gateway, key: str, status: int) -> dict[str, str]:
    """The headers of who has a key, once the gateway knows of it."""
    headers = {"Authorization": f"Bearer {key}"}

    def known() -> bool:
        return httpx.post(f"{door.url}/v1/alerts/none/ack", json=SIGNED, headers=headers).status_code == status

    wait_for(known, 10, "the key is known")
    return headers


def done(tape: Tape) -> list[Action]:
    found = [Action.from_json(one.value) for one in tape.new()]
    return [one for one in found if one is not None]


def insert_alert(
    clickhouse: Server, alert_id: str, state: str = "firing", since: datetime = SINCE, **more: Any
) -> None:
    values: dict[str, Any] = {
        "alert_id": alert_id, "transition_id": f"{alert_id}-{state}-{since}", "kind": "rate",
        "indicator": "seal_coverage", "scope": "town", "scope_id": "330681001", "window": "1h", "from_state": "pending",
        "to_state": state, "since": since, "held": 0, "as_of": since, "recorded_at": since, "numerator": 5,
        "denominator": 10, "unknown": 0, "rate": 0.5, "target": 0.9, "worst": [], "reason": "", "step": 0,
        "subject": "", "inhibited_by": "", "facts": "", **more,
    }  # fmt: skip
    client = clickhouse.client()
    client.insert("yangguang.alert_log", [[values[name] for name in LOG_COLUMNS]], column_names=LOG_COLUMNS)
    client.close()


def write_down(clickhouse: Server, actions: Sequence[Action]) -> None:
    """What the notifier does with the topic."""
    client = clickhouse.client()
    client.insert("yangguang.raw_alert_actions", [row(one) for one in actions], column_names=list(COLUMNS))
    client.close()


def link(alert_id: str, since: datetime = SINCE, hours: float = 1, key: bytes = KEY) -> str:
    return make_link("", key, alert_id, since, datetime.now(UTC) + timedelta(hours=hours))


def test_a_firing_alert_is_acknowledged_with_an_api_key(http: httpx.Client, clickhouse: Server, actions: Tape) -> None:
    insert_alert(clickhouse, "api-1")
    answer = http.post("/v1/alerts/api-1/ack", json=SIGNED)
    assert answer.status_code == 202, answer.text
    [action] = done(actions)
    assert action.action_id == answer.json()["action_id"]
    assert (action.action, action.alert_id, action.by, action.why, action.via) == (
        "acknowledge", "api-1", "值班员", "已联系平台", "api",
    )  # fmt: skip
    assert datetime.fromisoformat(action.matches["since"]) == SINCE
    assert answer.json()["since"] == "2026-11-23T12:00:00+08:00"


def test_an_alert_is_silenced_with_an_api_key_until_a_moment(
    http: httpx.Client, clickhouse: Server, actions: Tape
) -> None:
    insert_alert(clickhouse, "rejects_high.source./platform/jd.")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    body = SIGNED | {"until": until.astimezone(SHANGHAI).isoformat()}
    answer = http.post("/v1/alerts/rejects_high.source.%2Fplatform%2Fjd./silence", json=body)
    assert answer.status_code == 202, answer.text
    [action] = done(actions)
    assert (answer.json()["action_id"], datetime.fromisoformat(answer.json()["until"])) == (action.action_id, until)
    assert (action.action, action.via, action.until) == ("silence", "api", until)
    assert action.matches == {"alert_id": "rejects_high.source./platform/jd."}


@pytest.mark.parametrize(
    ("until", "says"),
    [(None, "until"), ("2026-01-01T00:00:00Z", "end after now"), ("2099-01-01T00:00:00Z", "30 days"), (1, "until")],
)
def test_a_silence_without_an_end_within_a_month_is_refused(
    http: httpx.Client, clickhouse: Server, actions: Tape, until: object, says: str
) -> None:
    insert_alert(clickhouse, "api-3")
    answer = http.post("/v1/alerts/api-3/silence", json=SIGNED | ({"until": until} if until else {}))
    assert (answer.status_code, says in answer.json()["detail"]) == (400, True), answer.text
    assert done(actions) == []


@pytest.mark.parametrize(
    ("identity", "may", "refused"),
    [
        ("pusher01", None, {"ack": "acknowledge", "silence": "silence"}),
        ("ackonly1", ["acknowledge"], {"silence": "silence"}),
        ("silonly1", ["push", "silence"], {"ack": "acknowledge"}),
    ],
)
def test_a_key_without_the_right_is_refused_with_a_way_out_and_reads_all_the_same(
    door: Gateway, broker: Broker, clickhouse: Server, actions: Tape, audited: Tape, identity: str,
    may: list[str] | None, refused: dict[str, str],
) -> None:  # fmt: skip
    insert_alert(clickhouse, "api-5")
    grant = {} if may is None else {"grant": {"may": may}}
    headers = holding(
        door, give_key(broker.servers, identity, key_text(identity), **grant), 403 if "ack" in refused else 404
    )
    for what, right in refused.items():
        answer = httpx.post(f"{door.url}/v1/alerts/api-5/{what}", json=SIGNED, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
        detail = answer.json()["detail"]
        assert f"{identity} may not {right}" in detail
        assert f"yangguang keys create NAME --may {right}" in detail
    for path in ("/v1/alerts", "/v1/rates", "/v1/rejected"):
        assert httpx.get(door.url + path, headers=headers).status_code == 200
    assert done(actions) == []
    assert audited.new() == []


def test_a_key_for_acting_pushes_nothing(http: httpx.Client) -> None:
    answer = http.post("/v1/events", json=order(1))
    assert answer.status_code == 422
    [result] = answer.json()["results"]
    assert (result["reason"], "may acknowledge and silence only" in result["detail"]) == ("not_permitted", True)


def test_who_acts_by_which_door_is_in_the_audit_log_and_no_secret_is(
    http: httpx.Client, duty: dict[str, str], door: Gateway, broker: Broker, clickhouse: Server, audited: Tape
) -> None:
    insert_alert(clickhouse, "audit-1")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    before = datetime.now(UTC)
    address = link("audit-1")
    assert http.post("/v1/alerts/audit-1/ack", json=SIGNED).status_code == 202
    assert http.post("/v1/alerts/audit-1/silence", json=SIGNED | {"until": until}).status_code == 202
    for button in ("acknowledge", "silence-1h"):
        form = {"by": "王\n五", "why": "去现场", "do": button}
        assert httpx.post(door.url + address, data=form).status_code == 202
    written = audited.new()
    assert [Entry.model_validate_json(one.value) for one in written] == list(read(KafkaAddress(broker.servers), before))
    entries = [Entry.model_validate_json(one.value) for one in written]
    assert [(one.via, one.user, one.action, one.subject, one.why) for one in entries] == [
        ("api", "key dutykey1 of duty", "alerts acknowledge", "audit-1", "值班员: 已联系平台"),
        ("api", "key dutykey1 of duty", "alerts silence", "audit-1", "值班员: 已联系平台"),
        ("link", "link", "alerts acknowledge", "audit-1", "王 五: 去现场"),
        ("link", "link", "alerts silence", "audit-1", "王 五: 去现场"),
    ]
    assert all(before <= one.at <= datetime.now(UTC) for one in entries)
    token = address.rpartition("/")[2]
    secrets = (duty["Authorization"].split("_")[-1], *token.split("."))
    assert not any(secret.encode() in one.value for one in written for secret in secrets)
    log = door.log.read_text()
    assert not any(secret in log for secret in secrets)


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


def test_a_form_that_comes_twice_is_the_same_action(door: Gateway, clickhouse: Server, actions: Tape) -> None:
    insert_alert(clickhouse, "link-5")
    address = door.url + link("link-5")
    shown = [re.search(r'name="press" value="(\w{32})"', httpx.get(address).text) for _ in range(2)]
    assert shown[0]
    assert shown[1]
    form = {"by": "王", "why": "去现场", "do": "acknowledge"}
    for press in (shown[0][1], shown[0][1], shown[1][1]):
        assert "王 正在处理" in httpx.post(address, data=form | {"press": press}).text
    assert httpx.post(address, data=form | {"press": shown[0][1], "by": "李"}).status_code == 202
    first, second, opened_anew, by_another = (one.action_id for one in done(actions))
    assert first == second
    assert len({first, opened_anew, by_another}) == 3


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
