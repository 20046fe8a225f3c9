"""Events over MQTT: every form, what is refused and how it is answered, who may push what."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.mosquitto import NOT_AUTHORIZED, Device, Mosquitto, topic_of
from tests.pipeline.gateway.samples import REJECTED, SEAL, order, text
from tests.pipeline.gateway.stack import Broker, Found, Gateway, Tape, give_key
from tests.secure.certificates import Certificates
from tests.system.parts import wait_for

TOPIC = topic_of("seal")
STRUCTURED = "application/cloudevents+json"
pytestmark = pytest.mark.usefixtures("door")


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("mqtt")
    running = Mosquitto(
        folder / "mosquitto",
        Certificates(folder / "tls"),
        ("tests", "mqtt-west", "mqtt-other", "mqtt-slow", "mqtt-keyless"),
    )
    yield running
    running.end()


@pytest.fixture(scope="module")
def door(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server, mosquitto: Mosquitto
) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("door"), broker.servers, clickhouse.port, **mosquitto.settings)
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def said(door: Gateway) -> Iterator[None]:
    """What the gateway logs during a test stands in the test's output, which is shown when it fails."""
    begin = door.log.stat().st_size
    yield
    print(door.log.read_bytes()[begin:].decode(errors="replace")[-5000:])


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    with mosquitto.device() as one:
        yield one


class Records:
    """What has come to Kafka since the test began."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._found: list[Found] = []

    def at_least(self, count: int) -> list[Found]:
        """So many records, once they are there, or more."""

        def there() -> bool:
            self._found += self._tape.new()
            return len(self._found) >= count

        wait_for(there, 20, f"{count} records are in Kafka")
        return self._found

    def all(self, count: int) -> list[Found]:
        """So many records, once they are there, and not one more."""
        assert len(self.at_least(count)) == count
        return self._found

    def values(self, count: int, topic: str = SEAL) -> list[bytes]:
        return [one.value for one in self.all(count) if one.topic == topic]


@pytest.fixture
def records(tape: Tape) -> Records:
    return Records(tape)


def as_list(*texts: bytes) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def attributes(number: int, **more: str) -> list[tuple[str, str]]:
    """An event's attributes as user properties."""
    event = order(number)
    return [(name, str(event[name])) for name in ("specversion", "id", "source", "type", "time")] + list(more.items())


@pytest.mark.parametrize(
    ("content_type", "body", "count"),
    [
        (None, text(1), 1),
        (None, as_list(text(1), text(2)), 2),
        ("application/json", text(1), 1),
        ("application/json; charset=utf-8", as_list(text(1), text(2)), 2),
        (STRUCTURED, text(1), 1),
        (f"{STRUCTURED}; charset=UTF-8", text(1), 1),
        ("application/cloudevents-batch+json", as_list(text(1), text(2), text(3)), 3),
        ("application/x-ndjson", text(1) + b"\n" + text(2) + b"\r\n\n", 2),
    ],
)
def test_each_form_is_taken_as_over_http(
    device: Device, records: Records, content_type: str | None, body: bytes, count: int
) -> None:
    properties: dict[str, Any] = {} if content_type is None else {"ContentType": content_type}
    assert device.publish(TOPIC, body, **properties) == 0
    assert sorted(records.values(count)) == [text(number + 1) for number in range(count)]


def test_binary_mode_has_its_attributes_in_user_properties(device: Device, records: Records) -> None:
    body = json.dumps(order(1)["data"]).encode()
    device.publish(TOPIC, body, ContentType="application/json", UserProperty=attributes(1, traceparent="00-a-b-01"))
    device.publish(TOPIC, body, UserProperty=attributes(2, data="x", data_base64="x", datacontenttype="text/plain"))
    events = [json.loads(one) for one in records.values(2)]
    assert [one["data"] for one in events] == [order(1)["data"]] * 2
    assert [one["id"] for one in events] == ["e-1", "e-2"]
    assert events[0]["traceparent"] == "00-a-b-01"
    assert [one["datacontenttype"] for one in events] == ["application/json"] * 2


