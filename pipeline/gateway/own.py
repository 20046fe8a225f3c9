"""GET /v1/rejected: a producer's own refused events, so that it can mend them without asking anybody."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pipeline.gateway.callers import Caller
from pipeline.gateway.problems import ProblemError
from pipeline.gateway.reading import Reader, filters_of
from pipeline.gateway.signatures import unauthorized
from pipeline.rejected.export import Format, written
from pipeline.rejected.selection import own_rejected
from schemas.reject import Reason

FILTERS: Final = ("since", "until", "reason", "type", "limit")
LIMIT: Final = 100
LIMIT_MAX: Final = 10_000
_FORMS: Final[dict[str, Format]] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}


async def own_rejected_answer(request: Request, caller: Caller, reader: Reader) -> Response:
    """The newest refused events of the caller: JSON, or CSV or NDJSON where Accept says so.

    Raises ProblemError (400, 401, 503)."""
    if not caller.producer:
        raise unauthorized("whose refused events are meant is told by an API key: send `Authorization: Bearer KEY`")
    given = filters_of(request.query_params.multi_items(), FILTERS)
    for reason in given.get("reason", ()):
        if reason not in list(Reason):
            raise _wrong("reason", reason, f"use one of {', '.join(Reason)}")
    question = own_rejected(
        caller.producer,
        caller.grant.sources,
        since=_moment("since", given.get("since")),
        until=_moment("until", given.get("until")),
        reasons=given.get("reason", ()),
        types=given.get("type", ()),
        limit=_limit(given.get("limit")),
    )
    rows = await reader.ask("rejected", question.sql, question.parameters)
    accepted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    form = _FORMS.get(accepted)
    headers = {"Cache-Control": "no-store"}
    if form is not None:
        return Response("".join(written(rows, form)), 200, headers, f"{accepted}; charset=utf-8")
    return Response(orjson.dumps({"rejected": rows}), 200, headers, "application/json")


def _moment(name: str, given: Sequence[str] | None) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given[-1])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year < 1970:
        raise _wrong(name, given[-1], "write a time from 1970 on with its offset, such as 2026-11-25T12:00:00%2B08:00")
    return moment


def _limit(given: Sequence[str] | None) -> int:
    if not given:
        return LIMIT
    text = given[-1]
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LIMIT_MAX and len(text) < 9):
        raise _wrong("limit", text, f"write a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _wrong(name: str, value: str, how: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is {value[:40]!r}: {how}")
