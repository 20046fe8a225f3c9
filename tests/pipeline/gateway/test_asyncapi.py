"""The AsyncAPI document: right by the official parser, and true of the topics and models."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.gateway.intake import Outcome
from pipeline.gateway.judge import refused
from pipeline.gateway.mqtt.packets import Received
from pipeline.gateway.mqtt.reading import Unreadable, answer_to, door_of, message_of
from pipeline.gateway.pages import asyncapi
from pipeline.gateway.records import Stored
from schemas.catalogue import EVENT_TYPES, MODELS, REJECTED_TOPIC, STREAMS
from schemas.examples import example
from schemas.reject import Reason, Rejection
from streams.topics import wanted_topics
from tests.pipeline.gateway.documents import errors, references, resolved

DOCUMENT: Final = asyncapi()
CHANNELS: Final[dict[str, dict[str, Any]]] = DOCUMENT["channels"]
MESSAGES: Final[dict[str, dict[str, Any]]] = DOCUMENT["components"]["messages"]
PARSER: Final = Path(__file__).parents[2] / "asyncapi"
ERROR: Final = 0
"""The parser's severities begin with that of errors; 1 are warnings, 2 and 3 are advice."""


def parsed(document: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the official parser reads the document, and its errors and warnings."""
    node = shutil.which("node")
    assert node, "install Node.js 20 or newer: the official AsyncAPI parser runs on it"
    assert (PARSER / "node_modules").is_dir(), "run npm ci --prefix tests/asyncapi"
    done = subprocess.run(
        [node, PARSER / "check.mjs"], input=json.dumps(document).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    return said["parsed"], [one for one in said["diagnostics"] if one["severity"] <= ERROR + 1]


def test_the_document_is_right_by_the_official_parser() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert parsed(DOCUMENT) == (True, [])
    for reference in references(DOCUMENT):
        assert isinstance(resolved({"$ref": reference}, DOCUMENT), dict)


def test_the_official_parser_finds_what_is_wrong() -> None:
    wrong = json.loads(json.dumps(DOCUMENT))
    wrong["operations"]["receive-seal-by-kafka"]["action"] = "publish"
    read, found = parsed(wrong)
    assert not read
    assert any("operations/receive-seal-by-kafka" in one["path"] for one in found)


def test_every_stream_has_its_kafka_topic_with_the_keys_of_its_types() -> None:
    by_address = {one["address"]: one for name, one in CHANNELS.items() if name.startswith("kafka-")}
    assert by_address.keys() == {*STREAMS, REJECTED_TOPIC}
    for model in MODELS:
        message = resolved(by_address[model.stream]["messages"][model.type], DOCUMENT)
        key = message["bindings"]["kafka"]["key"]
        assert errors(key, example(model.type)["data"][model.key_field()], DOCUMENT) == []
        assert errors(key, "not an id", DOCUMENT) != []
    for topic in wanted_topics(1, 1):
        if topic.name in by_address:
            told = by_address[topic.name]["bindings"]["kafka"]["topicConfiguration"]
            assert topic.topic_configs.items() <= {name: str(value) for name, value in told.items()}.items()


def test_every_stream_has_its_mqtt_topic_at_qos_1_and_an_answer() -> None:
    addresses = {one["address"] for name, one in CHANNELS.items() if name.startswith("mqtt-")}
    short = ("registry", "camera", "banquet", "seal")
    assert addresses == {f"yangguang/v1/{one}/{{producer}}" for one in (*short, "answers")}
    for one in short:
        operation = DOCUMENT["operations"][f"receive-{one}-by-mqtt"]
        assert operation["bindings"]["mqtt"]["qos"] == 1
        answers = resolved(operation["reply"]["channel"], DOCUMENT)
        assert answers["address"] == "yangguang/v1/answers/{producer}"
    for kind in EVENT_TYPES:
        topic = MESSAGES[kind]["bindings"]["mqtt"]["responseTopic"]
        assert topic["default"] == "yangguang/v1/answers/{producer}"
    mqtt = [one for one in DOCUMENT["servers"].values() if "mqtt" in one["protocol"]]
    assert {one["protocolVersion"] for one in mqtt} == {"5.0"}


def test_producers_send_what_yangguang_receives_and_never_to_the_topic_of_the_rejected() -> None:
    for operation in DOCUMENT["operations"].values():
        ours = operation["channel"]["$ref"] in ("#/channels/kafka-rejected", "#/channels/mqtt-answers")
        assert operation["action"] == ("send" if ours else "receive")
    assert "Not for producers" in CHANNELS["kafka-rejected"]["description"]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_example_of_a_message_holds_the_schema_of_its_payload(name: str) -> None:
    message = MESSAGES[name]
    for one in message.get("examples", []):
        assert errors(message["payload"], one["payload"], DOCUMENT) == []
    assert message.get("examples") or name == "rejected"


def test_what_is_answered_over_mqtt_holds_its_schema() -> None:
    received = Received("yangguang/v1/seal/box-7", b"", 1, content_type="text/csv")
    unreadable = message_of(received, [])
    assert isinstance(unreadable, Unreadable)
    told = answer_to(received, "yangguang/v1/answers/box-7", unreadable, Outcome([], []), 1000)
    assert told is not None
    assert told.content_type == MESSAGES["problem"]["contentType"]
    assert errors(MESSAGES["problem"]["payload"], json.loads(told.payload), DOCUMENT) == []
    door = door_of(received)
    judged = [refused(b"{}", Rejection(Reason.NOT_CLOUDEVENT, "/id: Field required"), door)] * 50
    for greatest in (100_000, 1000):
        told = answer_to(received, "yangguang/v1/answers/box-7", None, Outcome(judged, [Stored(0, 0)] * 50), greatest)
        assert told is not None
        body = json.loads(told.payload)
        assert ("left_out" in body) is (greatest == 1000)
        assert told.content_type == MESSAGES["outcome"]["contentType"]
        assert errors(MESSAGES["outcome"]["payload"], body, DOCUMENT) == []
        assert body.keys() <= DOCUMENT["components"]["schemas"]["MqttOutcome"]["properties"].keys()


def test_every_event_type_has_a_message_with_its_example() -> None:
    for kind in EVENT_TYPES:
        assert [one["payload"] for one in MESSAGES[kind]["examples"]] == [example(kind)]