def test_user_properties_that_are_no_events_attributes_are_of_no_account(device: Device, records: Records) -> None:
    device.publish(TOPIC, text(1), UserProperty=[("site", "kitchen 7"), ("\ufeffbom", "\ufeff"), ("n", "")] * 1000)
    assert records.values(1) == [text(1)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_quality_of_service_is_taken(device: Device, records: Records, qos: int) -> None:
    device.send(TOPIC, text(1), qos)
    assert records.values(1) == [text(1)]


def test_a_client_of_mqtt_3_is_taken_with_json(mosquitto: Mosquitto, records: Records) -> None:
    with mosquitto.device(protocol=MQTTProtocolVersion.MQTTv311) as old:
        old.publish(TOPIC, as_list(text(1), b"{}"))
        assert [one.topic for one in sorted(records.all(2))] == [REJECTED, SEAL]
        assert old.answer().body["rejected"] == 1


def test_the_topic_may_name_the_stream_as_kafka_does(device: Device, records: Records) -> None:
    device.publish(topic_of("yangguang.seal"), text(1))
    assert records.values(1) == [text(1)]


def test_mosquitto_pub_pushes_every_form(mosquitto: Mosquitto, records: Records) -> None:
    version = ("-q", "1", "-V", "5", "-D", "PUBLISH")
    mosquitto.pub(TOPIC, text(1), "-q", "1")
    mosquitto.pub(TOPIC, text(2) + b"\n" + text(3), *version, "content-type", "application/x-ndjson")
    pairs = [one for name, value in attributes(4) for one in ("-D", "PUBLISH", "user-property", name, value)]
    mosquitto.pub(TOPIC, json.dumps(order(4)["data"]).encode(), *version, "content-type", "application/json", *pairs)
    found = [json.loads(one) for one in records.values(4)]
    assert sorted(one["id"] for one in found) == ["e-1", "e-2", "e-3", "e-4"]
    assert all(one["data"] == order(int(one["id"][2:]))["data"] for one in found)


# -- what is told ------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_answered_where_the_message_says_with_its_correlation_data(
    device: Device, records: Records
) -> None:
    bad = text(2, packages="2")
    where = "yangguang/v1/answers/tests/camera-7"
    device.publish(TOPIC, as_list(text(1), bad), ResponseTopic=where, CorrelationData=b"\x00m-1\xff")
    told = device.answer()
    assert (told.topic, told.content_type, told.correlation) == (where, "application/json", b"\x00m-1\xff")
    assert (told.body["accepted"], told.body["rejected"]) == (1, 1)
    [accepted, refused] = told.body["results"]
    found = {one.topic: one for one in records.all(2)}
    place = found[SEAL]
    assert accepted == {
        "index": 0,
        "status": "accepted",
        "id": "e-1",
        "topic": SEAL,
        "partition": place.partition,
        "offset": place.offset,
    }
    assert (refused["id"], refused["reason"]) == ("e-2", "bad_value")
    kept = found[REJECTED]
    assert kept.value == bad
    assert {name: kept.headers[name] for name in ("topic", "partition", "reason", "producer", "id")} == {
        "topic": "mqtt",
        "partition": "-1",
        "reason": "bad_value",
        "producer": "tests",
        "id": "e-2",
    }


def test_without_a_response_topic_only_what_is_refused_is_answered_on_the_producers_topic(device: Device) -> None:
    device.publish(TOPIC, text(1))
    device.publish(TOPIC, b"{}")
    told = device.answer()
    assert told.topic == "yangguang/v1/answers/tests"
    assert told.correlation is None
    assert told.body["results"][0]["reason"] == "not_cloudevent"
    assert device.answers.empty()


