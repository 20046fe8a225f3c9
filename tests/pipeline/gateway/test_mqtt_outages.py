"""MQTT while Kafka, the broker or the gateway is away or killed: what the broker acknowledged comes to Kafka."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.gateway import Limits
from tests.pipeline.embedded_clickhouse import ROOT, Server
from tests.pipeline.gateway.mosquitto import NO_MATCHING_SUBSCRIBERS, USER, Load, Mosquitto, topic_of
from tests.pipeline.gateway.samples import REJECTED, text
from tests.pipeline.gateway.stack import Broker, Gateway, Tape
from tests.secure.certificates import HOST, Certificates
from tests.system.parts import free_port, wait_for

TOPIC = topic_of("seal")
ANSWERS = topic_of("answers")
AWAY = "it is not acknowledged, as Kafka does not answer"
Start = Callable[..., Gateway]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture
def mosquitto(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path / "mosquitto", certificates)
    yield running
    running.end(signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto) -> Iterator[Start]:
    """Starts a gateway."""
    started: list[Gateway] = []

    def begin(name: str = "gateway", limits: Limits | None = None, **more: str) -> Gateway:
        settings = mosquitto.settings | more
        made = Gateway(tmp_path, broker.servers, clickhouse.port, limits or Limits(), name, **settings)
        started.append(made)
        return made

    yield begin
    for one in started:
        one.kill()


def ready(gateway: Gateway) -> Gateway:
    gateway.wait_for("/readyz", 200)
    return gateway


class Ledger:
    """Which events have come to Kafka since the test began."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._found: set[int] = set()
        self.refused = 0

    def found(self) -> set[int]:
        for one in self._tape.new():
            if one.topic == REJECTED:
                self.refused += 1
            else:
                self._found.add(int(json.loads(one.value)["id"].removeprefix("e-")))
        return self._found

    def wait_for(self, numbers: "set[int] | dict[int, float]", seconds: float = 60) -> None:
        """Returns when all of these are there."""
        missing: set[int] = set(numbers)

        def complete() -> bool:
            missing.difference_update(self.found())
            return not missing

        try:
            wait_for(complete, seconds, "all are in Kafka")
        except TimeoutError:
            raise AssertionError(f"{len(missing)} of {len(numbers)} are missing: {sorted(missing)[:10]}") from None


@pytest.fixture
def ledger(tape: Tape) -> Ledger:
    return Ledger(tape)


