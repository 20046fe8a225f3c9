"""The answer to a request with events: what became of each of them."""

from http import HTTPStatus
from operator import itemgetter
from typing import Any

import orjson
from starlette.responses import Response

from pipeline.gateway.intake import Outcome


def outcome(stored: Outcome) -> Response:
    """202 when all events are accepted and durable, 207 when some are, 422 when none is; 200 where there was nothing
    for us in a vendor's messages, so that nothing is stored."""
    report = report_of(stored)
    status = _status(report["accepted"], report["rejected"])
    return Response(orjson.dumps(report), status.value, media_type="application/json")


def report_of(outcome: Outcome) -> dict[str, Any]:
    """How many were accepted and refused, and for each event where it is stored or why it is not."""
    results: list[dict[str, Any]] = []
    rejected = 0
    pairs = zip(outcome.judged, outcome.stored, strict=True)
    for place, ((outgoing, event_id, rejection, message), (partition, offset)) in enumerate(pairs):
        index = place if message is None else message
        if rejection is None:
            where = {"topic": outgoing.topic, "partition": partition, "offset": offset}
            results.append({"index": index, "status": "accepted", "id": event_id, **where})
        else:
            rejected += 1
            why = {"reason": rejection.reason.value, "detail": rejection.detail}
            known = {"id": event_id} if event_id else {}
            results.append({"index": index, "status": "rejected", **known, **why})
    accepted = len(results) - rejected
    report: dict[str, Any] = {"accepted": accepted, "rejected": rejected, "results": results}
    if outcome.passed:
        results += [{"index": one.message, "status": "ignored", "detail": one.why} for one in outcome.passed]
        results.sort(key=itemgetter("index"))
        report["ignored"] = len(outcome.passed)
    return report


def _status(accepted: int, rejected: int) -> HTTPStatus:
    if not rejected:
        return HTTPStatus.ACCEPTED if accepted else HTTPStatus.OK
    return HTTPStatus.MULTI_STATUS if accepted else HTTPStatus.UNPROCESSABLE_ENTITY