def test_an_accepted_event_is_answered_where_that_was_asked_for(device: Device) -> None:
    device.publish(TOPIC, text(1), ResponseTopic="yangguang/v1/answers/tests", CorrelationData=b"7")
    told = device.answer()
    assert (told.body["accepted"], told.body["rejected"], told.correlation) == (1, 0, b"7")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason", "says"),
    [
        (b"", "application/json", 400, "not_json", "the body is empty"),
        (b" \n", "application/x-ndjson", 400, "not_json", "no line with an event"),
        (b"[]", "application/json", 400, "not_cloudevent", "the list has no events"),
        (b"7", "application/json", 400, "not_cloudevent", "no list of events"),
        (text(1), "text/plain", 415, "not_cloudevent", "application/cloudevents+json"),
        (text(1), "application/json; charset=gbk", 415, "not_cloudevent", "UTF-8"),
        (b"1\n" * 10_001, "application/x-ndjson", 413, "too_large", "more than 10000 events"),
    ],
)
def test_a_message_that_holds_no_events_is_a_problem_and_recorded(
    device: Device, records: Records, body: bytes, content_type: str, status: int, reason: str, says: str
) -> None:
    device.publish(TOPIC, body, ContentType=content_type, CorrelationData=b"x")
    told = device.answer()
    assert told.content_type == "application/problem+json"
    assert told.correlation == b"x"
    assert told.body["status"] == status
    assert says in told.body["detail"]
    [kept] = records.all(1)
    assert (kept.topic, kept.headers["reason"], kept.value) == (REJECTED, reason, body)


def test_an_event_of_another_stream_than_its_topic_is_refused(device: Device, records: Records) -> None:
    device.publish(topic_of("camera"), text(1))
    assert device.answer().body["results"][0]["reason"] == "wrong_topic"
    device.publish(topic_of("seals"), text(2))
    told = device.answer().body
    assert told["status"] == 404
    assert "registry, camera, banquet, seal" in told["detail"]
    assert [one.headers["reason"] for one in records.all(2)] == ["wrong_topic"] * 2


def test_an_answer_that_would_be_greater_than_the_broker_allows_leaves_out_results(device: Device) -> None:
    device.publish(TOPIC, text(1) + b"\n1" * 4_000, ContentType="application/x-ndjson")
    told = device.answer().body
    assert (told["accepted"], told["rejected"]) == (1, 4_000)
    assert 100 < len(told["results"]) == 4_001 - told["left_out"]
    assert {one["status"] for one in told["results"]} == {"rejected"}


@pytest.mark.parametrize("wanted", ["yangguang/v1/seal/tests", "yangguang/v1/answers/mqtt-other", "$SYS/x", "\u200b"])
def test_an_answer_is_never_an_event_nor_anothers(
    mosquitto: Mosquitto, device: Device, records: Records, wanted: str
) -> None:
    with mosquitto.device("mqtt-other") as other:
        device.publish(TOPIC, b"{}", ResponseTopic=wanted)
        assert device.answer().topic == "yangguang/v1/answers/tests"
        assert len(records.all(1)) == 1
        assert other.answers.empty()


def test_where_the_broker_lets_nobody_answer_is_tried_once_and_then_left_alone(
    door: Gateway, mosquitto: Mosquitto, device: Device, records: Records
) -> None:
    def lost() -> int:
        return mosquitto.log().count("Bad socket read/write on client yangguang-gateway-answers:")

    device.publish(TOPIC, text(1), ResponseTopic="elsewhere/tests")
    assert device.answer().topic == "yangguang/v1/answers/tests"
    assert "does not take an answer on 'elsewhere/tests' (Not authorized)" in door.log.read_text()
    assert lost() == 1  # that is what mosquitto does to who publishes where it must not
    for number in range(2, 10):
        device.publish(TOPIC, text(number), ResponseTopic=f"elsewhere/{number}")
        assert device.answer().topic == "yangguang/v1/answers/tests"
    assert lost() == 1
    assert {one.value for one in records.at_least(9)} == {text(number) for number in range(1, 10)}


# -- who may push what -------------------------------------------------------------------------------------------------


