"""Several gateways at one broker: they share its messages, and none is lost on the way from one to the other."""

import os
import subprocess
import sys
from pathlib import Path

from tests.pipeline.embedded_clickhouse import ROOT, Server
from tests.pipeline.gateway.ledger import Ledger
from tests.pipeline.gateway.mosquitto import NO_MATCHING_SUBSCRIBERS, Load, Mosquitto, Start, ready, topic_of
from tests.pipeline.gateway.samples import text
from tests.pipeline.gateway.stack import Broker
from tests.system.parts import free_port, wait_for

TOPIC = topic_of("seal")


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


def test_two_gateways_of_one_name_are_told_so(mosquitto: Mosquitto, start: Start, ledger: Ledger) -> None:
    first = ready(start("same"))
    second = start("same")
    logs = (first.log, second.log)
    wait_for(lambda: any("a --name of its own" in one.read_text() for one in logs), 30, "it is told")
    with mosquitto.device() as device:
        for number in range(20):
            device.publish(TOPIC, text(number))
    ledger.wait_for(set(range(20)))
