"""Topics of Kafka and MQTT, and what is sent and received there, as AsyncAPI describes them."""

from typing import Any, Final

from pipeline.gateway.mqtt.topics import ROOT
from pipeline.gateway.pages.asyncapi_messages import MESSAGES, MQTT_ANSWERS, MQTT_BINDING, short, types_of
from schemas.catalogue import REJECTED_TOPIC, STREAMS
from streams.topics import REJECTED_KEPT, wanted_topics

Channels = dict[str, Any]

KAFKA_WORDS: Final = (
    "The key is the entity's id, so that events of one entity stay in order; another key or none is accepted all the "
    "same. Wait for `acks=all`. CloudEvents binary mode is refused."
)
REJECTED_WORDS: Final = (
    "Not for producers: yangguang alone writes here, and only who looks after refused events may read. The bytes are "
    f"as they were sent and may hold personal data; they are kept {REJECTED_KEPT.days} days and nowhere else. "
    "生产方不得写入或读取。"
)
MQTT_WORDS: Final = (
    "MQTT 5, QoS 1, not retained. The broker's acknowledgement says that the broker has the message; it keeps it until "
    "Kafka has its events. One event, a list or one a line, as the Content Type says; in CloudEvents binary mode the "
    "attributes are user properties."
)
ANSWER_WORDS: Final = (
    "What is refused of a message, and why, with its correlation data. A message that names a response topic (this "
    "one, one below it, or one outside of `yangguang/`) is answered there, also when all of it is accepted."
)
_ANSWERS: Final = "mqtt-answers"
_ACKNOWLEDGED: Final = {"mqtt": {"qos": 1, "retain": False, **MQTT_BINDING}}


def channels() -> Channels:
    """Every topic that a producer meets, and the one that it must not."""
    found = {f"kafka-{short(stream)}": _kafka(stream) for stream in STREAMS}
    found["kafka-rejected"] = {
        "address": REJECTED_TOPIC,
        "title": f"Kafka: {REJECTED_TOPIC}, not for producers",
        "description": REJECTED_WORDS,
        "servers": _on("kafka", "kafka-secure"),
        "messages": {"rejected": {"$ref": f"{MESSAGES}rejected"}},
        "bindings": {"kafka": _topic(REJECTED_TOPIC)},
    }
    found |= {f"mqtt-{short(stream)}": _mqtt(stream) for stream in STREAMS}
    found[_ANSWERS] = {
        "address": MQTT_ANSWERS,
        "title": "MQTT: answers",
        "description": ANSWER_WORDS,
        "servers": _on("mqtt", "mqtt-secure"),
        "parameters": _producer(),
        "messages": {name: {"$ref": MESSAGES + name} for name in ("outcome", "problem")},
    }
    return found


def _on(*servers: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/servers/{name}"} for name in servers]


def _kafka(stream: str) -> dict[str, Any]:
    return {
        "address": stream,
        "title": f"Kafka: {stream}",
        "description": KAFKA_WORDS,
        "servers": _on("kafka", "kafka-secure"),
        "messages": {model.type: {"$ref": MESSAGES + model.type} for model in types_of(stream)},
        "bindings": {"kafka": _topic(stream)},
    }


def _topic(name: str) -> dict[str, Any]:
    """How the topic is made, where that is not left to the installation."""
    (made,) = (one for one in wanted_topics(1, 1) if one.name == name)
    configured = {key: int(value) for key, value in made.topic_configs.items()}
    return {
        "topic": name,
        "topicConfiguration": {"cleanup.policy": ["delete"], **configured},
        "bindingVersion": "0.5.0",
    }


def _mqtt(stream: str) -> dict[str, Any]:
    events = {model.type: {"$ref": MESSAGES + model.type} for model in types_of(stream)}
    return {
        "address": f"{ROOT}/{short(stream)}/{{producer}}",
        "title": f"MQTT: {short(stream)}",
        "description": MQTT_WORDS,
        "servers": _on("mqtt", "mqtt-secure"),
        "parameters": _producer(),
        "messages": {**events, "list": {"$ref": f"{MESSAGES}{short(stream)}.list"}},
    }


def _producer() -> dict[str, Any]:
    described = "The producer, as its API keys name it; they say what it may push"
    return {"producer": {"description": described, "examples": ["box-7", "jiayan"]}}


def operations() -> dict[str, Any]:
    """What yangguang does on each channel."""
    found: dict[str, Any] = {}
    for stream in STREAMS:
        events = [model.type for model in types_of(stream)]
        found[f"receive-{short(stream)}-by-kafka"] = _receiving("kafka", stream, events)
        found[f"receive-{short(stream)}-by-mqtt"] = {
            **_receiving("mqtt", stream, [*events, "list"]),
            "bindings": _ACKNOWLEDGED,
            "reply": {
                "channel": {"$ref": f"#/channels/{_ANSWERS}"},
                "messages": [{"$ref": f"#/channels/{_ANSWERS}/messages/{name}"} for name in ("outcome", "problem")],
            },
        }
    found["send-rejected-by-kafka"] = _sending("Keep what is refused", "kafka-rejected", "rejected")
    found["send-answers-by-mqtt"] = _sending("Answer", _ANSWERS, "outcome", "problem") | {"bindings": _ACKNOWLEDGED}
    return found


def _receiving(protocol: str, stream: str, names: list[str]) -> dict[str, Any]:
    channel = f"#/channels/{protocol}-{short(stream)}"
    return {
        "action": "receive",
        "title": f"Receive events of stream {short(stream)}",
        "channel": {"$ref": channel},
        "tags": [{"name": short(stream)}],
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _sending(title: str, channel: str, *names: str) -> dict[str, Any]:
    return {
        "action": "send",
        "title": title,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }
