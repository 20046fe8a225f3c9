"""Who may push: keys, signatures, rates."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from standardwebhooks.webhooks import Webhook

from pipeline.keys.key import Key, signing_secret
from pipeline.keys.topic import read_keys
from streams.kafka_address import KafkaAddress
from tests.pipeline.embedded_clickhouse import ROOT, Server
from tests.pipeline.gateway.samples import REJECTED, order, text
from tests.pipeline.gateway.stack import BEARER, Broker, Gateway, Tape, give_key
from tests.pipeline.gateway.test_refusals import problem
from tests.system.parts import wait_for

JSON = {"Content-Type": "application/json"}
NONE: Mapping[str, str] = {}
SIGNING_KEY = "master-of-these-tests"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    """A gateway whose master of signing secrets is known."""
    running = Gateway(tmp_path_factory.mktemp("door"), broker.servers, clickhouse.port, signing_key=SIGNING_KEY)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


def text_of(identity: str) -> str:
    return f"yg_{identity}_" + "a" * 64


def push(
    door: Gateway, key: str | None, content: bytes | None = None, headers: Mapping[str, str] = NONE
) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{door.url}/v1/events", content=content or text(1), headers=JSON | authorization | dict(headers))


def known(door: Gateway, broker: Broker, identity: str, status: int = 202, **fields: Any) -> str:
    """A new key, once the gateway knows of it."""
    key = give_key(broker.servers, text=text_of(identity), **fields)
    wait_for(lambda: push(door, key).status_code == status, 10, f"the gateway answers {status} to {identity}")
    return key


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer nonsense", "Bearer yg_testkey2_" + "1" * 64, "Basic !!", "Digest x"],
)
def test_without_a_key_that_is_known_nothing_is_taken(door: Gateway, tape: Tape, authorization: str | None) -> None:
    headers = JSON if authorization is None else JSON | {"Authorization": authorization}
    answer = httpx.post(f"{door.url}/v1/events", content=text(1), headers=headers)
    assert answer.status_code == 401
    assert "yangguang keys create" in problem(answer)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert tape.new() == []


def test_a_key_may_be_the_password_of_basic(door: Gateway) -> None:
    key = BEARER["Authorization"].removeprefix("Bearer ")
    answer = httpx.post(f"{door.url}/v1/events", content=text(1), headers=JSON, auth=("camera", key))
    assert answer.status_code == 202


def test_a_gateway_that_asks_nobody_takes_events_without_a_key_but_no_wrong_key(
    tmp_path: Path, broker: Broker, clickhouse: Server
) -> None:
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port, authentication="off")
    try:
        gateway.wait_for("/readyz", 200)
        assert push(gateway, None).status_code == 202
        assert push(gateway, "nonsense").status_code == 401
    finally:
        gateway.kill()


def test_an_event_of_another_source_stream_or_town_is_refused_and_recorded_with_its_producer(
    door: Gateway, broker: Broker, tape: Tape
) -> None:
    grant = {"streams": ["seal"], "sources": ["/platform/meituan"], "towns": ["330681001"]}
    key = known(door, broker, "bound", producer="meituan", grant=grant)
    tape.new()
    foreign = json.dumps(order(2) | {"source": "/platform/eleme"}).encode()
    elsewhere = text(3, town_code="330681002")
    answer = push(door, key, b"[" + b",".join([text(1), foreign, elsewhere]) + b"]")
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [one.get("reason") for one in results] == [None, "not_permitted", "not_permitted"]
    assert [one["detail"].split(":")[0] for one in results[1:]] == ["/source", "/data/town_code"]
    refused = [one for one in tape.new() if one.topic == REJECTED]
    assert {one.headers["producer"] for one in refused} == {"meituan"}
    assert sorted(one.value for one in refused) == sorted([foreign, elsewhere])


def test_a_revoked_or_expired_key_is_told_so_at_once(door: Gateway, broker: Broker) -> None:
    known(door, broker, "leaving")
    now = datetime.now(UTC)
    for fields, state in (({"revoked_at": now}, "revoked"), ({"expires_at": now}, "expired")):
        key = known(door, broker, "leaving", 401, **fields)
        assert f"the API key leaving is {state}" in problem(push(door, key))
    known(door, broker, "leaving", expires_at=now + timedelta(days=1))


def test_a_development_key_is_good_on_loopback_only(tmp_path: Path, broker: Broker, clickhouse: Server) -> None:
    key = give_key(broker.servers, text=text_of("develop"), development=True)
    for host, status in (("127.0.0.1", 202), ("0.0.0.0", 401)):
        gateway = Gateway(tmp_path, broker.servers, clickhouse.port, http_host=host)
        try:
            gateway.wait_for("/readyz", 200)
            assert push(gateway, key).status_code == status
        finally:
            gateway.kill()


def test_a_producer_is_held_to_its_rate_over_all_its_keys_and_told_when_to_come_again(
    door: Gateway, broker: Broker, tape: Tape
) -> None:
    first, second = (
        known(door, broker, identity, producer="quick", rate="20/hour") for identity in ("quick-one", "quick-two")
    )
    tape.new()
    ten = b"[" + b",".join(text(one) for one in range(10)) + b"]"
    assert push(door, first, ten).status_code == 202
    answer = push(door, second, ten)
    assert answer.status_code == 429
    assert "20 per 1 hour" in problem(answer)
    assert 1 <= int(answer.headers["retry-after"]) <= 7200
    assert len(tape.new()) == 10
    too_many = b"[" + b",".join(text(one) for one in range(21)) + b"]"
    assert push(door, second, too_many).status_code == 413


def signed(body: bytes, secret: str, message: str = "m-1", at: datetime | None = None) -> dict[str, str]:
    """Headers as the library of Standard Webhooks makes them."""
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, moment, body.decode()),
    }


@pytest.fixture(scope="module")
def signing(door: Gateway, broker: Broker) -> tuple[str, str]:
    """A key whose requests have to be signed, and its secret."""
    return known(door, broker, "signing", 401, signed=True), signing_secret(SIGNING_KEY.encode(), "signing")


def test_a_signed_request_is_taken_once(door: Gateway, signing: tuple[str, str], tape: Tape) -> None:
    key, secret = signing
    headers = signed(text(1), secret)
    wait_for(lambda: "signed" in push(door, key).text, 10, "the key is known")
    assert push(door, key, headers=headers).status_code == 202
    again = push(door, key, headers=headers)
    assert again.status_code == 401
    assert "was taken before" in problem(again)
    assert push(door, key, headers=signed(text(1), secret, "m-2")).status_code == 202
    assert len(tape.new()) == 2


def test_a_signature_is_over_the_body_id_and_time_and_by_the_keys_own_secret(
    door: Gateway, signing: tuple[str, str], tape: Tape
) -> None:
    key, secret = signing
    good = signed(text(1), secret, "m-3")
    other = signing_secret(SIGNING_KEY.encode(), "other")
    for content, headers in (
        (text(2), good),
        (text(1), good | {"webhook-id": "m-4"}),
        (text(1), good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) - 1)}),
        (text(1), good | {"webhook-signature": "v1,"}),
        (text(1), good | {"webhook-signature": "v1,%%%"}),
        (text(1), good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}),
        (text(1), signed(text(1), other, "m-5")),
        (text(1), signed(text(1), secret, "m-6", datetime.now(UTC) - timedelta(minutes=6))),
        (text(1), signed(text(1), secret, "m-7", datetime.now(UTC) + timedelta(minutes=6))),
        (text(1), good | {"webhook-timestamp": "soon"}),
        (text(1), {}),
    ):
        answer = push(door, key, content, headers)
        assert answer.status_code == 401, headers
        assert problem(answer)
    assert tape.new() == []
    both = {"webhook-signature": f"v1,{base64.b64encode(bytes(32)).decode()} {good['webhook-signature']}"}
    assert push(door, key, headers=good | both).status_code == 202


def test_of_one_signed_request_that_comes_many_times_at_once_one_is_taken(
    door: Gateway, signing: tuple[str, str], tape: Tape
) -> None:
    key, secret = signing
    headers = signed(text(1), secret, "m-8")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: push(door, key, headers=headers).status_code, range(8)))
    assert sorted(statuses) == [202, *[401] * 7]
    assert len(tape.new()) == 1


def test_binary_mode_cannot_be_signed(door: Gateway, signing: tuple[str, str]) -> None:
    key, secret = signing
    attributes = {f"ce-{name}": str(value) for name, value in order(1).items() if name != "data"}
    answer = push(door, key, headers=signed(text(1), secret, "m-9") | attributes)
    assert answer.status_code == 400
    assert "structured mode" in problem(answer)


def test_a_gateway_with_a_certificate_speaks_tls_and_nothing_else(
    tmp_path: Path, broker: Broker, clickhouse: Server
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files: dict[str, Any] = {"tls_certificate": str(tmp_path / "certificate.pem"), "tls_key": str(tmp_path / "key.pem")}
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files["tls_certificate"], append=True)
    certificate.private_key_pem.write_to_path(files["tls_key"])
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port, **files)
    authority.configure_trust(gateway.trusted)
    try:
        gateway.wait_for("/readyz", 200)
        with gateway.client() as client:
            assert client.post("/v1/events", content=text(1), headers=JSON).status_code == 202
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{gateway.url}/healthz")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{gateway.port}/healthz")
    finally:
        gateway.kill()


@pytest.mark.parametrize(
    ("names", "says"),
    [(("certificate",), "go together"), (("certificate", "key"), "cannot be used"), (("key",), "go together")],
)
def test_a_certificate_that_cannot_be_used_stops_the_gateway_with_one_sentence(
    tmp_path: Path, broker: Broker, clickhouse: Server, names: tuple[str, ...], says: str
) -> None:
    (tmp_path / "empty.pem").touch()
    files: dict[str, Any] = {f"tls_{name}": str(tmp_path / "empty.pem") for name in names}
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port, **files)
    assert gateway.process.wait(30) == 1
    assert says in gateway.log.read_text().splitlines()[-1]


def keys(broker: Broker, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "YANGGUANG_HOME": str(home), "YANGGUANG_KAFKA": broker.servers}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "keys", *arguments],
        cwd=ROOT,
        env=environment | {"YANGGUANG_SIGNING_KEY": SIGNING_KEY},
        capture_output=True,
        text=True,
        check=False,
    )


def test_keys_are_made_listed_rotated_and_revoked_by_commands(door: Gateway, broker: Broker, tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        done = keys(broker, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    limits = ("--source", "/platform/meituan", "--stream", "seal", "--rate", "1000/minute")
    made = run("create", "acme", *limits, "--may", "acknowledge,push", "--json")
    wait_for(lambda: push(door, made["key"]).status_code == 202, 10, "the key is known")
    rotated = run("rotate", made["id"], "--json")
    wait_for(lambda: push(door, rotated["key"]).status_code == 202, 10, "the new key is known")
    assert push(door, made["key"]).status_code == 202
    own = {made["id"], rotated["id"]}
    [first, second] = [one for one in run("list", "--json") if one["id"] in own]
    assert {**second, "id": "", "created_at": ""} == {**first, "id": "", "created_at": "", "expires_at": None}
    assert made["key"] not in run("list")
    assert "is revoked" in run("revoke", made["id"])
    wait_for(lambda: push(door, made["key"]).status_code == 401, 10, "the old key is good no more")
    assert push(door, rotated["key"]).status_code == 202
    assert made["id"] not in run("list")
    assert made["id"] in run("list", "--all")
    stored = read_keys(KafkaAddress(broker.servers))
    assert all(isinstance(one, Key) for one in stored.values())
    assert made["key"] not in str(stored)
    signed_one = run("create", "acme", "--signed", "--json")
    assert (made["may"], second["may"], signed_one["may"]) == (["push", "acknowledge"], made["may"], ["push"])
    assert signed_one["signing_secret"] == signing_secret(SIGNING_KEY.encode(), signed_one["id"])


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("create", "Acme"), 2, "PRODUCER: write"),
        (("create", "acme", "--town", "1"), 2, "is no town code"),
        (("create", "acme", "--rate", "x"), 2, "is no rate"),
        (("create", "acme", "--expires", "soon"), 2, "soon should be"),
        (("create", "acme", "--may", "acknowledge,revoke"), 2, "'revoke': use push, acknowledge, silence"),
        (("revoke", "nobody"), 1, "there is no key nobody"),
        (("rotate", "nobody"), 1, "there is no key nobody"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    broker: Broker, tmp_path: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = keys(broker, tmp_path, *arguments)
    assert done.returncode == status
    assert says in done.stderr
