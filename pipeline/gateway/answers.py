"""The answer to a request with events: what became of each of them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from pipeline.gateway.judge import Judged
from pipeline.gateway.records import Stored


def outcome(judged: Sequence[Judged], stored: Sequence[Stored]) -> Response:
    """202 when all events are accepted and durable, 207 when some are, 422 when none is."""
    results: list[dict[str, Any]] = []
    rejected = 0
    for index, (one, place) in enumerate(zip(judged, stored, strict=True)):
        if one.rejection is None:
            where = {"topic": one.outgoing.topic, "partition": place.partition, "offset": place.offset}
            results.append({"index": index, "status": "accepted", "id": one.id, **where})
        else:
            rejected += 1
            why = {"reason": one.rejection.reason.value, "detail": one.rejection.detail}
            known = {"id": one.id} if one.id else {}
            results.append({"index": index, "status": "rejected", **known, **why})
    accepted = len(results) - rejected
    body = orjson.dumps({"accepted": accepted, "rejected": rejected, "results": results})
    return Response(body, _status(accepted, rejected).value, media_type="application/json")


def _status(accepted: int, rejected: int) -> HTTPStatus:
    if not rejected:
        return HTTPStatus.ACCEPTED
    return HTTPStatus.MULTI_STATUS if accepted else HTTPStatus.UNPROCESSABLE_ENTITY
