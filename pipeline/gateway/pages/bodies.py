"""The bodies of requests with events as OpenAPI describes them: the same events in each media type."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from pipeline.gateway.pages.responses import SCHEMAS
from schemas.action import BY_MAX, WHY_MAX
from schemas.catalogue import EVENT_TYPES
from schemas.examples import examples
from schemas.json_schema import envelope_part

EXAMPLES: Final = "#/components/examples/"
_LIST: Final = "every-type"
_EVERY_TYPE: Final = "One event of every type"

Schema = dict[str, Any]


def event_schemas(most: int) -> dict[str, Schema]:
    """Schemas of any event and of a list of events.

    :param most: the most events of one request.
    """
    references = {kind: SCHEMAS + envelope_part(kind) for kind in EVENT_TYPES}
    return {
        "Event": {
            "description": "One CloudEvents 1.0 event in structured JSON mode",
            "oneOf": [{"$ref": reference} for reference in references.values()],
            "discriminator": {"propertyName": "type", "mapping": references},
        },
        "Events": {
            "description": "A list of events, each judged by itself",
            "type": "array",
            "items": {"$ref": f"{SCHEMAS}Event"},
            "minItems": 1,
            "maxItems": most,
        },
    }


def event_examples() -> dict[str, dict[str, Any]]:
    """An example of every event type, and a list with all of them."""
    return {
        **{kind: {"summary": _summary(kind), "value": event} for kind, event in examples().items()},
        _LIST: {"summary": _EVERY_TYPE, "value": list(examples().values())},
    }


def event_body() -> dict[str, Any]:
    """The body of events: one or a list, in all media types.

    The examples have the same names in each, so that a page which changes the media type finds the one it shows."""
    one = {kind: {"$ref": EXAMPLES + kind} for kind in EVENT_TYPES}
    several = {_LIST: {"$ref": EXAMPLES + _LIST}}
    event, events = {"$ref": f"{SCHEMAS}Event"}, {"$ref": f"{SCHEMAS}Events"}
    return {
        "required": True,
        "description": "UTF-8",
        "content": {
            "application/json": {"schema": {"anyOf": [event, events]}, "examples": one | several},
            "application/cloudevents+json": {"schema": event, "examples": one},
            "application/cloudevents-batch+json": {"schema": events, "examples": _written(list) | several},
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "One event a line, each as in the other media types"},
                "examples": _written(_lines) | {_LIST: {"summary": _EVERY_TYPE, "value": _lines(examples().values())}},
            },
        },
    }


def _written(how: Callable[[list[Any]], Any]) -> dict[str, dict[str, Any]]:
    """The example of every type as a list of one event."""
    return {kind: {"summary": _summary(kind), "value": how([event])} for kind, event in examples().items()}


def _lines(events: Iterable[Any]) -> str:
    return "".join(f"{compact(event)}\n" for event in events)


def vendor_body() -> dict[str, Any]:
    """The body of a vendor's own messages."""
    message = {"type": "object", "description": "The vendor's own message, which its mapping reads"}
    return {
        "required": True,
        "description": "UTF-8: one message, a list of messages, or one message a line",
        "content": {
            "application/json": {"schema": {"anyOf": [message, {"type": "array", "items": message, "minItems": 1}]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }


def compact(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _summary(kind: str) -> str:
    return f"{kind}: " + (EVENT_TYPES[kind].__doc__ or "").strip().partition("\n")[0].rstrip(".")


def acknowledgement_body() -> dict[str, Any]:
    """Who acknowledges an alert, and why."""
    return _signed({}, {"by": "值班员", "why": "已联系平台核查"})


def silence_body() -> dict[str, Any]:
    """Who silences an alert, why, and until when."""
    until = {"type": "string", "format": "date-time", "description": "Within 30 days, with an offset"}
    return _signed({"until": until}, {"by": "值班员", "why": "设备检修", "until": "2026-11-26T08:00:00+08:00"})


def _signed(more: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "by": {"type": "string", "minLength": 1, "maxLength": BY_MAX, "description": "Who acts"},
        "why": {"type": "string", "minLength": 1, "maxLength": WHY_MAX, "description": "Why"},
        **more,
    }
    required = list(properties)
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": shown}}}
