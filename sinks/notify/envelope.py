"""What a channel is given: one message, for people and for machines at once."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Severity = Literal["critical", "warning", "info"]
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
