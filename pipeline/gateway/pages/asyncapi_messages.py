"""Messages on Kafka and MQTT as AsyncAPI describes them: one an event type, lists for MQTT, and what comes back."""

from http import HTTPStatus
from typing import Any, Final

from pipeline.gateway.mqtt.topics import answer_topic
from pipeline.gateway.pages.answers import MqttOutcome, Problem
from pipeline.gateway.problems import PROBLEM_JSON
from schemas.catalogue import MODELS, STREAMS
from schemas.event import EventData
from schemas.examples import example
from schemas.json_schema import envelope_part, parts
from schemas.reject import Reason, Rejection
from streams.rejects import Door, door_headers

MESSAGES: Final = "#/components/messages/"
MQTT_ANSWERS: Final = answer_topic("", "{producer}")
MQTT_BINDING: Final = {"bindingVersion": "0.2.0"}
_SCHEMAS: Final = "#/components/schemas/"


def short(stream: str) -> str:
    """What people call a stream: its topic without what all topics begin with."""
    return stream.removeprefix("yangguang.")


def types_of(stream: str) -> list[type[EventData]]:
    """The models of a stream's events."""
    return [model for model in MODELS if model.stream == stream]


def schemas() -> dict[str, Any]:
    """Schemas of events, lists of events and answers."""
    lists = {
        _list_part(stream): {
            "description": f"Events of stream {short(stream)}, each judged by itself",
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"$ref": _SCHEMAS + envelope_part(model.type)} for model in types_of(stream)]},
        }
        for stream in STREAMS
    }
    return parts(_SCHEMAS, MqttOutcome, Problem) | lists


def _list_part(stream: str) -> str:
    return f"{short(stream).title()}Events"


def messages() -> dict[str, Any]:
    """Every message by the name of its component."""
    return {
        **{model.type: _event(model) for model in MODELS},
        **{f"{short(stream)}.list": _list(stream) for stream in STREAMS},
        "outcome": _outcome(),
        "problem": _problem(),
        "rejected": _rejected(),
    }


def _event(model: type[EventData]) -> dict[str, Any]:
    key = model.model_json_schema()["properties"][model.key_field()]
    shown = example(model.type)
    return {
        "name": model.type,
        "title": model.__name__,
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": _SCHEMAS + envelope_part(model.type)},
        "bindings": {
            "kafka": {"key": key | {"description": f"The event's `{model.key_field()}`"}, "bindingVersion": "0.5.0"},
            "mqtt": _by_mqtt("application/cloudevents+json"),
        },
        "examples": [{"name": "example", "summary": f"{model.type} {shown['id']}", "payload": shown}],
    }


def _list(stream: str) -> dict[str, Any]:
    return {
        "name": f"{short(stream)}.list",
        "title": f"List of events of stream {short(stream)}",
        "contentType": "application/cloudevents-batch+json",
        "payload": {"$ref": _SCHEMAS + _list_part(stream)},
        "bindings": {"mqtt": _by_mqtt("application/cloudevents-batch+json")},
        "examples": [{"name": "example", "payload": [example(model.type) for model in types_of(stream)]}],
    }


def _by_mqtt(content_type: str) -> dict[str, Any]:
    answered = "Where to answer, if not on the producer's topic of answers"
    return {
        "contentType": content_type,
        "payloadFormatIndicator": 1,
        "responseTopic": {"type": "string", "description": answered, "default": MQTT_ANSWERS},
        **MQTT_BINDING,
    }


def _outcome() -> dict[str, Any]:
    refused = {
        "index": 0,
        "status": "rejected",
        "id": example("yangguang.seal.order.v1")["id"],
        "reason": Reason.MISSING_FIELD.value,
        "detail": "/data/packages: Field required",
    }
    return {
        "name": "outcome",
        "title": "Outcome",
        "summary": "What became of each event of a message, as over HTTP",
        "contentType": "application/json",
        "payload": {"$ref": f"{_SCHEMAS}MqttOutcome"},
        "bindings": {"mqtt": {"contentType": "application/json", "payloadFormatIndicator": 1, **MQTT_BINDING}},
        "examples": [{"name": "refused", "payload": {"accepted": 0, "rejected": 1, "results": [refused]}}],
    }


def _problem() -> dict[str, Any]:
    told = {
        "type": "about:blank",
        "title": HTTPStatus.UNSUPPORTED_MEDIA_TYPE.phrase,
        "status": HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value,
        "detail": "the content type is not read: send UTF-8 as one of application/json, application/cloudevents+json",
    }
    return {
        "name": "problem",
        "title": "Problem",
        "summary": "Why a message is refused as a whole, as over HTTP",
        "contentType": PROBLEM_JSON,
        "payload": {"$ref": f"{_SCHEMAS}Problem"},
        "bindings": {"mqtt": {"contentType": PROBLEM_JSON, "payloadFormatIndicator": 1, **MQTT_BINDING}},
        "examples": [{"name": "example", "payload": told}],
    }


def _rejected() -> dict[str, Any]:
    written = door_headers(Door(), Rejection(Reason.BAD_VALUE, ""))
    return {
        "name": "rejected",
        "title": "Refused event",
        "summary": "The bytes as they were sent; all else is in headers",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": {name: {"type": "string"} for name, _ in written}},
        "payload": {"type": "string", "description": "Any bytes"},
    }