def test_the_broker_lets_nobody_publish_under_anothers_name_or_hear_its_answers(
    mosquitto: Mosquitto, records: Records
) -> None:
    with mosquitto.device("mqtt-other") as other, mosquitto.device() as device:
        assert other.publish(TOPIC, text(1)) == NOT_AUTHORIZED
        assert other.publish("yangguang/v1/answers/tests", b"{}") == NOT_AUTHORIZED
        other.listen("yangguang/v1/answers/#")
        other.listen("yangguang/v1/+/+")
        device.publish(TOPIC, b"{}")
        device.answer()
        device.publish(TOPIC, text(2))
        assert sorted(one.value for one in records.all(2)) == [text(2), b"{}"]
        assert other.answers.empty()


def known(device: Device, event: bytes) -> None:
    """Returns when the gateway has heard of the key that lets the producer push this event."""

    def taken() -> bool:
        device.publish(topic_of("seal", device.producer), event, ResponseTopic=topic_of("answers", device.producer))
        return bool(device.answer().body["accepted"])

    wait_for(taken, 10, "an event of the key is accepted")


def test_another_source_is_refused_whichever_key_of_the_producer_it_would_be(
    mosquitto: Mosquitto, broker: Broker
) -> None:
    east = {"sources": ["/platform/meituan"]}
    west = {"sources": ["/west"]}
    give_key(broker.servers, "mqtt-west", "yg_acme1_" + "a" * 64, grant=east)
    give_key(broker.servers, "mqtt-west", "yg_acme2_" + "a" * 64, grant=west)
    of_west, of_jd = (json.dumps(order(2) | {"source": source}).encode() for source in ("/west/7", "/platform/jd"))
    with mosquitto.device("mqtt-west") as device:
        known(device, text(1))
        known(device, of_west)
        device.publish(topic_of("seal", "mqtt-west"), as_list(text(1), of_west, of_jd))
        results = device.answer().body["results"]
        assert [one.get("reason") for one in results] == [None, None, "not_permitted"]


def test_a_producer_without_a_valid_key_pushes_nothing(mosquitto: Mosquitto, records: Records) -> None:
    with mosquitto.device("mqtt-keyless") as device:
        device.publish(topic_of("seal", "mqtt-keyless"), text(1))
        [result] = device.answer().body["results"]
        assert result["reason"] == "not_permitted"
        assert "yangguang keys create" in result["detail"]
        [kept] = records.all(1)
        assert (kept.topic, kept.headers["producer"]) == (REJECTED, "mqtt-keyless")


def test_who_is_over_its_rate_waits_and_loses_nothing_and_holds_nobody_up(
    mosquitto: Mosquitto, broker: Broker, records: Records
) -> None:
    give_key(broker.servers, "mqtt-slow", "yg_slow1_" + "a" * 64, rate="1/hour")
    with mosquitto.device("mqtt-slow") as slow, mosquitto.device() as quick:
        known(slow, text(0))
        before = len(records.at_least(1))
        topic = topic_of("seal", "mqtt-slow")
        slow.publish(topic, as_list(*(text(number) for number in range(1, 26))))
        slow.publish(topic, text(26), ResponseTopic=topic_of("answers", "mqtt-slow"))
        for number in range(100, 700):  # more than the broker delivers without an acknowledgement
            quick.send(TOPIC, text(number))
        quick.publish(TOPIC, text(700), ResponseTopic=topic_of("answers"))
        quick.answer()
        assert slow.answers.empty()
        give_key(broker.servers, "mqtt-slow", "yg_slow1_" + "a" * 64, rate="10/second")  # fewer than its message has
        assert slow.answer().body["accepted"] == 1
    found = sorted(one.value for one in records.all(before + 627)[before:])
    assert found == sorted(text(number) for number in (*range(1, 27), *range(100, 701)))


def test_who_sends_more_than_a_packet_may_hold_is_told_by_the_end_of_the_connection(mosquitto: Mosquitto) -> None:
    with mosquitto.device() as device:
        device.send(TOPIC, bytes(1_048_577))
        wait_for(lambda: "disconnected due to oversize packet" in mosquitto.log(), 10, "the broker turns it away")
        assert list(device.acknowledged()) == []
