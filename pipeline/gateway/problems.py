"""What the gateway answers when it does not answer what was asked: problem details as RFC 9457 has them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2


class ProblemError(Exception):
    """A request that gets no other answer than this: a status, and one sentence that says what to do."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """The answer."""
        return problem(self.status, self.detail, self.headers)


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of media type application/problem+json."""
    return Response(problem_body(status, detail), status.value, headers, PROBLEM_JSON)


def problem_body(status: HTTPStatus, detail: str) -> bytes:
    """The same without what it is sent in."""
    return orjson.dumps({"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail})


def unavailable(detail: str) -> ProblemError:
    """503, with the time after which another try makes sense."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})
