"""What the gateway does not take: statuses, problem details, and what is recorded of it."""

import gzip
import json
import random
import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import ENVELOPES
from schemas.json_schema import event_schema
from tests.pipeline.gateway.samples import REJECTED, SEAL, order, text
from tests.pipeline.gateway.stack import Gateway, Tape

JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


def problem(answer: httpx.Response) -> str:
    """The sentence of a problem; asserts that it is one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return str(body["detail"])


def test_a_body_without_events_is_400(http: httpx.Client, tape: Tape) -> None:
    for body in (b"", b"[]", b"5", b"\n"):
        answer = http.post("/v1/events", content=body, headers=JSON)
        assert answer.status_code == 400
        assert problem(answer)
    assert tape.new() == []


def test_what_is_not_read_is_415(http: httpx.Client) -> None:
    for headers in (
        {},
        {"Content-Type": "text/plain"},
        JSON | {"Content-Encoding": "br"},
        {"Content-Type": "application/json;charset=gbk"},
    ):
        answer = http.post("/v1/events", content=text(1), headers=headers)
        assert answer.status_code == 415
        assert problem(answer)


def test_a_body_over_the_limit_is_413_however_it_is_sent(http: httpx.Client, tape: Tape) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(9):
            yield b" " * MIB

    for answer in (
        http.post("/v1/events", content=b" " * (8 * MIB + 1), headers=JSON),
        http.post("/v1/events", content=pieces(), headers=JSON),
        http.post("/v1/events", content=gzip.compress(bytes(64 * MIB)), headers=JSON | {"Content-Encoding": "gzip"}),
        http.post("/v1/events", content=b"[" + b",".join([b"1"] * 10_001) + b"]", headers=JSON),
    ):
        assert answer.status_code == 413
        assert "send fewer" in problem(answer)
    assert tape.new() == []


def test_a_broken_gzip_is_400(http: httpx.Client) -> None:
    for body in (b"plain", gzip.compress(text(1))[:-5]):
        answer = http.post("/v1/events", content=body, headers=JSON | {"Content-Encoding": "gzip"})
        assert answer.status_code == 400
        assert "not gzip" in problem(answer)


def sized(size: int) -> bytes:
    """An event of so many bytes that is in order but for its size."""
    raw = text(1)
    return raw[:-1] + b" " * (size - len(raw)) + b"}"


def test_an_event_of_65536_bytes_is_taken_and_a_greater_one_is_a_refused_item(http: httpx.Client, tape: Tape) -> None:
    answer = http.post("/v1/events", content=b"[%s,%s]" % (sized(65_536), sized(65_537)), headers=JSON)
    assert answer.status_code == 207
    assert [one.get("reason") for one in answer.json()["results"]] == [None, "too_large"]
    assert {(one.topic, len(one.value)) for one in tape.new()} == {(SEAL, 65_536), (REJECTED, 65_537)}


def test_what_is_far_too_large_is_kept_whole(http: httpx.Client, tape: Tape) -> None:
    noise = json.dumps(random.Random(1).randbytes(2 * MIB).hex()).encode()
    answer = http.post("/v1/events", content=b"[%s,%s]" % (noise, text(2)), headers=JSON)
    assert answer.status_code == 207
    assert answer.json()["results"][0]["reason"] == "too_large"
    [found] = [one for one in tape.new() if one.topic == REJECTED]
    assert found.value == noise


def test_binary_mode_is_kept_in_structured_mode(http: httpx.Client, tape: Tape) -> None:
    event = order(30)
    data = json.dumps(event.pop("data"), indent=1).encode()
    headers = {f"ce-{name}": str(value).replace("/", "%2F") for name, value in event.items()}
    answer = http.post("/v1/events", content=data, headers=JSON | headers)
    assert answer.status_code == 202
    [found] = tape.new()
    assert (found.topic, found.key) == (SEAL, b"o-30")
    assert data in found.value
    assert json.loads(found.value) == event | {"datacontenttype": "application/json", "data": json.loads(data)}


def test_binary_mode_with_a_missing_attribute_or_bad_bytes_is_refused(http: httpx.Client, tape: Tape) -> None:
    whole = {"ce-id": "1", "ce-source": "s", "ce-type": "yangguang.seal.order.v1", "ce-specversion": "1.0"}
    missing = {name: value for name, value in whole.items() if name != "ce-source"}
    for headers, body, reason in (
        (missing, b"{}", "not_cloudevent"),
        (whole | {"ce-id": "%FF"}, b"{}", "not_json"),
        (whole, b"{", "not_json"),
        (whole, b"", "missing_field"),
    ):
        answer = http.post("/v1/events", content=body, headers=JSON | headers)
        assert answer.status_code == 422
        assert answer.json()["results"][0]["reason"] == reason
    assert [one.topic for one in tape.new()] == [REJECTED] * 4


def test_a_person_is_never_in_the_answer_or_the_headers(http: httpx.Client, tape: Tape) -> None:
    event = order(31) | {"type": "yangguang.registry.operator.v1"}
    event["data"] = {"operator_id": "op-1", "person": {"name": 5, "13800138000": "张三丰"}, "张三丰": 1}
    raw = json.dumps(event, ensure_ascii=False).encode()
    answer = http.post("/v1/events", content=raw, headers=JSON)
    [found] = tape.new()
    assert answer.status_code == 422
    assert found.value == raw
    assert "13800138000" not in answer.text + str(found.headers)


def test_schemas_are_those_of_the_models(http: httpx.Client) -> None:
    schemas = http.get("/v1/schemas").json()["schemas"]
    assert schemas.keys() == ENVELOPES.keys()
    for kind, schema in schemas.items():
        assert http.get(f"/v1/schemas/{kind}").json() == schema == event_schema(kind)
        assert schema["properties"].keys() == ENVELOPES[kind].model_fields.keys()
    answer = http.get("/v1/schemas/none")
    assert answer.status_code == 404
    assert "yangguang.seal.order.v1" in problem(answer)


def test_the_page_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    answer = http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "://" not in answer.text
    assert "外卖封签使用率" in answer.text


def test_noise_on_the_socket_leaves_the_gateway_alive(gateway: Gateway, http: httpx.Client) -> None:
    for noise in (b"\0" * 1000, b"POST /v1/events HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"GET " + b"/" * 200_000):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert http.get("/healthz").status_code == 200


_BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "type", "source", "specversion", "time", "data", ""]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, 370), st.binary(max_size=4)).map(
        lambda cut: text(1)[: cut[0]] + cut[1] + text(1)[cut[0] + 1 :]
    ),
    st.lists(st.sampled_from([text(1), b"{}", b"5", b"NaN", b'"\\ud800"', b"{"]), max_size=4).flatmap(
        lambda parts: st.sampled_from([b"[" + b",".join(parts) + b"]", b"\n".join(parts)])
    ),
)
_TYPES = st.one_of(
    st.sampled_from(
        [
            "application/json",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/x-ndjson",
            "application/json; charset=utf-8",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
_HEADER_VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=20).map(
    lambda value: value.encode("latin-1")
)
_HEADERS = st.dictionaries(
    st.sampled_from(["ce-id", "ce-type", "ce-source", "ce-specversion", "ce-time", "ce-x", "Content-Encoding"]),
    _HEADER_VALUES,
    max_size=4,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_BODIES, content_type=_TYPES, headers=_HEADERS, packed=st.booleans())
def test_whatever_is_sent_is_answered_as_promised(
    http: httpx.Client, body: bytes, content_type: str, headers: dict[str, bytes], packed: bool
) -> None:
    sent: dict[str, str | bytes] = {"Content-Type": content_type.strip(), **headers}
    if packed:
        body, sent["Content-Encoding"] = gzip.compress(body), "gzip"
    answer = http.post("/v1/events", content=body, headers=httpx.Headers(sent))  # type: ignore[arg-type] # bytes too
    assert answer.status_code in {202, 207, 400, 415, 422}
    if answer.status_code in {400, 415}:
        assert problem(answer)
        return
    result = answer.json()
    states = [one["status"] for one in result["results"]]
    assert (result["accepted"], result["rejected"]) == (states.count("accepted"), states.count("rejected"))
    assert len(states) == result["accepted"] + result["rejected"] > 0
    expected = 202 if not result["rejected"] else 207 if result["accepted"] else 422
    assert answer.status_code == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/v1/rates", "/v1/alerts", "/v1/schemas/x", "/", "/v1/events"]),
    query=st.dictionaries(st.sampled_from(["indicator", "scope", "state", "status", "x"]), st.text(max_size=20)),
)
def test_whatever_is_asked_is_answered_below_500(http: httpx.Client, path: str, query: dict[str, str]) -> None:
    assert (
        http.get(path, params={name: value.encode("utf-8", "replace") for name, value in query.items()}).status_code
        < 500
    )


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_are_405(http: httpx.Client, method: str) -> None:
    assert http.request(method, "/v1/events").status_code == 405
