"""The doors: what leaves through them arrives whole, and what is away for a while is waited for."""

import http.server
import io
import logging
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from pipeline.embedded.kafka import EmbeddedKafka
from pipeline.simulator import (
    DoorError,
    DoorStoppedError,
    Emission,
    FileDoor,
    HttpDoor,
    KafkaDoor,
    read_records,
    simulate,
)
from schemas.catalogue import STREAMS
from streams.kafka_address import KafkaAddress
from tests.pipeline.simulator.cities import ALL_FAULTS, START, small, verdict
from tests.system.parts import standing_still

SOME = list(simulate(small(faults=replace(ALL_FAULTS, invalid=0.3)), None, START + timedelta(hours=1)))
PATIENCE_S = 60
Broker = tuple[str, "subprocess.Popen[bytes]"]


class Gateway(http.server.BaseHTTPRequestHandler):
    """Answers as the gateway promises: 202, 207 or 422 with an entry for each event, 400 for no list of events."""

    protocol_version = "HTTP/1.1"
    server: "GatewayServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.troubles:
            status, retry_after = self.server.troubles.pop()
            self._answer(status, {}, retry_after)
            return
        assert self.path == "/v1/events"
        try:
            events = orjson.loads(body)
        except orjson.JSONDecodeError:
            self._answer(400, {"detail": "no JSON"})
            return
        batch = self.headers["Content-Type"] == "application/cloudevents-batch+json"
        assert isinstance(events, list) == batch
        events = events if batch else [events]
        if len(events) > self.server.most:
            self._answer(413, {})
            return
        good = [len(orjson.dumps(one)) <= 65_536 and one.get("specversion") == "1.0" for one in events]
        self.server.taken += [orjson.dumps(one) for one, fine in zip(events, good, strict=True) if fine]
        self.server.requests += 1
        items = [{"index": number, "status": 202 if fine else 422} for number, fine in enumerate(good)]
        self._answer(202 if all(good) else 207 if any(good) else 422, {"items": items})

    def _answer(self, status: int, answer: object, retry_after: str | None = None) -> None:
        body = orjson.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Says nothing."""


class GatewayServer(http.server.ThreadingHTTPServer):
    """Listens on a free port; `troubles` are answered first, `most` events fit into a request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Gateway)
        self.troubles: list[tuple[int, str | None]] = []
        self.most = 1000
        self.taken: list[bytes] = []
        self.requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    server = GatewayServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_through_the_gateway_every_json_event_arrives_once_in_lists(gateway: GatewayServer) -> None:
    door = HttpDoor(gateway.url)
    door.send(SOME)
    door.close()
    expected = [one.value for one in SOME if one.reason not in ("not_json", "too_large", "not_cloudevent")]
    assert set(expected) <= set(gateway.taken)
    assert door.accepted == len(gateway.taken)
    assert door.accepted + door.refused == len(SOME)
    assert door.refused > 0
    assert gateway.requests < len(SOME) / 50


def test_a_busy_gateway_is_asked_again(gateway: GatewayServer, caplog: pytest.LogCaptureFixture) -> None:
    gateway.troubles = [(503, "0"), (429, None)]
    valid = [one for one in SOME if one.reason is None][:10]
    with caplog.at_level(logging.WARNING):
        HttpDoor(gateway.url).send(valid)
    assert gateway.taken == [one.value for one in valid]
    assert "answer 429; trying again" in caplog.text


def test_a_list_that_is_too_big_is_divided(gateway: GatewayServer) -> None:
    gateway.most = 7
    valid = [one for one in SOME if one.reason is None][:100]
    door = HttpDoor(gateway.url)
    door.send(valid)
    assert gateway.taken == [one.value for one in valid]
    assert (door.accepted, door.refused) == (100, 0)


