"""What the gateway answers while Kafka or ClickHouse is away, slow or gone, and while it is itself told to end."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pipeline.gateway import Limits, run
from pipeline.ports import PortTakenError
from pipeline.settings import Settings
from streams.topics import REJECTED_MAX_BYTES
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.samples import REJECTED, SEAL, text
from tests.pipeline.gateway.stack import BEARER, KEY, Broker, Gateway, Tape, free_port

JSON = {"Content-Type": "application/json"}
QUICK = Limits(acknowledge_seconds=1.5, held_bytes=3_000_000, body_seconds=1)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    """A gateway that waits for Kafka for 1.5 s only and holds 3 MB."""
    running = Gateway(tmp_path_factory.mktemp("quick"), broker.servers, clickhouse.port, QUICK)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_no_202_is_lost_when_kafka_is_killed_in_the_middle(broker: Broker, quick: Gateway, tape: Tape) -> None:
    accepted: dict[str, tuple[str, int, int]] = {}
    statuses: list[int] = []
    end = threading.Event()

    def push(connection: int) -> None:
        number = connection * 1_000_000
        with quick.client() as client:
            while not end.is_set():
                texts = [text(number + one) for one in range(20)]
                answer = client.post("/v1/events", content=b"[" + b",".join(texts) + b"]", headers=JSON)
                statuses.append(answer.status_code)
                if answer.status_code == 202:
                    for one in answer.json()["results"]:
                        accepted[one["id"]] = (one["topic"], one["partition"], one["offset"])
                    number += 20
                else:
                    assert answer.headers["retry-after"]
                    assert answer.headers["content-type"] == "application/problem+json"

    with ThreadPoolExecutor(4) as pool:
        pushing = [pool.submit(push, connection) for connection in range(4)]
        try:
            wait_until(lambda: statuses.count(202) > 40)
            broker.kill()
            wait_until(lambda: statuses.count(503) > 20)
            quick.wait_for("/readyz", 503)
            broker.start()
            quick.wait_for("/readyz", 200)
            before = statuses.count(202)
            wait_until(lambda: statuses.count(202) > before + 20)
        finally:
            end.set()
        for one in pushing:
            one.result(30)
    assert set(statuses) == {202, 503}
    stored = {(one.topic, one.partition, one.offset): one.value for one in tape.new()}
    assert len(accepted) > 1000
    for event_id, place in accepted.items():
        assert stored[place] == text(int(event_id.removeprefix("e-")))


def test_a_silent_kafka_is_503_that_says_perhaps_and_the_same_again_is_fine(
    broker: Broker, quick: Gateway, tape: Tape
) -> None:
    with quick.client() as client:
        with broker.silent():
            began = time.monotonic()
            answer = client.post("/v1/events", content=text(1), headers=JSON)
            assert answer.status_code == 503
            assert time.monotonic() - began < 3
            assert "may or may not be stored: send it again" in answer.json()["detail"]
            quick.wait_for("/readyz", 503)
            began = time.monotonic()
            answer = client.post("/v1/events", content=text(2), headers=JSON)
            assert answer.status_code == 503
            assert time.monotonic() - began < 0.5  # known to be away: not waited for again
            assert "nothing of the request is stored" in answer.json()["detail"]
        quick.wait_for("/readyz", 200)
        wait_until(lambda: client.post("/v1/events", content=text(1), headers=JSON).status_code == 202)
    values = [one.value for one in tape.new()]
    assert set(values) == {text(1)}  # of the first attempt too, but nothing of the one that was turned away


def test_what_is_held_for_a_silent_kafka_is_bounded_and_given_back(broker: Broker, quick: Gateway) -> None:
    body = b"[" + b",".join(text(one) for one in range(1000)) + b"]"
    with quick.client() as client:
        with broker.silent(), ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post("/v1/events", content=body, headers=JSON), range(8)))
            details = [answer.json()["detail"] for answer in answers]
            assert {answer.status_code for answer in answers} == {503}
            assert any("may or may not" in detail for detail in details)
            assert any("holds as many events as it may" in detail for detail in details)
        quick.wait_for("/readyz", 200)
        wait_until(lambda: client.post("/v1/events", content=body, headers=JSON).status_code == 202)


def test_a_body_that_does_not_come_is_given_up(quick: Gateway) -> None:
    head = (
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        + f"Authorization: Bearer {KEY}\r\n\r\n[".encode()
    )
    with socket.create_connection(("127.0.0.1", quick.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_kafka_is_waited_for_at_start(tmp_path: Path, clickhouse: Server) -> None:
    gateway = Gateway(tmp_path, f"127.0.0.1:{free_port()}", clickhouse.port)
    try:
        gateway.wait_for("/healthz", 200)
        wait_until(lambda: gateway.wait_for("/readyz", 503).json()["missing"] == ["kafka", "keys"])
        answer = httpx.post(f"{gateway.url}/v1/events", content=text(1), headers=JSON | BEARER)
        assert answer.status_code == 503
        assert "does not take events" in gateway.log.read_text()
        assert gateway.stop() == 0
    finally:
        gateway.kill()


def test_events_are_taken_while_clickhouse_is_away(tmp_path: Path, broker: Broker, tape: Tape) -> None:
    gateway = Gateway(tmp_path, broker.servers, free_port())
    try:
        wait_until(lambda: gateway.wait_for("/readyz", 503).json()["missing"] == ["clickhouse"])
        with gateway.client() as client:
            assert client.post("/v1/events", content=text(1), headers=JSON).status_code == 202
            for path in ("/v1/rates", "/v1/alerts"):
                answer = client.get(path)
                assert answer.status_code == 503
                assert "ClickHouse does not answer" in answer.json()["detail"]
            assert client.get("/").status_code == 200
    finally:
        gateway.kill()
    assert [one.value for one in tape.new()] == [text(1)]


def test_a_database_that_is_not_made_or_has_died_is_503_that_says_so(tmp_path: Path, broker: Broker) -> None:
    empty = Server(tmp_path / "data")
    gateway = Gateway(tmp_path, broker.servers, empty.port)
    try:
        gateway.wait_for("/readyz", 200)
        assert "run yangguang migrate" in gateway.wait_for("/v1/rates", 503).json()["detail"]
        empty.kill()
        assert "ClickHouse does not answer" in gateway.wait_for("/v1/alerts", 503).json()["detail"]
        assert gateway.wait_for("/readyz", 503).json()["missing"] == ["clickhouse"]
    finally:
        gateway.kill()
        empty.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_five_seconds_and_answers_those_who_wait(
    tmp_path: Path, broker: Broker, clickhouse: Server, number: signal.Signals
) -> None:
    gateway = Gateway(tmp_path, broker.servers, clickhouse.port)
    try:
        gateway.wait_for("/readyz", 200)
        with broker.silent(), gateway.client() as client, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.post, "/v1/events", content=text(1), headers=JSON)
            gateway.wait_for("/readyz", 503)  # known to be silent since 5 s, so the request waits by now
            assert not waiting.done()
            began = time.monotonic()
            assert gateway.stop(number) == 0
            assert time.monotonic() - began < 5
            assert waiting.result(5).status_code == 503
    finally:
        gateway.kill()


def test_a_taken_port_is_one_sentence(gateway: Gateway) -> None:
    with pytest.raises(PortTakenError, match=rf"port {gateway.port} on 127.0.0.1 .* set YANGGUANG_HTTP_PORT to"):
        run(Settings(http_port=gateway.port))


def set_greatest(broker: Broker, size: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.servers)
    topic = ConfigResource(ConfigResourceType.TOPIC, REJECTED)
    name = "max.message.bytes"
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, REJECTED, {name: str(size)})])
    wait_until(lambda: admin.describe_configs([topic])["topic"][REJECTED][name]["value"] == str(size))
    admin.close()


def test_a_producer_that_met_a_lasting_error_is_replaced(broker: Broker, quick: Gateway, tape: Tape) -> None:
    noise = bytes(range(33, 127)) * 5000
    quick.wait_for("/readyz", 200)  # a producer that begins later asks for the limit first, and has no error to meet
    set_greatest(broker, 2_000)
    try:
        with quick.client() as client:
            answer = client.post("/v1/events", content=noise, headers=JSON)
            assert answer.status_code == 503
            quick.wait_for("/readyz", 200)
            wait_until(lambda: client.post("/v1/events", content=noise, headers=JSON).status_code == 422)
            assert client.post("/v1/events", content=text(1), headers=JSON).status_code == 202
    finally:
        set_greatest(broker, REJECTED_MAX_BYTES)
    found = tape.new()
    assert [one.value for one in found if one.topic == SEAL] == [text(1)]
    [kept] = [one for one in found if one.topic == REJECTED]
    assert noise.startswith(kept.value)
    assert kept.value
