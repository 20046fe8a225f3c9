"""The OpenAPI document of the gateway, from the models of events and answers, and from the columns of the views."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from pipeline.gateway.limits import Limits
from pipeline.gateway.pages.answers import Health, Outcome, Problem, Readiness, VendorOutcome
from pipeline.gateway.pages.bodies import event_examples, event_schemas
from pipeline.gateway.pages.operations import KEYS, SIGNATURE, TAGS, operations
from pipeline.gateway.pages.responses import HEADERS, SCHEMAS, problem_responses
from pipeline.gateway.pages.rows import row_schema
from pipeline.rejected.selection import OWN_COLUMNS
from schemas.json_schema import parts

Document = dict[str, Any]

_ABOUT: Final = """餐饮食品安全事件的入口：收到 202 即表示事件已持久保存。

The front door for producers of events: an answer of 202 means that the events are durable, and anything else says \
what to do. Every problem is `application/problem+json` (RFC 9457) with one sentence in `detail`.

Strings of `data` are trimmed and brought to Unicode NFC before the rules of the schemas are looked at. Who speaks \
Kafka or MQTT directly reads [the AsyncAPI page](/asyncapi).
"""


def openapi(app: FastAPI, limits: Limits | None = None, *, authentication: bool = True) -> Document:
    """The document of the addresses that the application has.

    :param authentication: whether the gateway asks for API keys.
    """
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    there = {(method.lower(), route.path_format) for route in routes for method in route.methods or ()}
    return document(limits, authentication=authentication, there=there)


def document(
    limits: Limits | None = None, *, authentication: bool = True, there: set[tuple[str, str]] | None = None
) -> Document:
    """The document, of all addresses or only of those that are `there`."""
    limits = limits or Limits()
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in operations(limits).items():
        if there is None or (method, path) in there:
            shown = operation if authentication else operation | {"security": []}
            paths.setdefault(path, {})[method] = shown
    used = {tag for path in paths.values() for operation in path.values() for tag in operation["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "yangguang 阳光",
            "version": version("yangguang"),
            "summary": "Events of public food safety in, rates and alerts out",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [tag for tag in TAGS if tag["name"] in used],
        "paths": paths,
        "components": {
            "schemas": {
                **event_schemas(limits.events),
                **parts(SCHEMAS, Outcome, VendorOutcome, Problem, Health, Readiness),
                "RateRow": row_schema("rates_now"),
                "AlertRow": row_schema("alerts"),
                "RejectedRow": row_schema("rejected", OWN_COLUMNS),
            },
            "examples": event_examples(),
            "headers": HEADERS,
            "responses": problem_responses(),
            **({"securitySchemes": KEYS | SIGNATURE} if authentication else {}),
        },
    }