def test_an_address_that_is_no_gateway_is_an_error_and_not_waited_for(gateway: GatewayServer) -> None:
    gateway.troubles = [(404, None)]
    with pytest.raises(DoorError, match="answered 404"):
        HttpDoor(gateway.url).send(SOME[:1])


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("kind", ["http", "kafka"])
def test_waiting_for_what_is_away_ends_when_told_to_stop(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    address = f"127.0.0.1:{unused_port()}"
    door = (
        HttpDoor(f"http://{address}", stop)
        if kind == "http"
        else KafkaDoor(KafkaAddress(address), stop, bootstrap_timeout_ms=500)
    )
    errors: list[BaseException] = []

    def send() -> None:
        try:
            door.send(SOME[:1])
        except DoorStoppedError as error:
            errors.append(error)

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.levelno == logging.WARNING
            stop.set()

    log = logging.getLogger("pipeline.simulator.doors")
    handler = Said(logging.WARNING)
    log.addHandler(handler)
    try:
        thread = threading.Thread(target=send)
        thread.start()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    finally:
        log.removeHandler(handler)
    assert len(errors) == 1
    assert address in caplog.text
    assert "trying again in" in caplog.text
    door.close()


def test_a_file_gives_back_every_record_and_the_ledger_says_which_are_invalid() -> None:
    out, ledger = io.BytesIO(), io.BytesIO()
    door = FileDoor(out, ledger)
    door.send(SOME[:100])
    door.send(SOME[100:])
    out.seek(0)
    assert list(read_records(out)) == [one.record for one in SOME]
    entries = [orjson.loads(line) for line in ledger.getvalue().splitlines()]
    assert [one["line"] for one in entries] == list(range(1, len(SOME) + 1))
    assert [one["reason"] for one in entries] == list(map(verdict, SOME))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    kafka = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), unused_port())
    kafka.fetch()
    log = Path(kafka.home).with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(kafka.command(), stdout=output, stderr=subprocess.STDOUT)
    try:
        create_topics(kafka.bootstrap, process)
        yield kafka.bootstrap, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def create_topics(bootstrap: str, process: "subprocess.Popen[bytes]") -> None:
    """Waits for the broker, as every client has to, and makes the four topics."""
    while True:
        assert process.poll() is None, "the broker has ended"
        try:
            admin = KafkaAdminClient(bootstrap_servers=bootstrap)
            admin.create_topics([NewTopic(name, 2, 1) for name in STREAMS])
            admin.close()
        except KafkaError:
            continue
        return


def test_through_kafka_every_record_arrives_with_its_bytes_key_and_topic(broker: Broker) -> None:
    bootstrap, _ = broker
    door = KafkaDoor(KafkaAddress(bootstrap))
    door.send(SOME)
    door.close()
    consumer = KafkaConsumer(
        *STREAMS, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    arrived: Counter[tuple[str, bytes | None, bytes]] = Counter()
    for message in consumer:
        arrived[message.topic, message.key, message.value or b""] += 1
        if arrived.total() == len(SOME):
            break
    consumer.close()
    assert arrived == Counter(tuple(one.record) for one in SOME)


class StopsInTheWait(threading.Event):
    """Is set as soon as it is asked for the second time: the first time is before anything was sent."""

    asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 1


def test_a_broker_that_does_not_answer_does_not_hold_up_a_stop(broker: Broker) -> None:
    bootstrap, process = broker
    stop = StopsInTheWait()
    door = KafkaDoor(KafkaAddress(bootstrap), stop)
    door.send(SOME[:1])
    stop.asked = 0
    with standing_still(process.pid):
        with pytest.raises(DoorStoppedError, match=bootstrap):
            door.send(SOME[:10])
        door.close()
    assert stop.asked == 2


def test_the_samples_hold_what_the_doors_have_to_bear() -> None:
    def has(**wanted: object) -> bool:
        return any(all(getattr(one, name) == value for name, value in wanted.items()) for one in SOME)

    assert has(reason="not_json")
    assert has(value=b"")
    assert has(connection=1)
    assert has(reason="too_large")
    assert all(isinstance(one, Emission) for one in SOME)
