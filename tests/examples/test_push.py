"""The examples that push over HTTP or to Kafka: what they send is there, and what is refused is told."""

import ast
import json
import os
import re
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from pipeline.keys.key import signing_secret
from pipeline.simulator.records import key_of, topic_of
from schemas.examples import examples
from tests.examples.scripts import EXAMPLES, command, environment, ids, run, start
from tests.pages import blocks, text_of
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.samples import REJECTED, SEAL, text
from tests.pipeline.gateway.stack import KEY, Broker, Gateway, Tape, free_port, give_key
from tests.system.parts import wait_for

SUFFIXES = (".py", ".sh", ".mjs")
BATCHERS = ("push_httpx.py", "push.mjs")
MASTER = "the-signing-key-of-this-test"


def orders(folder: Path, numbers: range, *more: bytes) -> str:
    """A file of orders."""
    (folder / "events.ndjson").write_bytes(b"\n".join([*map(text, numbers), *more]) + b"\n")
    return "events.ndjson"


def test_curl_pushes_one_a_batch_and_gzip(gateway: Gateway, tape: Tape, tmp_path: Path) -> None:
    done = run(command("curl.sh"), tmp_path, environment(gateway.url))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["accepted"], one["rejected"]) for one in answers] == [(1, 0), (2, 0), (2, 0)]
    found = tape.new()
    assert {one.topic for one in found} == {SEAL}
    assert ids(found) == sorted(result["id"] for one in answers for result in one["results"])
    assert len(set(ids(found))) == 5


@pytest.mark.parametrize("name", ["curl.sh", *BATCHERS, "send.sh"])
def test_a_wrong_key_ends_with_what_the_gateway_says(name: str, gateway: Gateway, tmp_path: Path) -> None:
    env = environment(gateway.url, f"{KEY[:-1]}1", source="/platform/jd")
    run(command("send.sh", "put", "yangguang.seal.order.v1"), tmp_path, env, "{}")
    argument = {"curl.sh": [], "send.sh": ["push"]}.get(name, [orders(tmp_path, range(1))])
    done = run(command(name, *argument), tmp_path, env)
    assert done.returncode not in (0, 2)
    assert "the API key is not known" in done.stdout + done.stderr


@pytest.mark.parametrize("name", BATCHERS)
def test_a_file_is_pushed_in_batches_and_what_is_refused_is_told(
    name: str, gateway: Gateway, tape: Tape, tmp_path: Path
) -> None:
    file = orders(tmp_path, range(1200), text(1200, evidence_level=9), b"{", text(1201))
    done = run(command(name, file), tmp_path, environment(gateway.url))
    assert done.returncode == 1
    assert "1201 accepted, 2 refused" in done.stdout
    told = done.stdout
    if name == "push_httpx.py":
        aside = [json.loads(line) for line in (tmp_path / f"{file}.refused").read_text().splitlines()]
        assert [one["event"] for one in aside] == [text(1200, evidence_level=9).decode(), "{"]
        told = "".join(f"{one['reason']} {one['detail']}" for one in aside)
    assert "bad_value /data/evidence_level: " in told
    assert "not_json " in told
    found = tape.new()
    assert ids(one for one in found if one.topic == SEAL) == sorted(f"e-{number}" for number in [*range(1200), 1201])
    assert len([one for one in found if one.topic == REJECTED]) == 2


@pytest.mark.parametrize("name", BATCHERS)
def test_a_gateway_that_is_not_there_yet_is_waited_for(
    name: str, broker: Broker, clickhouse: Server, tape: Tape, tmp_path: Path
) -> None:
    port = free_port()
    pushing = start(command(name, orders(tmp_path, range(10))), tmp_path, environment(f"http://127.0.0.1:{port}"))
    assert pushing.stderr is not None
    assert "again in" in pushing.stderr.readline()
    running = Gateway(tmp_path, broker.servers, clickhouse.port, http_port=str(port))
    try:
        out, error = pushing.communicate(timeout=90)
        assert pushing.returncode == 0, error
        assert "10 accepted, 0 refused" in out
        assert ids(tape.new()) == sorted(f"e-{number}" for number in range(10))
    finally:
        running.kill()


@pytest.mark.parametrize("name", BATCHERS)
def test_a_rate_that_is_used_up_is_waited_for(
    name: str, gateway: Gateway, broker: Broker, tape: Tape, tmp_path: Path
) -> None:
    identity = "slow" + name.partition(".")[0][-4:].replace("_", "x")
    key = give_key(broker.servers, f"slow-{identity}", f"yg_{identity}_{'1' * 64}", rate="500/second")
    wait_for(lambda: "not known" not in answer_to(gateway, key), 20, "the key is known")
    done = run(command(name, orders(tmp_path, range(1200))), tmp_path, environment(gateway.url, key))
    assert done.returncode == 0, done.stderr
    assert "answered 429, again in" in done.stderr
    assert ids(tape.new()) == sorted(f"e-{number}" for number in range(1200))


