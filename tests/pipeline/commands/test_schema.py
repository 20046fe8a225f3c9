"""The documents by command: the same that the gateway shows."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.commands.show import schema
from pipeline.gateway.pages import asyncapi
from pipeline.gateway.pages.openapi import document
from schemas.catalogue import EVENT_TYPES
from schemas.json_schema import event_schema, event_schemas


def printed(*arguments: str) -> Any:
    done = CliRunner().invoke(schema, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_schemas_are_printed_for_one_type_and_for_all() -> None:
    assert printed() == event_schemas()
    for kind in EVENT_TYPES:
        assert printed(kind) == event_schema(kind)


@pytest.mark.parametrize(("authentication", "keys"), [("required", True), ("off", False)])
def test_the_openapi_document_is_that_of_a_gateway_with_these_settings(
    monkeypatch: pytest.MonkeyPatch, authentication: str, keys: bool
) -> None:
    monkeypatch.setenv("YANGGUANG_AUTHENTICATION", authentication)
    assert printed("--openapi") == document(authentication=keys)


def test_the_asyncapi_document_is_printed() -> None:
    assert printed("--asyncapi") == asyncapi()


@pytest.mark.parametrize("arguments", [("--openapi", "--asyncapi"), ("yangguang.seal.order.v1", "--openapi")])
def test_two_documents_at_once_are_a_wrong_use(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(schema, arguments)
    assert done.exit_code == 2
    assert "ask for EVENT_TYPE, --openapi or --asyncapi alone" in done.output
