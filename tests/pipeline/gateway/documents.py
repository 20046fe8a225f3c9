"""The gateway's documents as tests read them: whole, and taken apart."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from pipeline.gateway.limits import Limits
from pipeline.gateway.pages import add_pages
from pipeline.gateway.pages.openapi import document
from pipeline.gateway.pages.operations import operations

OPENAPI: Final = document()


def an_app(**options: Any) -> FastAPI:
    """An application with every address that is described, and the pages."""

    async def answer() -> dict[str, str]:
        return {}

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for method, path in operations(Limits()):
        app.add_api_route(path, answer, methods=[method.upper()])
    add_pages(app, **options)
    return app


class Browser:
    """Asks an application as a browser does."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://gateway") as client:
                return await client.get(path)

        return asyncio.run(ask())


def validator(schema: dict[str, Any], whole: dict[str, Any]) -> Draft202012Validator:
    """Judges by a schema of a document, which may refer to the document's components."""
    return Draft202012Validator(
        schema | {"components": whole["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def errors(schema: dict[str, Any], value: Any, whole: dict[str, Any] = OPENAPI) -> list[str]:
    return [f"{one.json_path}: {one.message}" for one in validator(schema, whole).iter_errors(value)]


def resolved(thing: dict[str, Any], whole: dict[str, Any] = OPENAPI) -> dict[str, Any]:
    """What a reference leads to; everything else as it is."""
    if "$ref" not in thing:
        return thing
    found: Any = whole
    for step in thing["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def every_operation() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in OPENAPI["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def contents() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body that is asked for or answered: where, its media type, and what is said of it."""
    for name, operation in every_operation():
        bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
        for place, body in (bodies | operation["responses"]).items():
            for media_type, described in resolved(body).get("content", {}).items():
                yield f"{name} {place}", media_type, described


def references(whole: dict[str, Any]) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(whole)))
