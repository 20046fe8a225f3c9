"""The parts of the pipeline as processes: the environment alone tells them how to prove who they are."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import pytest
from kafka.errors import KafkaError

from schemas.seal import Order
from streams.topics import group_members
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD
from tests.schemas.events import ORDER, REQUIRED
from tests.secure.broker import PASSWORD, USER, SecureBroker
from tests.secure.certificates import Certificates
from tests.secure.stack import SECONDS, Stack
from tests.secure.tls_endpoint import TlsEndpoint
from tests.system.parts import free_port, wait_for

GROUP: Final = "yangguang"


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    broker: SecureBroker,
    clickhouse: TlsEndpoint,
    certificates: Certificates,
) -> Iterator[Stack]:
    """A pipeline with a worker, a notifier and a gateway."""
    made = Stack(tmp_path_factory.mktemp("stack") / "home", broker, clickhouse, certificates)
    done = made.run("migrate")
    assert done.returncode == 0, done.stderr
    for part in ("worker", "notifier", "gateway"):
        made.start(part)
    wait_for(lambda: joined(broker, "worker"), SECONDS, "the worker joins its group")
    yield made
    made.stop()


def joined(broker: SecureBroker, name: str) -> bool:
    """A young broker does not know yet who keeps its groups."""
    with suppress(KafkaError):
        return name in group_members(broker.sasl, GROUP)
    return False


def order(identity: str) -> str:
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": "/platform/meituan",
        "type": ORDER,
        "time": datetime.now(UTC).isoformat(),
        "data": {**REQUIRED[ORDER], Order.entity: identity},
    }
    return json.dumps(event, ensure_ascii=False)


def test_events_go_all_the_way_over_connections_that_are_encrypted_and_authenticated(stack: Stack) -> None:
    done = stack.run("produce", "-", "--json", given=order("produced"))
    assert json.loads(done.stdout)["sent"] == 1, done.stderr
    wait_for(lambda: stack.post(order("posted")) == 202, SECONDS, "the gateway takes an event")
    wait_for(lambda: {"produced", "posted"} <= stack.orders(), SECONDS, "the worker lands both")


def test_doctor_is_well_and_says_how_it_connects(stack: Stack, broker: SecureBroker) -> None:
    wait_for(lambda: stack.doctor()[0] == 0, SECONDS, "all is well")
    _, found = stack.doctor()
    assert found["Kafka"]["found"] == f"answers at {broker.sasl} (SASL_SSL, user yangguang by SCRAM-SHA-512)"
    assert stack.database.url in found["ClickHouse as writer"]["found"]
    assert stack.database.url in found["ClickHouse as analyst"]["found"]
    assert found["gateway"]["found"].startswith("ready")


def test_a_certificate_alone_is_enough_for_a_worker(
    stack: Stack, broker: SecureBroker, certificates: Certificates
) -> None:
    environment = {
        "YANGGUANG_KAFKA": broker.mutual.servers,
        "YANGGUANG_KAFKA_USER": "",
        "YANGGUANG_KAFKA_PASSWORD_FILE": "",
        "YANGGUANG_KAFKA_CERTIFICATE": str(certificates.client.certificate),
        "YANGGUANG_KAFKA_KEY": str(certificates.client.key),
    }
    part = stack.start("worker", "--name", "by-certificate", env=environment)
    wait_for(lambda: joined(broker, "by-certificate"), SECONDS, "it joins the others")
    part.end()


@pytest.mark.parametrize(
    "command",
    [
        ("worker",),
        ("notifier",),
        ("produce", "-"),
        ("keys", "list"),
        ("simulate", "--from", "2026-11-23T11:00:00+08:00", "--to", "2026-11-23T11:05:00+08:00"),
    ],
    ids=lambda command: command[0],
)
def test_a_wrong_password_ends_a_part_with_one_sentence(
    stack: Stack, broker: SecureBroker, command: tuple[str, ...]
) -> None:
    wrong = {"YANGGUANG_KAFKA_PASSWORD_FILE": stack.secret("wrong", "not it")}
    done = stack.run(*command, env=wrong, given=order("never"))
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert f"Kafka at {broker.sasl} refuses user yangguang (SCRAM-SHA-512): check YANGGUANG_KAFKA_USER" in said


def test_doctor_says_of_a_wrong_password_what_to_do(stack: Stack, broker: SecureBroker) -> None:
    wrong = {"YANGGUANG_KAFKA_PASSWORD_FILE": stack.secret("wrong", "not it")}
    done = stack.run("doctor", "--json", env=wrong)
    assert done.returncode == 1
    (found,) = [one for one in json.loads(done.stdout) if one["part"] == "Kafka"]
    assert found["found"] == f"no access to {broker.sasl} (SASL_SSL, user yangguang by SCRAM-SHA-512)"
    assert "refuses user yangguang" in found["advice"]


def test_a_gateway_with_a_wrong_password_says_so_and_takes_nothing(stack: Stack, broker: SecureBroker) -> None:
    port = str(free_port())
    wrong = {"YANGGUANG_KAFKA_PASSWORD_FILE": stack.secret("wrong", "not it"), "YANGGUANG_HTTP_PORT": port}
    part = stack.start("gateway", env=wrong)
    wait_for(lambda: f"Kafka at {broker.sasl} refuses user yangguang" in part.text(), SECONDS, "its log says why")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30)  # our own
    assert caught.value.code == 503
    assert "kafka" in json.loads(caught.value.read())["missing"]
    part.end()


def test_a_worker_that_does_not_trust_clickhouse_stops_and_says_why(stack: Stack, others: Certificates) -> None:
    part = stack.start("worker", "--name", "distrustful", env={"YANGGUANG_CLICKHOUSE_CA": others.ca})
    wait_for(lambda: not part.running, SECONDS, "it stops")
    assert part.exit_status == 70
    assert "its certificate is not trusted: " in part.text()
    assert "see YANGGUANG_CLICKHOUSE_CA" in part.text()


def test_no_log_and_no_answer_has_a_password(stack: Stack) -> None:
    done = stack.run("doctor")
    said = stack.logs() + done.stdout + done.stderr
    assert USER in said
    for secret in (PASSWORD, WRITER_PASSWORD, "not it"):
        assert secret not in said
