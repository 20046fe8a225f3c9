"""What is judged of a request before anything is done for it."""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.gateway.limits import Limits
from pipeline.gateway.problems import ProblemError, unavailable

_TWO_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


class Entrance:
    """Turns away requests that are too many at once, and those of which two readers could see two ends."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application in front of another."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if refusal := self._refusal(scope):
            await refusal.response()(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    def _refusal(self, scope: Scope) -> ProblemError | None:
        if {name for name, _ in scope["headers"]} >= _TWO_LENGTHS:
            return ProblemError(
                HTTPStatus.BAD_REQUEST,
                "the request has Content-Length and Transfer-Encoding: send one of them",
                {"Connection": "close"},
            )
        if self._inside >= self._limits.requests:
            return unavailable(f"the gateway has {self._inside} requests to answer, as many as it may: send it again")
        return None
