"""What can be asked of the gateway over HTTP, address by address, as OpenAPI describes it."""

from typing import Any, Final

from pipeline.gateway.limits import Limits
from pipeline.gateway.pages import parameters
from pipeline.gateway.pages.bodies import acknowledgement_body, compact, event_body, silence_body, vendor_body
from pipeline.gateway.pages.responses import SCHEMAS, json_response, outcomes, problems, vendor_outcomes
from pipeline.gateway.problems import PROBLEM_JSON
from schemas.catalogue import EVENT_TYPES
from schemas.examples import example

Operation = dict[str, Any]

_EVENTS: Final = "Events · 事件"
_REFUSED: Final = "Refused events · 被拒事件"
_NUMBERS: Final = "Rates and alerts · 指标与告警"
_SCHEMAS: Final = "Schemas · 数据格式"
_HEALTH: Final = "Health · 运行状态"
TAGS: Final = (
    {"name": _EVENTS, "description": "Send them; the answer says of each what became of it."},
    {"name": _REFUSED, "description": "What a producer sent and could not be accepted, and why."},
    {"name": _NUMBERS, "description": "As they are now."},
    {"name": _SCHEMAS, "description": "JSON Schemas of the event types."},
    {"name": _HEALTH, "description": "For those who look after the gateway."},
)

KEYS: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The API key, which `yangguang keys create` made.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key as password with any user name, for devices that know nothing else.",
    },
}
"""How a request says whose it is."""
SIGNATURE: Final[dict[str, Any]] = {
    "signatureId": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-id",
        "description": "Id of the request, part of what is signed.",
    },
    "signatureTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-timestamp",
        "description": "Unix seconds, at most 5 minutes from the gateway's clock.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (the body as it is sent) with the "
        "key's signing secret, as Standard Webhooks has it. Each is taken once. Not in binary mode.",
    },
}
"""What a request has besides where its key asks for signatures."""

_SENDING: Final = """One event, a list, or one event a line: at most {mib} MiB and {events} events a request, plainly \
or with `Content-Encoding: gzip`.

**202** is answered only when every replica of Kafka has all events. Each event is judged by itself: with **207** and \
**422** `results` says of each what became of it. After no answer, 408, 429 or 503 send the same again: an event is \
known by its `type`, `source` and `id`, and counts once.

**Binary mode** of CloudEvents: the attributes are headers, the body is `data` alone, as `application/json`. With \
`ce-id`, `ce-source`, `ce-type` or `ce-specversion` a request of that Content-Type is one event in binary mode.

{headers}

```
{binary}
```
"""
_HEADERS: Final = {
    "specversion": "CloudEvents version, 1.0",
    "id": "The event's own id",
    "source": "Who produced the event",
    "type": "Type of the event",
    "time": "When the event became true, with an offset",
    "subject": "What the event is about; may be absent",
}
"""The headers of binary mode stand in the text: as parameters they would be asked of every request, and each request
with one of them is in binary mode."""


