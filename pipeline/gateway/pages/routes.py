"""Where the pages are found."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.responses import Response

from pipeline.gateway.limits import Limits
from pipeline.gateway.pages.asyncapi import asyncapi
from pipeline.gateway.pages.asyncapi_page import asyncapi_page
from pipeline.gateway.pages.docs import ASSETS, asset, docs_page
from pipeline.gateway.pages.openapi import openapi


def add_pages(app: FastAPI, limits: Limits | None = None, *, authentication: bool = True) -> None:
    """Adds /docs, /openapi.json, /asyncapi and /asyncapi.json to an application, which has its other routes by the time
    that one of them is asked for.

    :param authentication: whether the gateway asks for API keys.
    """

    @cache
    def document() -> dict[str, Any]:
        return openapi(app, limits, authentication=authentication)

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to another document
    pages: dict[str, Callable[[], Response]] = {
        "/docs": cache(docs_page),
        "/openapi.json": cache(lambda: _json(document())),
        "/asyncapi": cache(asyncapi_page),
        "/asyncapi.json": cache(lambda: _json(asyncapi())),
        **{f"/docs/{name}": lambda name=name: asset(name) for name in ASSETS},  # type: ignore[misc] # bound now
    }
    for path, made in pages.items():
        app.add_api_route(path, _answering(made), include_in_schema=False, response_class=Response)


def _answering(made: Callable[[], Response]) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return made()

    return answer


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), 200, {"Cache-Control": "no-cache"}, "application/json")
