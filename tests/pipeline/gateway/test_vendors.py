"""`POST /v1/vendors/NAME`: a vendor's own messages become events that are durable, or refused items that are kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.catalogue import REJECTED_TOPIC
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.stack import Broker, Gateway, Tape
from tests.pipeline.vendors.samples import BOX, CAMERA, MESSAGE, TABLE

IGNORING = "kind = 'alive' ? $ignore('the box says that it lives') : (" + BOX + ")"


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("vendors")
    (home / "box.toml").write_text(f"description = 'a box'\nevents = '''{IGNORING}'''\n", encoding="utf-8")
    (home / "devices.csv").write_text(TABLE, encoding="utf-8")
    (home / "yangguang.toml").write_text("[vendor.box]\nmapping = 'box.toml'\ndevices = 'devices.csv'\n")
    running = Gateway(home, broker.servers, clickhouse.port, config=str(home / "yangguang.toml"))
    running.wait_for("/readyz", 200)
    yield running
    running.kill()


@pytest.fixture
def http(vendors: Gateway) -> Iterator[httpx.Client]:
    with vendors.client() as client:
        yield client


def message(number: int, **changed: Any) -> dict[str, Any]:
    return {**MESSAGE, "alarm": {**MESSAGE["alarm"], "no": number}, **changed}


def test_a_vendors_message_becomes_an_event_that_is_durable(http: httpx.Client, tape: Tape) -> None:
    answer = http.post("/v1/vendors/box", json=message(1))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    (record,) = tape.new()
    event = json.loads(record.value)
    assert (record.topic, event["id"], event["source"]) == ("yangguang.camera", "1", "/vendor/box")
    assert (event["data"]["camera_id"], event["data"]["vendor_code"]) == (CAMERA, "605")


def test_each_message_of_a_list_has_its_own_outcome_and_what_is_refused_is_kept_as_it_was_sent(
    http: httpx.Client, tape: Tape
) -> None:
    sent = [message(2), message(3, box="box-8/1"), message(4)]
    answer = http.post("/v1/vendors/box", json=sent)
    assert answer.status_code == 207
    assert [one["status"] for one in answer.json()["results"]] == ["accepted", "rejected", "accepted"]
    refused = answer.json()["results"][1]
    assert (refused["reason"], refused["detail"]) == (
        "not_mapped", ": the mapping failed: $device: the table of devices has no such device",
    )  # fmt: skip
    (kept,) = [one for one in tape.new() if one.topic == REJECTED_TOPIC]
    assert json.loads(kept.value) == sent[1]
    assert "box" in kept.headers.values()


def test_an_event_that_breaks_a_rule_is_refused_and_the_vendors_own_message_is_kept(
    http: httpx.Client, tape: Tape
) -> None:
    sent = message(5)
    sent["alarm"]["score"] = 7
    answer = http.post("/v1/vendors/box", json=sent)
    assert answer.status_code == 422
    assert answer.json()["results"][0]["reason"] == "bad_value"
    (kept,) = tape.new()
    assert (kept.topic, json.loads(kept.value)) == (REJECTED_TOPIC, sent)


def test_a_message_with_nothing_for_us_is_no_accepted_event_and_no_refused_one(http: httpx.Client, tape: Tape) -> None:
    answer = http.post("/v1/vendors/box", json={"kind": "alive"})
    assert answer.status_code == 200
    ignored = {"status": "ignored", "detail": "the box says that it lives"}
    assert answer.json() == {"accepted": 0, "rejected": 0, "ignored": 1, "results": [{"index": 0, **ignored}]}
    assert tape.new() == []
    answer = http.post("/v1/vendors/box", json=[message(7), {"kind": "alive"}, message(8)])
    assert answer.status_code == 202
    assert [(one["index"], one["status"]) for one in answer.json()["results"]] == [
        (0, "accepted"), (1, "ignored"), (2, "accepted"),
    ]  # fmt: skip


def test_a_vendor_that_is_not_configured_is_not_found(http: httpx.Client) -> None:
    answer = http.post("/v1/vendors/nobody", json=message(6))
    assert answer.status_code == 404
    assert "box" in answer.json()["detail"]


def test_a_gateway_does_not_start_with_a_mapping_that_cannot_be_right(
    tmp_path: Path, broker: Broker, clickhouse: Server
) -> None:
    (tmp_path / "box.toml").write_text("description = 'a box'\nevents = 'a +'\n")
    (tmp_path / "yangguang.toml").write_text("[vendor.box]\nmapping = 'box.toml'\n")
    refused = Gateway(tmp_path, broker.servers, clickhouse.port, config=str(tmp_path / "yangguang.toml"))
    assert refused.process.wait(30) != 0
    assert "box.toml, line 2: events: is no JSONata expression" in refused.log.read_text()
