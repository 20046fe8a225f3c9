"""MQTT while Kafka, the broker or the gateway is away or killed: what the broker acknowledged comes to Kafka."""

import asyncio
import signal
import time

import pytest
from paho.mqtt.client import Client
from paho.mqtt.properties import Properties

from pipeline.gateway import Limits
from pipeline.gateway.mqtt.outlet import Outlet
from pipeline.mqtt_settings import MqttAddress
from tests.pipeline.gateway.ledger import Ledger
from tests.pipeline.gateway.mosquitto import (
    NO_MATCHING_SUBSCRIBERS,
    USER,
    Load,
    Mosquitto,
    Start,
    password_of,
    ready,
    topic_of,
)
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import Broker
from tests.secure.certificates import HOST
from tests.system.parts import wait_for

TOPIC = topic_of("seal")
ANSWERS = topic_of("answers")
AWAY = "it is not acknowledged, as Kafka does not answer"


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


class FirstFails(Outlet):
    """Raises in paho's thread when it is first connected."""

    failed = False

    def _connected(self, client: Client, properties: Properties | None) -> None:
        if not self.failed:
            self.failed = True
            raise RuntimeError("a fault of ours")
        super()._connected(client, properties)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_whose_thread_has_ended_is_begun_anew(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async def connect() -> bool:
        address = MqttAddress("127.0.0.1", mosquitto.port, USER, password_of(USER))
        outlet = FirstFails(address, "yangguang-failing")
        outlet.start()
        try:
            return await outlet.wait(20)
        finally:
            await outlet.stop()

    assert asyncio.run(connect())
    assert "has ended: begun anew" in caplog.text


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


def test_the_connection_may_be_encrypted(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    ready(start(mqtt=f"mqtts://{USER}@{HOST}:{mosquitto.tls_port}", mqtt_user="", mqtt_ca=mosquitto.certificates.ca))
    with Load(mosquitto, text) as load:
        load.wait_for_more(500)
    ledger.wait_for(load.ledger())


def test_a_broker_that_is_not_trusted_is_not_spoken_to(mosquitto: Mosquitto, start: Start) -> None:
    gateway = start(mqtt=f"mqtts://{HOST}:{mosquitto.tls_port}")
    wait_for(lambda: "certificate verify failed" in gateway.log.read_text(), 20, "it is told")
