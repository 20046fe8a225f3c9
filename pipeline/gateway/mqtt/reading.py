"""From a message of MQTT to one of the gateway, by the MQTT binding of CloudEvents; and what is answered. Pure."""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson

from pipeline.gateway.answers import report_of
from pipeline.gateway.binary import is_binary
from pipeline.gateway.intake import Message, Outcome, TooManyError
from pipeline.gateway.items import BLANK, MEDIA_TYPES, Form, NotEventsError, form_of
from pipeline.gateway.mqtt.outlet import Answer
from pipeline.gateway.mqtt.packets import Received
from pipeline.gateway.mqtt.topics import ROOT, sent_to
from pipeline.gateway.problems import PROBLEM_JSON, problem
from pipeline.keys.key import SHORT_STREAMS, Grant
from schemas.reject import Reason, Rejection
from streams.rejects import Door

_DEFAULT_TYPE: Final = "application/json"
_DATA: Final = ("data", "data_base64", "datacontenttype")
"""No attributes: the payload and its content type say them."""
_NAME_LENGTH: Final = 64
"""Of a producer; a longer one has no keys."""
_LEFT_FOR_PROPERTIES: Final = 200
"""Bytes of a packet, beside payload, topic and correlation data."""


class Unreadable(NamedTuple):
    """Why a message holds no events that could be judged one by one."""

    status: HTTPStatus
    """What HTTP would answer."""
    rejection: Rejection


def message_of(received: Received, grants: list[Grant]) -> Message | Unreadable:
    """What the gateway takes it for.

    :param grants: of the producer that its topic names.
    """
    sent = sent_to(received.topic)
    content_type = received.content_type or _DEFAULT_TYPE
    attributes = {name: value for name, value in received.properties if name not in _DATA}
    if not is_binary(attributes):
        attributes = {}
    form = form_of(content_type, bool(attributes))
    message = Message(
        received.payload, form or Form.ONE, door_of(received), grants, content_type, attributes, sent.stream
    )
    if sent.stream is None:
        advice = f"use {ROOT}/STREAM/PRODUCER with one of {', '.join(SHORT_STREAMS)}"
        return Unreadable(HTTPStatus.NOT_FOUND, Rejection(Reason.WRONG_TOPIC, f": the topic names no stream: {advice}"))
    if form is None:
        return Unreadable(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            Rejection(
                Reason.NOT_CLOUDEVENT, f": the content type is not read: send UTF-8 as one of {', '.join(MEDIA_TYPES)}"
            ),
        )
    return message


def door_of(received: Received) -> Door:
    """How it came to the gateway."""
    producer = sent_to(received.topic).producer[:_NAME_LENGTH]
    return Door("mqtt", "".join(filter(str.isprintable, producer)))


def too_large(limit: int) -> Unreadable:
    """A message of more bytes than one may have."""
    return Unreadable(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Rejection(Reason.TOO_LARGE, f": the message has more than {limit} bytes: send fewer events a message"),
    )


def without_events(received: Received, error: NotEventsError | TooManyError) -> Unreadable:
    """A message without events, or with more than one may have."""
    if isinstance(error, TooManyError):
        return Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Rejection(Reason.TOO_LARGE, f": {error}"))
    reason = Reason.NOT_CLOUDEVENT if received.payload.strip(BLANK) else Reason.NOT_JSON
    return Unreadable(HTTPStatus.BAD_REQUEST, Rejection(reason, f": {error}"))


def answer_to(
    received: Received, topic: str, unreadable: Unreadable | None, outcome: Outcome, greatest: int
) -> Answer | None:
    """What is told about a message: what was refused of it, and where it asked for an answer, that all is accepted.

    :param greatest: the most bytes that the answer may have as a packet; what does not fit is left out at the end.
    """
    correlation = received.correlation
    if unreadable is not None:
        body = bytes(problem(unreadable.status, unreadable.rejection.detail.removeprefix(": ")).body)
        return Answer(topic, body, PROBLEM_JSON, correlation)
    report = report_of(outcome)
    if not report["rejected"] and not received.response_topic:
        return None
    room = greatest - len(topic.encode()) - len(correlation or b"") - _LEFT_FOR_PROPERTIES
    return Answer(topic, _fitting(report, room), _DEFAULT_TYPE, correlation)


def _fitting(report: dict[str, Any], room: int) -> bytes:
    """The report as JSON, with as many results as there is room for, those of refused events first."""
    body = orjson.dumps(report)
    if len(body) <= room:
        return body
    results = sorted(report["results"], key=lambda one: one["status"] == "accepted")
    left = room - len(orjson.dumps({**report, "results": [], "left_out": len(results)}))
    shown = 0
    for one in results:
        left -= len(orjson.dumps(one)) + 1
        if left < 0:
            break
        shown += 1
    kept = sorted(results[:shown], key=lambda one: one["index"])
    return orjson.dumps({**report, "results": kept, "left_out": len(results) - shown})
