"""The gateway's answers as OpenAPI describes them: status, headers, schema, an example."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from pipeline.gateway.problems import PROBLEM_JSON

Response = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
RESPONSES: Final = "#/components/responses/"

_RETRY_AFTER: Final = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
HEADERS: Final = {
    "RetryAfter": {
        "description": "Seconds after which another try makes sense",
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    "WWWAuthenticate": {
        "description": "How to say who one is",
        "schema": {"type": "string"},
        "example": 'Bearer realm="yangguang"',
    },
    "Accept": {
        "description": "The media types that are read; only where the Content-Type was not",
        "schema": {"type": "string"},
    },
    "AcceptEncoding": {
        "description": "The encodings that are read; only where the Content-Encoding was not",
        "schema": {"type": "string"},
        "example": "gzip",
    },
}

_PROBLEMS: Final[dict[HTTPStatus, tuple[str, str, dict[str, Any]]]] = {
    HTTPStatus.BAD_REQUEST: (
        "The request cannot be read: its body is empty, no event and no list of events, or not gzip as announced; or "
        "it has a parameter that is not known.",
        "the body is empty: send one event, a JSON array of events, or one event a line",
        {},
    ),
    HTTPStatus.UNAUTHORIZED: (
        "No API key, or one that is not known, expired or revoked; or a signature that is missing, wrong, old or taken "
        "before.",
        "the request has no API key: send `Authorization: Bearer KEY` with a key that `yangguang keys create` made",
        {"WWW-Authenticate": {"$ref": "#/components/headers/WWWAuthenticate"}},
    ),
    HTTPStatus.FORBIDDEN: (
        "The API key is good, and does not have the right to do this.",
        "the API key k3v9q2mx may not acknowledge: use one that `yangguang keys create NAME --may acknowledge` made, "
        "or the link in the alert's message",
        {},
    ),
    HTTPStatus.NOT_FOUND: (
        "There is nothing of that name.",
        "there is nothing of that name: use one of those that the answer names",
        {},
    ),
    HTTPStatus.CONFLICT: (
        "The alert does not fire, so there is nothing to acknowledge.",
        "alert seal-1 is resolved: only one that fires is acknowledged",
        {},
    ),
    HTTPStatus.REQUEST_TIMEOUT: (
        "The body did not arrive in time.",
        "the body did not arrive in 30 s: send it again",
        {},
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "More bytes, sent or decompressed, or more events than one request may have.",
        "the request has more than 10000 events: send fewer a request",
        {},
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "A Content-Type or Content-Encoding that is not read.",
        "Content-Encoding br is not read: send gzip, or no encoding",
        {
            "Accept": {"$ref": "#/components/headers/Accept"},
            "Accept-Encoding": {"$ref": "#/components/headers/AcceptEncoding"},
        },
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "The API key's rate is used up. Nothing of the request is stored.",
        "the API key may push 100 per 1 second, which is used up; nothing of the request is stored: send it again "
        "later",
        _RETRY_AFTER,
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Kafka or ClickHouse is away or slow, or the gateway is full. Ask the same again: what was stored counts once.",
        "Kafka does not answer; nothing of the request is stored: send it again",
        _RETRY_AFTER,
    ),
}


def problem_responses() -> dict[str, Response]:
    """Every problem by the name under which operations refer to it."""
    return {
        _name(status): {
            "description": description,
            **({"headers": headers} if headers else {}),
            "content": {
                PROBLEM_JSON: {
                    "schema": {"$ref": f"{SCHEMAS}Problem"},
                    "example": {
                        "type": "about:blank",
                        "title": status.phrase,
                        "status": status.value,
                        "detail": detail,
                    },
                }
            },
        }
        for status, (description, detail, headers) in _PROBLEMS.items()
    }


def problems(*statuses: int) -> dict[str, Response]:
    """References to the problems with these statuses."""
    return {str(status): {"$ref": RESPONSES + _name(HTTPStatus(status))} for status in statuses}


def json_response(description: str, schema: dict[str, Any], example: Any = None) -> Response:
    """An answer in JSON."""
    shown = {} if example is None else {"example": example}
    return {"description": description, "content": {"application/json": {"schema": schema, **shown}}}


def _name(status: HTTPStatus) -> str:
    return status.name.title().replace("_", "")


def vendor_outcomes() -> dict[str, Response]:
    """The answers to a vendor's messages: those to events, and 200."""
    ignored = {"index": 0, "status": "ignored", "detail": "the box says that it lives"}
    nothing = {"accepted": 0, "rejected": 0, "ignored": 1, "results": [ignored]}
    schema = {"$ref": f"{SCHEMAS}VendorOutcome"}
    description = "There was nothing for us in any message: nothing is stored."
    return {"200": json_response(description, schema, nothing), **outcomes("VendorOutcome")}


def outcomes(schema_name: str = "Outcome") -> dict[str, Response]:
    """The answers to events: 202, 207 and 422."""
    accepted = {
        "index": 0,
        "status": "accepted",
        "id": "order-example-1/rider",
        "topic": "yangguang.seal",
        "partition": 2,
        "offset": 4711,
    }
    refused = {
        "index": 1,
        "status": "rejected",
        "id": "order-example-2/rider",
        "reason": "bad_value",
        "detail": "/data/evidence_level: Input should be less than or equal to 4",
    }
    told: Iterable[tuple[HTTPStatus, str, list[dict[str, Any]]]] = (
        (HTTPStatus.ACCEPTED, "All events are accepted and durable.", [accepted]),
        (
            HTTPStatus.MULTI_STATUS,
            "Some events are accepted and durable, some are refused: mend those and send them again.",
            [accepted, refused],
        ),
        (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "All events are refused, and recorded in `rejected`: mend them and send them again.",
            [refused | {"index": 0}],
        ),
    )
    schema = {"$ref": f"{SCHEMAS}{schema_name}"}
    return {
        str(status.value): json_response(description, schema, _report(results)) for status, description, results in told
    }


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    accepted = sum(one["status"] == "accepted" for one in results)
    return {"accepted": accepted, "rejected": len(results) - accepted, "results": results}