def answer_to(gateway: Gateway, key: str) -> str:
    """What the gateway says to a request with a key and without events."""
    with gateway.client() as client:
        answer = client.post(
            "/v1/events", headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        )
        return answer.text


def test_every_type_goes_straight_to_its_topic_under_its_key(broker: Broker, tape: Tape, tmp_path: Path) -> None:
    shown = list(examples().values())
    (tmp_path / "all.ndjson").write_text("\n".join(map(json.dumps, shown)) + "\n\n")
    done = run(command("push_kafka.py", "all.ndjson"), tmp_path, environment(kafka=broker.servers))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(shown)} events are on Kafka\n"
    found = {json.loads(one.value)["type"]: (one.topic, one.key) for one in tape.new()}
    assert found == {event["type"]: (topic_of(event["type"]), key_of(event)) for event in shown}


@pytest.mark.parametrize("name", ["sign.py", "sign.sh"])
def test_a_signed_request_is_taken_and_one_with_another_secret_is_not(
    name: str, broker: Broker, clickhouse: Server, tape: Tape, tmp_path: Path
) -> None:
    key = give_key(broker.servers, "signing", f"yg_signing1_{'2' * 64}", signed=True)
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port, signing_key=MASTER)
    try:
        gateway.wait_for("/readyz", 200)
        words = command(name, orders(tmp_path, range(3)))
        env = environment(gateway.url, key, signing_secret=signing_secret(b"another", "signing1"))
        done = run(words, tmp_path, env)
        assert done.returncode not in (0, 2)
        assert "webhook-signature is not that of this request" in done.stdout + done.stderr
        assert tape.new() == []
        for _ in range(2):  # each run is signed anew
            done = run(words, tmp_path, env | {"YANGGUANG_SIGNING_SECRET": signing_secret(MASTER.encode(), "signing1")})
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["accepted"] == 3
        assert set(ids(tape.new())) == {"e-0", "e-1", "e-2"}
    finally:
        gateway.kill()


CURLS = [
    (page, block)
    for page in ("README.md", "README.zh-CN.md", "docs/events.md")
    for block in blocks(text_of(page), "sh")
    if block.startswith("curl") and "/v1/events" in block
]


@pytest.mark.parametrize(("page", "block"), CURLS, ids=[page for page, _ in CURLS])
def test_the_curl_of_a_page_is_answered_202(
    page: str, block: str, gateway: Gateway, tape: Tape, tmp_path: Path
) -> None:
    secrets = tmp_path / ".yangguang/secrets"
    secrets.mkdir(parents=True)
    (secrets / "development-key").write_text(f"{KEY}\n")
    done = run(["sh", "-c", block.replace("8080", str(gateway.port))], tmp_path, {"PATH": os.environ["PATH"]})
    assert '"accepted":1,"rejected":0' in done.stdout, (page, done.stderr)
    assert ids(tape.new()) == ["2026-11-23/0001"]


@pytest.mark.parametrize("block", blocks(text_of("docs/events.md"), "python"))
def test_the_python_of_the_page_about_events_runs(
    block: str, gateway: Gateway, broker: Broker, tape: Tape, tmp_path: Path
) -> None:
    code = block.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}").replace("127.0.0.1:9092", broker.servers)
    done = run([sys.executable, "-c", code], tmp_path, environment())
    assert done.returncode == 0, done.stderr
    assert ids(tape.new()) == ["o-1001/rider" if "httpx" in block else "c-1/2026-11-23T12:01"]


def head_of(path: Path) -> str:
    """What an example says of itself before it begins."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(content)) or ""
    return "\n".join(takewhile(lambda line: line.startswith(("#", "//")), content.splitlines()))


@pytest.mark.parametrize(
    "path", [one for one in EXAMPLES.iterdir() if one.suffix in SUFFIXES], ids=lambda one: one.name
)
def test_each_example_says_at_its_head_which_variables_it_reads(path: Path) -> None:
    variables = re.compile("YANGGUANG_[A-Z_]+")
    said = set(variables.findall(head_of(path).partition("Environment: ")[2]))
    assert said == set(variables.findall(path.read_text(encoding="utf-8")))
    assert f"[`{path.name}`]({path.name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_no_example_holds_a_secret() -> None:
    for path in EXAMPLES.iterdir():
        assert not re.search(r"yg_[a-z0-9]{8}_|whsec_\w", path.read_text(encoding="utf-8")), path.name


def test_the_orders_for_trying_are_accepted(tmp_path: Path, gateway: Gateway, tape: Tape) -> None:
    file = EXAMPLES / "orders.ndjson"
    done = run(command("push_httpx.py", str(file)), tmp_path, environment(gateway.url))
    assert done.returncode == 0
    assert ids(tape.new()) == [f"o-example-{number}/rider" for number in range(1, 6)]
