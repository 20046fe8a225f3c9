"""POST /v1/events, from the bytes that a client sends to the records in Kafka."""

import gzip
import json

import httpx

from tests.pipeline.gateway.samples import REJECTED, SEAL, order, text
from tests.pipeline.gateway.stack import Tape

JSON = {"Content-Type": "application/json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
LINES = {"Content-Type": "application/x-ndjson"}


def test_one_event_is_stored_with_its_own_bytes_under_its_entity(http: httpx.Client, tape: Tape) -> None:
    raw = json.dumps(order(1), indent=2).encode() + b"\n"
    answer = http.post("/v1/events", content=raw, headers={"Content-Type": "application/cloudevents+json"})
    assert answer.status_code == 202
    [found] = tape.new()
    assert (found.topic, found.key, found.value, found.headers) == (SEAL, b"o-1", raw, {})
    assert answer.json() == {
        "accepted": 1,
        "rejected": 0,
        "results": [
            {
                "index": 0,
                "status": "accepted",
                "id": "e-1",
                "topic": SEAL,
                "partition": found.partition,
                "offset": found.offset,
            }
        ],
    }


def test_each_item_of_a_list_keeps_its_own_bytes(http: httpx.Client, tape: Tape) -> None:
    number = "12345678901234567890123456789.10"
    doubled = b'{"packages":"x",'.join(text(2).rsplit(b"{", 1))
    great = text(3, extensions={"n": 0}).replace(b'"n":0', f'"n":{number},"n":{number}'.encode())
    texts = [doubled, great, json.dumps(order(4), indent=1).encode()]
    answer = http.post("/v1/events", content=b" [ " + b"\n,\t".join(texts) + b" ]\r\n", headers=BATCH)
    assert answer.status_code == 202
    assert sorted(one.value for one in tape.new()) == sorted(texts)


def test_lines_are_events_and_blank_lines_are_not(http: httpx.Client, tape: Tape) -> None:
    texts = [text(5), text(6), text(7)]
    answer = http.post("/v1/events", content=b"\n" + texts[0] + b"\r\n \t\n" + b"\n".join(texts[1:]), headers=LINES)
    assert answer.status_code == 202
    assert sorted(one.value for one in tape.new()) == sorted(texts)


def test_gzip_is_taken_in_several_members(http: httpx.Client, tape: Tape) -> None:
    body = gzip.compress(text(8) + b"\n") + gzip.compress(text(9))
    answer = http.post("/v1/events", content=body, headers=LINES | {"Content-Encoding": "gzip"})
    assert answer.status_code == 202
    assert sorted(one.value for one in tape.new()) == [text(8), text(9)]


def test_some_refused_are_answered_207_and_recorded_with_their_bytes(http: httpx.Client, tape: Tape) -> None:
    wrong = text(11, packages=0)
    constant = text(12).replace(b'"packages":1', b'"packages":NaN')
    answer = http.post("/v1/events", content=b"[%s,%s,%s,5]" % (text(10), wrong, constant), headers=JSON)
    assert answer.status_code == 207
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (1, 3)
    assert [one.get("reason") for one in body["results"]] == [None, "bad_value", "not_json", "not_cloudevent"]
    assert body["results"][1]["detail"].startswith("/data/packages: ")
    found = tape.new()
    assert [one.value for one in found if one.topic == SEAL] == [text(10)]
    refused = [one for one in found if one.topic == REJECTED]
    assert [one.value for one in refused] == [wrong, constant, b"5"]
    assert [one.headers["reason"] for one in refused] == ["bad_value", "not_json", "not_cloudevent"]
    assert {(one.headers["topic"], one.headers["partition"], one.headers["offset"]) for one in refused} == {
        ("http", "-1", "-1")
    }
    assert refused[0].headers["id"] == "e-11"


def test_none_accepted_is_answered_422(http: httpx.Client, tape: Tape) -> None:
    for content in (b"{oops", b"not json"):
        answer = http.post("/v1/events", content=content, headers=JSON)
        assert answer.status_code == 422
        assert answer.json()["results"][0]["reason"] == "not_json"
        [found] = tape.new()
        assert (found.topic, found.value, found.headers["reason"]) == (REJECTED, content, "not_json")


def test_a_list_that_breaks_is_one_refused_item_and_nothing_of_it_is_taken(http: httpx.Client, tape: Tape) -> None:
    for content in (b"[%s,{oops]" % text(20), b"[%s" % text(21), b"[%s] x" % text(22), b"[%s,]" % text(23), b"[\xff]"):
        answer = http.post("/v1/events", content=content, headers=BATCH)
        assert answer.status_code == 422
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (0, 1)
        [found] = tape.new()
        assert (found.topic, found.value, found.headers["reason"]) == (REJECTED, content, "not_json")


def test_an_item_nested_too_deep_is_refused_alone(http: httpx.Client, tape: Tape) -> None:
    deep = b'{"a":' * 5000 + b'"]"' + b"}" * 5000
    answer = http.post("/v1/events", content=b"[%s,%s]" % (deep, text(24)), headers=JSON)
    assert answer.status_code == 207
    assert answer.json()["results"][0]["reason"] == "not_json"
    assert {one.value for one in tape.new()} == {deep, text(24)}