def operations(limits: Limits) -> dict[tuple[str, str], Operation]:
    """Every operation by method and path."""
    return {
        ("post", "/v1/events"): {
            "tags": [_EVENTS],
            "operationId": "postEvents",
            "summary": "Send events · 发送事件",
            "description": _sending(limits),
            "security": _pushing(),
            "requestBody": event_body(),
            "responses": {**outcomes(), **problems(400, 401, 408, 413, 415, 429, 503)},
        },
        ("post", "/v1/vendors/{name}"): {
            "tags": [_EVENTS],
            "operationId": "postVendorMessages",
            "summary": "Send a vendor's own messages · 发送厂商报文",
            "description": "The mapping of that name makes events of them; then all is as with events.",
            "security": _pushing(),
            "parameters": [parameters.in_path("name", "The vendor's name in `yangguang.toml`", {"type": "string"})],
            "requestBody": vendor_body(),
            "responses": {**vendor_outcomes(), **problems(400, 401, 404, 408, 413, 415, 429, 503)},
        },
        ("get", "/v1/rejected"): {
            "tags": [_REFUSED],
            "operationId": "getRejected",
            "summary": "A producer's own refused events · 本方被拒事件",
            "description": "What was pushed with the producer's API keys and refused, and what came by Kafka directly "
            "under one of its sources, the newest first: why and where, never the bytes. With `Accept: text/csv` or "
            "`application/x-ndjson` as a file.",
            "security": _asking(),
            "parameters": parameters.rejected_filters(),
            "responses": {
                "200": _rejected(),
                **problems(400, 401, 503),
            },
        },
        ("get", "/v1/rates"): {
            "tags": [_NUMBERS],
            "operationId": "getRates",
            "summary": "Rates as they are now · 当前指标",
            "description": "View `rates_now`.",
            "security": [],
            "parameters": parameters.rate_filters(),
            "responses": {"200": json_response("The rates.", _rows("rates", "RateRow")), **problems(400, 503)},
        },
        ("get", "/v1/alerts"): {
            "tags": [_NUMBERS],
            "operationId": "getAlerts",
            "summary": "Alerts in their present state · 当前告警",
            "description": "View `alerts`.",
            "security": [],
            "parameters": parameters.alert_filters(),
            "responses": {"200": json_response("The alerts.", _rows("alerts", "AlertRow")), **problems(400, 503)},
        },
        ("post", "/v1/alerts/{alert_id}/ack"): {
            "tags": [_NUMBERS],
            "operationId": "postAcknowledgement",
            "summary": "Acknowledge a firing alert · 确认告警",
            "description": "Somebody sees to it, so nobody else is called. It holds for this firing; the next one is "
            "not acknowledged. 202 is answered when every replica of Kafka has it. The API key has to have the right "
            "`acknowledge`.",
            "security": _pushing(),
            "parameters": [parameters.in_path("alert_id", "Its id in `/v1/alerts`", {"type": "string"})],
            "requestBody": acknowledgement_body(),
            "responses": {
                "202": json_response("It is durable.", _acted("since")),
                **problems(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
            },
        },
        ("post", "/v1/alerts/{alert_id}/silence"): {
            "tags": [_NUMBERS],
            "operationId": "postSilence",
            "summary": "Silence an alert · 静默告警",
            "description": "Nobody is told of it until then; it is judged and recorded all the same. 202 is answered "
            "when every replica of Kafka has it. The API key has to have the right `silence`.",
            "security": _pushing(),
            "parameters": [parameters.in_path("alert_id", "Its id in `/v1/alerts`", {"type": "string"})],
            "requestBody": silence_body(),
            "responses": {
                "202": json_response("It is durable.", _acted("until")),
                **problems(400, 401, 403, 404, 408, 413, 415, 429, 503),
            },
        },
        ("get", "/v1/schemas"): {
            "tags": [_SCHEMAS],
            "operationId": "getSchemas",
            "summary": "JSON Schema of every event type · 全部事件的格式",
            "security": [],
            "responses": {"200": json_response("The schemas by event type.", _schemas_by_type()), **problems(503)},
        },
        ("get", "/v1/schemas/{kind}"): {
            "tags": [_SCHEMAS],
            "operationId": "getSchema",
            "summary": "JSON Schema of one event type · 一种事件的格式",
            "security": [],
            "parameters": [parameters.in_path("kind", "The event type", {"type": "string", "enum": list(EVENT_TYPES)})],
            "responses": {"200": json_response("The schema.", {"type": "object"}), **problems(404, 503)},
        },
        ("get", "/healthz"): {
            "tags": [_HEALTH],
            "operationId": "getHealth",
            "summary": "The process lives · 进程存活",
            "security": [],
            "responses": {"200": json_response("It does.", {"$ref": f"{SCHEMAS}Health"}), **problems(503)},
        },
        ("get", "/readyz"): {
            "tags": [_HEALTH],
            "operationId": "getReadiness",
            "summary": "All parts answer · 服务就绪",
            "security": [],
            "responses": {
                "200": json_response("They do.", {"$ref": f"{SCHEMAS}Readiness"}, {"status": "ready", "missing": []}),
                "503": _not_ready(),
            },
        },
    }


def _sending(limits: Limits) -> str:
    rows = [f"| `ce-{name}` | {text} |" for name, text in _HEADERS.items()]
    headers = "\n".join(("| header | percent-encoded outside of ASCII |", "|---|---|", *rows))
    return _SENDING.format(mib=limits.body_bytes >> 20, events=limits.events, headers=headers, binary=_binary_mode())


def _asking() -> list[dict[str, list[str]]]:
    """Any of the ways to send the key is enough."""
    return [{name: []} for name in KEYS]


def _pushing() -> list[dict[str, list[str]]]:
    """The key, and the signature where the key asks for it."""
    return [*_asking(), *(one | {name: [] for name in SIGNATURE} for one in _asking())]


def _acted(moment: str) -> dict[str, Any]:
    text = {"type": "string"}
    properties = {"action_id": text, "alert_id": text, moment: text | {"format": "date-time"}}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _rows(name: str, row: str) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": SCHEMAS + row}}
    return {"type": "object", "properties": {name: rows}, "required": [name]}


def _rejected() -> dict[str, Any]:
    made = json_response("The refused events.", _rows("rejected", "RejectedRow"))
    files = {"text/csv": "One a line, after the names of the columns (RFC 4180)", "application/x-ndjson": "One a line"}
    for media_type, text in files.items():
        made["content"][media_type] = {"schema": {"type": "string", "description": text}}
    return made


def _schemas_by_type() -> dict[str, Any]:
    by_type = {"type": "object", "properties": {kind: {"type": "object"} for kind in EVENT_TYPES}}
    return {"type": "object", "properties": {"schemas": by_type}, "required": ["schemas"]}


def _not_ready() -> dict[str, Any]:
    waiting = {"status": "waiting", "missing": ["clickhouse"]}
    made = json_response("Some do not, or the gateway is full.", {"$ref": f"{SCHEMAS}Readiness"}, waiting)
    made["content"][PROBLEM_JSON] = {"schema": {"$ref": f"{SCHEMAS}Problem"}}
    return made


def _binary_mode() -> str:
    event = example("yangguang.camera.kitchen.v1")
    told = [
        'curl $GATEWAY/v1/events -H "Authorization: Bearer $KEY"',
        "-H 'Content-Type: application/json'",
        *(f"-H 'ce-{name}: {event[name]}'" for name in ("specversion", "id", "source", "type", "time")),
        f"-d '{compact(event['data'])}'",
    ]
    return " \\\n  ".join(told)
