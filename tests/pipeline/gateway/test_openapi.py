"""The OpenAPI document: right by the standard, complete, and true of the gateway that runs."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from pipeline.gateway import Options, create_gateway
from pipeline.gateway.items import MEDIA_TYPES
from pipeline.gateway.limits import Limits
from pipeline.gateway.pages import openapi
from pipeline.gateway.pages.openapi import document
from schemas.catalogue import EVENT_TYPES
from schemas.decode import Decoder
from schemas.event import Event
from schemas.examples import examples
from schemas.json_schema import envelope_part, event_schema
from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress
from tests.pipeline.gateway.documents import OPENAPI, an_app, contents, errors, every_operation, references, resolved
from tests.pipeline.gateway.samples import order
from tests.schemas.unsayable import looked_at, sayable

POST_EVENTS: Final = OPENAPI["paths"]["/v1/events"]["post"]
ANY_YEAR: Final = datetime(2300, 1, 1, tzinfo=UTC)


def test_the_document_is_right_by_the_standard() -> None:
    assert OPENAPI["openapi"].startswith("3.1.")
    assert [one.message for one in OpenAPIV31SpecValidator(OPENAPI).iter_errors()] == []
    for reference in references(OPENAPI):
        assert isinstance(resolved({"$ref": reference}), dict)


def test_every_address_of_the_gateway_is_described_and_no_other() -> None:
    app = create_gateway(Options(KafkaAddress("127.0.0.1:9"), Address("127.0.0.1", 9, "analyst", "")))
    there = {
        f"{method} {route.path_format}"
        for route in app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods or ()
    }
    assert {name for name, _ in every_operation()} == there
    assert openapi(app)["paths"].keys() == OPENAPI["paths"].keys()


def test_an_address_that_an_application_does_not_have_is_not_described() -> None:
    app = an_app()
    app.router.routes = [one for one in app.routes if getattr(one, "path", "") != "/v1/rejected"]
    assert OPENAPI["paths"].keys() - openapi(app)["paths"].keys() == {"/v1/rejected"}
    assert "Refused" not in " ".join(tag["name"] for tag in openapi(app)["tags"])


def test_every_media_type_that_is_read_is_described_with_an_example_of_every_event_type() -> None:
    content = POST_EVENTS["requestBody"]["content"]
    assert set(content) == set(MEDIA_TYPES)
    shown = {
        media_type: {name: resolved(one)["value"] for name, one in described["examples"].items()}
        for media_type, described in content.items()
    }
    several = list(examples().values())
    for kind, event in examples().items():
        assert shown["application/json"][kind] == shown["application/cloudevents+json"][kind] == event
        assert shown["application/cloudevents-batch+json"][kind] == [event]
        assert [json.loads(line) for line in shown["application/x-ndjson"][kind].splitlines()] == [event]
    assert (
        shown["application/json"]["every-type"] == shown["application/cloudevents-batch+json"]["every-type"] == several
    )
    assert [json.loads(line) for line in shown["application/x-ndjson"]["every-type"].splitlines()] == several


def test_every_example_of_a_body_holds_its_schema() -> None:
    seen = 0
    for place, media_type, described in contents():
        shown = [resolved(one)["value"] for one in described.get("examples", {}).values()]
        for value in [*shown, *([described["example"]] if "example" in described else [])]:
            assert errors(described["schema"], value) == [], f"{place} {media_type}"
            seen += 1
    assert seen > 50


def test_an_event_is_told_by_its_type() -> None:
    discriminator = OPENAPI["components"]["schemas"]["Event"]["discriminator"]
    assert discriminator["propertyName"] == "type"
    for kind, reference in discriminator["mapping"].items():
        assert resolved({"$ref": reference})["properties"]["type"]["const"] == kind
    assert discriminator["mapping"].keys() == EVENT_TYPES.keys()


def test_who_pushes_says_so_and_who_asks_for_rates_need_not() -> None:
    assert POST_EVENTS["security"][:2] == [{"bearer": []}, {"basic": []}]
    for name, operation in every_operation():
        own = name.startswith("POST ") or name == "GET /v1/rejected"
        assert bool(operation["security"]) is own, name
    schemes = OPENAPI["components"]["securitySchemes"]
    assert {scheme for one in POST_EVENTS["security"] for scheme in one} == schemes.keys()
    assert {one.get("name") for one in schemes.values()} - {None} == {
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip


def test_a_gateway_that_asks_for_no_keys_says_so() -> None:
    whole = document(authentication=False)
    assert "securitySchemes" not in whole["components"]
    assert all(not one["security"] for item in whole["paths"].values() for one in item.values())
    assert [one.message for one in OpenAPIV31SpecValidator(whole).iter_errors()] == []


def test_answers_that_say_wait_say_how_long() -> None:
    for name, operation in every_operation():
        for status in {"429", "503"} & operation["responses"].keys():
            headers = resolved(operation["responses"][status]).get("headers", {})
            assert "Retry-After" in headers or name == "GET /readyz", f"{name} {status}"
    assert "WWW-Authenticate" in resolved(POST_EVENTS["responses"]["401"])["headers"]


def test_the_limits_are_the_gateways() -> None:
    few = document(Limits(body_bytes=1 << 20, events=7))
    assert few["components"]["schemas"]["Events"]["maxItems"] == 7
    assert "at most 1 MiB and 7 events" in few["paths"]["/v1/events"]["post"]["description"]


@pytest.mark.parametrize("name", [name for name, _ in every_operation()])
def test_requests_can_be_generated_from_the_document(name: str) -> None:
    method, path = name.split(" ")
    made: Counter[str] = Counter()

    @settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
    @given(schemathesis.openapi.from_dict(OPENAPI)[path][method].as_strategy())
    def collect(case: Any) -> None:
        made[case.media_type] += 1

    collect()
    assert made


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_events_that_are_generated_from_the_document_are_accepted_but_for_what_schemas_cannot_say(kind: str) -> None:
    of_one_type = document()
    of_one_type["components"]["schemas"]["Event"] = {"$ref": f"#/components/schemas/{envelope_part(kind)}"}
    refusals: Counter[str] = Counter()
    accepted = []

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), database=None)
    @given(schemathesis.openapi.from_dict(of_one_type)["/v1/events"]["POST"].as_strategy())
    def collect(case: Any) -> None:
        for one in case.body if isinstance(case.body, list) else [case.body]:
            outcome = Decoder(None).decode(json.dumps(one).encode(), ANY_YEAR)
            if isinstance(outcome, Event):
                accepted.append(outcome)
            elif sayable(outcome) and looked_at(one) == one:
                refusals[outcome.detail] += 1

    collect()
    assert accepted
    assert not refusals


def problem_of(answer: httpx.Response, operation: dict[str, Any]) -> None:
    described = resolved(operation["responses"][str(answer.status_code)])
    assert errors(described["content"]["application/problem+json"]["schema"], answer.json()) == []
    assert answer.headers["content-type"] == "application/problem+json"


def outcome_of(answer: httpx.Response) -> Any:
    described = POST_EVENTS["responses"][str(answer.status_code)]["content"]["application/json"]
    assert errors(described["schema"], answer.json()) == []
    known = {name: OPENAPI["components"]["schemas"][name]["properties"] for name in ("AcceptedEvent", "RefusedEvent")}
    for one in answer.json()["results"]:
        kind = "AcceptedEvent" if one["status"] == "accepted" else "RefusedEvent"
        assert one.keys() <= known[kind].keys()
    return answer.json()


def test_the_running_gateway_accepts_every_example_in_every_media_type(http: httpx.Client) -> None:
    for media_type, described in POST_EVENTS["requestBody"]["content"].items():
        for one in described["examples"].values():
            value = resolved(one)["value"]
            body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            answer = http.post("/v1/events", content=body.encode(), headers={"Content-Type": media_type})
            assert answer.status_code == 202, answer.text
            outcome_of(answer)


def test_the_running_gateway_answers_as_described(http: httpx.Client) -> None:
    mixed = http.post("/v1/events", json=[order(1), order(2, packages=0), 5])
    assert (mixed.status_code, outcome_of(mixed)["rejected"]) == (207, 2)
    refused = http.post("/v1/events", json=order(2, packages=0))
    assert (refused.status_code, outcome_of(refused)["accepted"]) == (422, 0)
    empty = http.post("/v1/events", content=b"", headers={"Content-Type": "application/json"})
    assert empty.status_code == 400
    problem_of(empty, POST_EVENTS)
    other = http.post("/v1/events", content=b"a,b", headers={"Content-Type": "text/csv"})
    assert other.status_code == 415
    problem_of(other, POST_EVENTS)
    assert "Accept" in resolved(POST_EVENTS["responses"]["415"])["headers"]
    assert other.headers["accept"] == ", ".join(MEDIA_TYPES)


@pytest.mark.parametrize("path", ["/v1/rejected", "/v1/rates", "/v1/alerts", "/v1/schemas", "/healthz", "/readyz"])
def test_what_the_running_gateway_shows_holds_its_schema(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    described = OPENAPI["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    assert errors(described["schema"], answer.json()) == []


@pytest.mark.parametrize("path", ["/v1/rates", "/v1/alerts"])
def test_the_filters_that_are_described_are_those_that_the_running_gateway_knows(http: httpx.Client, path: str) -> None:
    operation = OPENAPI["paths"][path]["get"]
    named = {one["name"]: "true" if one["schema"]["type"] == "boolean" else "x" for one in operation["parameters"]}
    assert http.get(path, params=named).status_code == 200
    answer = http.get(path, params={"none": "x"})
    problem_of(answer, operation)
    assert answer.json()["detail"].endswith(f"use {', '.join(named)}")


def test_the_filters_of_refused_events_are_those_that_the_running_gateway_knows(http: httpx.Client) -> None:
    operation = OPENAPI["paths"]["/v1/rejected"]["get"]
    schemas = {one["name"]: one["schema"] for one in operation["parameters"]}
    unknown = http.get("/v1/rejected", params={"none": "x"})
    problem_of(unknown, operation)
    assert unknown.json()["detail"].endswith(f"use {', '.join(schemas)}")
    fit = [("reason", one) for one in schemas["reason"]["items"]["enum"]]
    fit += [("type", "x"), ("since", "2026-11-23T12:00:00+08:00"), ("limit", str(schemas["limit"]["maximum"]))]
    assert http.get("/v1/rejected", params=fit).status_code == 200
    for name, value in (("reason", "x"), ("since", "2026-11-23"), ("limit", str(schemas["limit"]["maximum"] + 1))):
        assert errors(schemas[name], [value] if name == "reason" else value) != []
        problem_of(http.get("/v1/rejected", params={name: value}), operation)
    for media_type in operation["responses"]["200"]["content"]:
        answer = http.get("/v1/rejected", headers={"Accept": media_type})
        assert answer.headers["content-type"].partition(";")[0] == media_type


def test_binary_mode_works_as_the_document_shows_it(http: httpx.Client) -> None:
    event = examples()["yangguang.camera.kitchen.v1"]
    shown = POST_EVENTS["description"]
    headers = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type", "time")}
    for name, value in headers.items():
        assert f"| `{name}` |" in shown
        assert f"-H '{name}: {value}'" in shown
    assert http.post("/v1/events", json=event["data"], headers=headers).status_code == 202


@settings(max_examples=50)
@given(st.sampled_from(sorted(EVENT_TYPES)), st.data())
def test_schemas_of_the_document_are_the_published_ones(kind: str, data: st.DataObject) -> None:
    event = examples()[kind]
    name = data.draw(st.sampled_from(sorted(event["data"])))
    event["data"][name] = data.draw(st.sampled_from([None, "", 1, True, [], {}, "x" * 300]))
    described = errors({"$ref": "#/components/schemas/Event"}, event)
    assert Draft202012Validator(event_schema(kind)).is_valid(event) is (described == [])
