"""What a channel is given: one message, for people and for machines at once."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec

Severity = Literal["critical", "warning", "info"]
Parameters = ParamSpec("Parameters")
MessageKind = Literal["alert", "digest", "summary", "watchdog", "outage", "test"]


class Line(NamedTuple):
    """One labelled fact, such as (`目标`, `90.0%`)."""

    label: str
    value: str


class Link(NamedTuple):
    """Where a person can go, or what a person can do by opening it."""

    label: str
    url: str


class Message(NamedTuple):
    """One message. Every part of it is free of personal data."""

    id: str
    """The idempotency key: a transition's id, or one made of what a summary, watchdog, outage or digest is about."""
    kind: MessageKind
    state: Literal["firing", "resolved", "info"]
    severity: Severity
    title: str
    """One line, at most 60 characters where possible."""
    text: str
    """One paragraph that says all that matters."""
    lines: tuple[Line, ...] = ()
    """The same for channels that show a list."""
    links: tuple[Link, ...] = ()
    picture: bytes = b""
    """The trend as PNG, at most 20 KB; empty where there is none."""
    body: Mapping[str, Any] = {}  # never written to
    """What a machine gets: for an alert the transition's columns, worst places and text."""


def chinese_for_machines(build: Callable[Parameters, Message]) -> Callable[Parameters, Message]:
    """What builds messages in the language that its keyword argument `language` names, so that `text` in their body is
    Chinese all the same: a machine that reads it does not depend on what people read."""

    @wraps(build)
    def built(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Message:
        message = build(*args, **kwargs)
        if kwargs.get("language", "zh") == "zh":
            return message
        kwargs["language"] = "zh"
        return message._replace(body={**message.body, "text": build(*args, **kwargs).body["text"]})

    return built
