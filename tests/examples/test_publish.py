"""The example for MQTT, with a real mosquitto between it and the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.scripts import EXAMPLES, command, environment, ids, run, start
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.mosquitto import Mosquitto, password_of
from tests.pipeline.gateway.samples import REJECTED, SEAL, text
from tests.pipeline.gateway.stack import DEFAULT_LIMITS, Broker, Gateway, Tape, give_key
from tests.secure.certificates import HOST, Certificates
from tests.system.parts import wait_for

PRODUCER = "jd"


@pytest.fixture(scope="module", name="mosquitto")
def _mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("mqtt")
    running = Mosquitto(folder / "mosquitto", Certificates(folder / "tls"), (PRODUCER,))
    yield running
    running.end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="module", name="door")
def _door(folder: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto) -> Iterator[Gateway]:
    """A gateway that takes what mosquitto has, from a producer with a key for its own source."""
    give_key(
        broker.servers, PRODUCER, f"yg_mqttjd01_{'4' * 64}", grant={"streams": ["seal"], "sources": ["/platform/jd"]}
    )
    running = Gateway(folder, broker.servers, clickhouse.port, DEFAULT_LIMITS, **mosquitto.settings)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


def told(mosquitto: Mosquitto, **more: str) -> dict[str, str]:
    """The environment of a producer that knows its password."""
    given = {"mqtt": mosquitto.url, "mqtt_user": PRODUCER, "mqtt_password": password_of(PRODUCER), **more}
    return environment(**given)


def test_each_event_is_taken_and_answered(mosquitto: Mosquitto, door: Gateway, tape: Tape, tmp_path: Path) -> None:
    assert door.process.poll() is None
    done = run(command("publish.sh", "seal", str(EXAMPLES / "orders.ndjson")), tmp_path, told(mosquitto))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "5 published, 5 answered, 0 of these refused\n"
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [f"o-example-{number}/rider" for number in range(1, 6)]
    assert sorted(one["results"][0]["id"] for one in answers) == expected
    assert ids(tape.new()) == expected


def test_what_is_refused_is_answered_with_the_reason(
    mosquitto: Mosquitto, door: Gateway, tape: Tape, tmp_path: Path
) -> None:
    assert door.process.poll() is None
    jd = [text(number).replace(b"/platform/meituan", b"/platform/jd") for number in range(3)]
    bad = jd[1].replace(b'"intact"', b'"fine"')
    (tmp_path / "mixed.ndjson").write_bytes(b"\n".join([jd[0], b"", bad, text(7), jd[2]]) + b"\n")
    done = run(command("publish.sh", "seal", "mixed.ndjson"), tmp_path, told(mosquitto))
    assert done.returncode == 1
    assert done.stderr == "4 published, 4 answered, 2 of these refused\n"
    assert '"reason":"bad_value","detail":"/data/seal_state: ' in done.stdout
    assert '"reason":"not_permitted","detail":"/source: ' in done.stdout
    found = tape.new()
    assert ids(one for one in found if one.topic == SEAL) == ["e-0", "e-2"]
    assert ids(one for one in found if one.topic == REJECTED) == ["e-1", "e-7"]


def test_what_is_published_while_no_gateway_is_there_is_answered_once_one_is(
    folder: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto, door: Gateway, tape: Tape, tmp_path: Path
) -> None:
    door.kill()
    before = len(mosquitto.log())
    publishing = start(command("publish.sh", "seal", str(EXAMPLES / "orders.ndjson")), tmp_path, told(mosquitto))
    wait_for(lambda: f"as {PRODUCER}-" in mosquitto.log()[before:], 20, "the script has a session")
    again = Gateway(folder, broker.servers, clickhouse.port, DEFAULT_LIMITS, **mosquitto.settings)
    try:
        out, error = publishing.communicate(timeout=90)
        assert publishing.returncode == 0, error
        assert out.count('"accepted":1,"rejected":0') == 5
        assert len(set(ids(tape.new()))) == 5
    finally:
        again.kill()


def test_over_tls_the_password_is_told_to_the_broker_only(
    folder: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto, tape: Tape, tmp_path: Path
) -> None:
    gateway = Gateway(folder, broker.servers, clickhouse.port, DEFAULT_LIMITS, **mosquitto.settings)
    try:
        gateway.wait_for("/readyz", 200)
        url = f"mqtts://{HOST}:{mosquitto.tls_port}"
        words = command("publish.sh", "seal", str(EXAMPLES / "orders.ndjson"))
        distrusted = run(words, tmp_path, told(mosquitto, mqtt=url))
        assert distrusted.returncode != 0
        assert tape.new() == []
        traced = ["sh", "-x", *words]
        done = run(traced, tmp_path, told(mosquitto, mqtt=url, mqtt_ca=str(mosquitto.certificates.ca)))
        assert done.returncode == 0, done.stderr
        commands = [line for line in done.stderr.splitlines() if line.startswith("+ mosquitto_")]
        assert len(commands) == 3
        assert not [line for line in commands if password_of(PRODUCER) in line]
        assert len(ids(tape.new())) == 5
    finally:
        gateway.kill()