def test_what_comes_while_kafka_is_away_stays_with_the_broker_and_is_told_of_once(
    broker: Broker, mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    gateway = ready(start())
    with Load(mosquitto, text) as load:
        load.wait_for_more(300)
        broker.kill()
        try:
            assert "kafka" in gateway.wait_for("/readyz", 503).json()["missing"]
            load.wait_for_more(2_000)  # more than the gateway takes without an acknowledgement
            wait_for(lambda: AWAY in gateway.log.read_text(), 30, "the gateway has given up waiting for Kafka")
        finally:
            broker.start()
        ready(gateway)
        load.wait_for_more(300)
    acknowledged = load.ledger()
    assert load.reasons == {0}
    ledger.wait_for(acknowledged)
    assert gateway.log.read_text().count(AWAY) == 1


def test_a_gateway_that_is_killed_again_and_again_loses_nothing(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    gateway = ready(start())
    with Load(mosquitto, text) as load:
        for _ in range(6):
            load.wait_for_more(400)
            gateway.kill()
            load.wait_for_more(200)
            gateway = ready(start())
        load.wait_for_more(400)
    assert load.reasons == {0}
    ledger.wait_for(load.ledger())


def test_a_broker_that_is_restarted_loses_nothing(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    gateway = ready(start())
    with Load(mosquitto, text) as load:
        for _ in range(3):
            load.wait_for_more(400)
            mosquitto.end()
            gateway.wait_for("/readyz", 503)
            mosquitto.start()
            ready(gateway)
        load.wait_for_more(400)
        gateway.kill()
        load.wait_for_more(1_500)  # for a gateway that is away, past a restart
        mosquitto.end()
        mosquitto.start()
        load.wait_for_more(1_500)
        ready(start())
    assert load.reasons == {0}
    ledger.wait_for(load.ledger())
    assert "the connection is lost" in gateway.log.read_text()


def test_a_broker_that_is_killed_keeps_what_it_has_saved(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    ready(start()).kill()  # all stays with the broker
    kept: set[int] = set()
    with Load(mosquitto, text) as load:
        for _ in range(3):
            before = load.ledger().keys()
            load.wait_for_more(1_000)
            kept |= load.ledger().keys() - before
            wait_for_two_more_saves(mosquitto)
            mosquitto.end(signal.SIGKILL)
            mosquitto.start()
    ready(start())
    ledger.wait_for(kept)


def wait_for_two_more_saves(mosquitto: Mosquitto) -> None:
    """The first may have begun already; when the second has, what is asked for is in the first that began later."""
    saved = mosquitto.log().count("Saving in-memory database")
    wait_for(lambda: mosquitto.log().count("Saving in-memory database") >= saved + 2, 30, "it is saved")


def test_who_repeats_until_it_is_answered_loses_nothing_whatever_is_killed(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    gateway = ready(start())
    waiting = set(range(1_500))
    total = len(waiting)
    with mosquitto.device() as device:

        def hear() -> None:
            while not device.answers.empty():
                told = device.answers.get()
                assert told.body["accepted"] == 1
                waiting.discard(int(told.correlation or b""))

        def push_all() -> None:
            hear()
            for number in sorted(waiting):
                device.send(TOPIC, text(number), ResponseTopic=ANSWERS, CorrelationData=str(number).encode())

        def wait_until_left(count: int) -> None:
            """Returns when at most so many are unanswered; repeats them where no answer has come for a while."""
            heard = time.monotonic()
            while len(waiting) > count:
                before = len(waiting)
                hear()
                if len(waiting) < before:
                    heard = time.monotonic()
                elif time.monotonic() > heard + 5:
                    push_all()
                    heard = time.monotonic()
                time.sleep(0.01)

        push_all()
        for left in (total * 2 // 3, total // 3):
            wait_until_left(left)
            mosquitto.end(signal.SIGKILL)
            gateway.kill()
            mosquitto.start()
            gateway = ready(start())
        wait_until_left(0)
    ledger.wait_for(set(range(total)))


def test_answers_go_on_after_a_restart_of_the_broker(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    gateway = ready(start())
    told: set[int] = set()

    def hear() -> int:
        while not device.answers.empty():
            told.add(int(device.answers.get().correlation or b""))
        return len(told)

    with mosquitto.device() as device:
        for begin in range(0, 900, 300):
            for number in range(begin, begin + 300):
                device.send(TOPIC, text(number), ResponseTopic=ANSWERS, CorrelationData=str(number).encode())
            before = hear()
            wait_for(lambda before=before: hear() > before, 30, "some are answered")  # type: ignore[misc]
            mosquitto.end()
            gateway.wait_for("/readyz", 503)
            mosquitto.start()
            ready(gateway)
        device.publish(TOPIC, text(900), ResponseTopic=ANSWERS, CorrelationData=b"900")
        wait_for(lambda: hear() and 900 in told, 30, "it is answered")
    ledger.wait_for(set(range(901)))
    assert "does not take an answer" not in gateway.log.read_text()


def test_gateways_share_the_load_and_what_is_meant_for_one_waits_for_it(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    first, second = (ready(start(name, mqtt_shared="true")) for name in ("first", "second"))
    second.kill()
    numbers = set(range(100))
    with mosquitto.device() as device:
        for number in numbers:
            assert device.publish(TOPIC, text(number)) == 0
    wait_for(ledger.found, 20, "the first has its share")
    assert first.stop() == 0
    of_first = set(ledger.found())
    assert of_first < numbers
    ready(start("second", mqtt_shared="true"))
    wait_for(lambda: ledger.found() > of_first, 20, "the second has its share")
    ready(start("first", mqtt_shared="true"))
    ledger.wait_for(numbers)


def test_gateways_that_share_lose_nothing_over_a_restart_of_the_broker_of_who_heeds_that_nobody_is_there(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    """mosquitto forgets shared subscriptions when it ends, until the gateways are back; who publishes then is told."""
    gateways = [ready(start(name, mqtt_shared="true")) for name in ("first", "second")]
    with Load(mosquitto, text, repeat=True) as load:
        for _ in range(3):
            load.wait_for_more(400)
            mosquitto.end()
            for one in gateways:
                one.wait_for("/readyz", 503)
            mosquitto.start()
            for one in gateways:
                ready(one)
            load.wait_for_more(400)
    assert load.reasons <= {0, NO_MATCHING_SUBSCRIBERS}
    ledger.wait_for(load.ledger())


def test_a_gateway_goes_from_its_own_subscription_to_the_shared_one_and_back_and_loses_nothing(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    with mosquitto.device() as device:
        gateway = ready(start())
        for number, shared in enumerate(("true", "false", "true")):
            gateway.kill()
            gateway = ready(start(mqtt_shared=shared))
            assert device.publish(TOPIC, text(number)) == 0
            gateway.kill()
            assert device.publish(TOPIC, text(100 + number)) == 0
        ready(start())
        ledger.wait_for({0, 1, 2, 100, 101, 102})


def test_a_gateway_that_leaves_takes_what_is_meant_for_it_and_gets_nothing_more(
    tmp_path: Path, broker: Broker, clickhouse: Server, mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    for name in ("first", "second"):
        ready(start(name, mqtt_shared="true")).kill()
    with mosquitto.device() as device:
        for number in range(100):
            device.publish(TOPIC, text(number))
        settings = {f"YANGGUANG_{name.upper()}": value for name, value in mosquitto.settings.items()} | {
            "YANGGUANG_HOME": str(tmp_path),
            "YANGGUANG_KAFKA": broker.servers,
            "YANGGUANG_CLICKHOUSE": f"http://127.0.0.1:{clickhouse.port}",
            "YANGGUANG_HTTP_PORT": str(free_port()),
            "YANGGUANG_MQTT_SHARED": "true",
        }
        left = subprocess.run(
            [sys.executable, "-m", "pipeline", "gateway", "--name", "second", "--leave"],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert left.returncode == 0, left.stderr
        assert "nothing more for second: it can be taken away" in left.stdout
        of_second = set(ledger.found())
        assert 0 < len(of_second) < 100
        for number in range(100, 150):
            device.publish(TOPIC, text(number))
    ready(start("first", mqtt_shared="true"))
    ledger.wait_for(set(range(150)))


def test_messages_that_no_gateway_has_ever_asked_for_are_told_of_by_the_broker(mosquitto: Mosquitto) -> None:
    with mosquitto.device() as device:
        assert device.publish(TOPIC, text(1)) == NO_MATCHING_SUBSCRIBERS


def test_it_ends_within_five_seconds_and_leaves_unacknowledged_what_is_not_stored(
    broker: Broker, mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    gateway = ready(start())
    with mosquitto.device() as device:
        with broker.silent():
            for number in range(50):
                device.publish(TOPIC, text(number))
            gateway.wait_for("/readyz", 503)
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 5
        device.publish(TOPIC, text(50))
    ready(start())
    ledger.wait_for(set(range(51)))


def test_while_the_broker_is_away_events_are_taken_over_http_and_it_is_told_of_once(
    mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    mosquitto.end()
    gateway = start()
    wait_for(lambda: gateway.wait_for("/readyz", 503).json()["missing"] == ["mqtt"], 20, "only MQTT is missing")
    with gateway.client() as client:
        answer = client.post("/v1/events", content=text(1), headers={"Content-Type": "application/json"})
        assert answer.status_code == 202
    wait_for(lambda: "does not answer (Connection refused)" in gateway.log.read_text(), 10, "it is told of")
    mosquitto.start()
    ready(gateway)
    with mosquitto.device() as device:
        device.publish(TOPIC, text(2))
    ledger.wait_for({1, 2})
    assert gateway.log.read_text().count("does not answer (Connection refused)") == 1


def test_a_broker_that_sends_nonsense_ends_nothing_for_good(mosquitto: Mosquitto, start: Start) -> None:
    mosquitto.end()
    with socket.create_server(("127.0.0.1", mosquitto.port)) as nonsense:
        gateway = start()
        while "has ended: begun anew" not in gateway.log.read_text():
            nonsense.settimeout(20)
            connection, _ = nonsense.accept()
            with connection:
                connection.settimeout(20)
                connection.recv(1000)
                connection.sendall(b"\x20\x01\x00")  # a CONNACK that lacks its end: paho's thread does not survive it
    mosquitto.start()
    ready(gateway)


def test_what_is_held_for_a_silent_kafka_is_bounded_and_the_rest_comes_later(
    broker: Broker, mosquitto: Mosquitto, start: Start, ledger: Ledger
) -> None:
    gateway = ready(start(limits=Limits(held_bytes=3_000_000, acknowledge_seconds=1.5)))
    batches = [b"\n".join(text(number) for number in range(begin, begin + 300)) for begin in range(0, 12_000, 300)]
    assert sum(map(len, batches)) > 3_000_000
    with mosquitto.device() as device:
        with broker.silent():
            for qos, batch in enumerate(batches):
                device.send(TOPIC, batch, qos % 2, ContentType="application/x-ndjson")
            gateway.wait_for("/readyz", 503)
            with gateway.client() as client:  # and others have their part of it still
                answer = client.post("/v1/events", content=text(1), headers={"Content-Type": "application/json"})
                assert "Kafka" in answer.json()["detail"]
        ledger.wait_for(set(range(12_000)))
    assert ledger.refused == 0


def test_a_user_that_the_broker_refuses_is_told_with_the_settings(start: Start) -> None:
    gateway = start(mqtt_password="wrong")
    wait_for(
        lambda: "refuses yangguang-gateway (Not authorized): check YANGGUANG_MQTT_USER" in gateway.log.read_text(),
        20,
        "it is told",
    )
    assert "mqtt" in gateway.wait_for("/readyz", 503).json()["missing"]
    assert "wrong" not in gateway.log.read_text().replace("Not authorized", "")


def test_two_gateways_of_one_name_are_told_so(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    first = ready(start("same"))
    second = start("same")
    logs = (first.log, second.log)
    wait_for(lambda: any("a --name of its own" in one.read_text() for one in logs), 30, "it is told")
    with mosquitto.device() as device:
        for number in range(20):
            device.publish(TOPIC, text(number))
    ledger.wait_for(set(range(20)))


def test_the_connection_may_be_encrypted(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    ready(start(mqtt=f"mqtts://{USER}@{HOST}:{mosquitto.tls_port}", mqtt_user="", mqtt_ca=mosquitto.certificates.ca))
    with Load(mosquitto, text) as load:
        load.wait_for_more(500)
    ledger.wait_for(load.ledger())


def test_a_broker_that_is_not_trusted_is_not_spoken_to(mosquitto: Mosquitto, start: Start) -> None:
    gateway = start(mqtt=f"mqtts://{HOST}:{mosquitto.tls_port}")
    wait_for(lambda: "certificate verify failed" in gateway.log.read_text(), 20, "it is told")
