"""The mappings that come with the project: what they say of themselves, and what they make of messages composed after
the documents that they name."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import jsonata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.vendors import Ignored, Vendor
from pipeline.vendors.dry_run import tried
from pipeline.vendors.evaluation import functions_of
from pipeline.vendors.load import shipped_names
from schemas.event import latest_acceptable
from schemas.reject import Reason
from tests.pipeline.vendors.samples import CAMERA, DEVICES, NOON, NOON_TEXT, encoded, shipped

LATEST: Final = latest_acceptable(datetime(2026, 3, 1, 4, tzinfo=UTC))
"""The clock says noon in Shanghai."""

HUAWEI: Final = {
    "stream_id": "box-7/1", "event_type": 589824, "task_id": "0b5e", "timestamp": NOON, "message_id": "5A0C-11F1",
    "data": {"event_set": [
        {"bounding_box": {"x": 4, "y": 8, "w": 15, "h": 16}, "type_cloth": 1, "type_hat": 0},
        {"bounding_box": {"x": 23, "y": 42, "w": 15, "h": 16}, "type_cloth": 1, "type_hat": 0},
    ]},
    "image_base64": "A" * 30_000,
}  # fmt: skip
ALIYUN: Final = {
    "Event": "stream_status", "Time": NOON, "GroupId": "g-1", "DeviceId": "8301", "DeviceStatus": "on",
    "GbId": CAMERA, "StreamId": "s-1", "StreamName": "后厨", "StreamStatus": "on",
}  # fmt: skip
CTYUN: Final = {
    "EventType": 5, "Expires": NOON + 600, "Signature": "00", "DeviceId": "29", "GbId": CAMERA, "DeviceName": "后厨",
    "AIType": 5, "Data": {"DetectBoxes": [1, 2, 3, 4]}, "ImageUrl": "https://pictures.example/29", "EventTime": NOON,
}  # fmt: skip
MESSAGES: Final[dict[str, dict[str, Any]]] = {"huawei-vias": HUAWEI, "aliyun-vecs": ALIYUN, "ctyun-vaas": CTYUN}


def events(name: str, message: Any) -> list[dict[str, Any]]:
    """The events of a message, which are accepted."""
    found = tried(shipped(name), encoded(message), LATEST)
    assert found.rejection is None, found
    for one in found.events:
        assert one.rejection is None, one
        assert one.topic == "yangguang.camera"
    return [one.event for one in found.events]


def findings(name: str, message: Any) -> list[str]:
    return [one["data"]["finding"] for one in events(name, message)]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_mapping_names_its_documents_and_says_that_no_vendor_has_confirmed_it(name: str) -> None:
    mapping = shipped(name).mapping
    assert mapping.source
    assert not mapping.verified
    assert name in MESSAGES, "compose a message for it"


@pytest.mark.parametrize("name", shipped_names())
def test_a_message_sent_again_gives_the_same_events_and_another_one_others(name: str) -> None:
    first = events(name, MESSAGES[name])
    assert first
    assert first == events(name, json.loads(json.dumps(MESSAGES[name])))
    later = {key: value + 1 if value == NOON else value for key, value in MESSAGES[name].items()}
    others = events(name, {**later, "message_id": "5A0C-11F2"})
    assert not {one["id"] for one in first} & {one["id"] for one in others}


@pytest.mark.parametrize("name", shipped_names())
def test_a_device_that_the_table_lacks_is_refused(name: str) -> None:
    message = {key: "unknown" if value in (CAMERA, "box-7/1") else value for key, value in MESSAGES[name].items()}
    found = tried(shipped(name), encoded(message), LATEST)
    assert found.rejection is not None
    assert found.rejection.reason is Reason.NOT_MAPPED
    assert "$device: the table of devices has no such device" in found.rejection.detail


@pytest.mark.parametrize("name", shipped_names())
def test_another_implementation_of_jsonata_maps_the_same(name: str) -> None:
    one = shipped(name)
    other = jsonata.Jsonata(one.mapping.events)
    for called, function in functions_of(one.mapping, DEVICES).items():
        other.register_lambda(called, function)
    other.assign("vendor", one.name)
    result = other.evaluate(MESSAGES[name])
    assert (result if isinstance(result, list) else [result]) == events(name, MESSAGES[name])


def test_huawei_tells_of_a_missing_hat_once_however_many_persons_lack_it() -> None:
    (event,) = events("huawei-vias", HUAWEI)
    assert (event["id"], event["time"]) == ("5A0C-11F1/NO_CHEF_HAT", NOON_TEXT)
    data = event["data"]
    assert (data["finding"], data["vendor_code"], data["zone"]) == ("NO_CHEF_HAT", "589824", "切配间")
    assert (data["camera_id"], data["operator_id"]) == (CAMERA, "op-1")


def test_huaweis_one_message_may_be_two_findings() -> None:
    both = {**HUAWEI, "data": {"event_set": [{"type_cloth": 0, "type_hat": 0}]}}
    assert findings("huawei-vias", both) == ["NO_CHEF_HAT", "NO_UNIFORM"]


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        (1048576, "NO_MASK"), (720896, "SMOKING"), (786432, "PHONE_USE"), (458752, "LEAVE_POST"),
        (393216, "OPEN_FIRE"), (917504, "917504"),
    ],
)  # fmt: skip
def test_huaweis_codes_are_findings_and_one_that_is_not_known_is_kept(code: int, finding: str) -> None:
    message = {**HUAWEI, "event_type": code, "data": {"event_set": [{"bounding_box": {"x": 1}}]}}
    assert findings("huawei-vias", message) == [finding]


def test_huaweis_picture_of_people_who_wear_everything_is_ignored() -> None:
    message = {**HUAWEI, "data": {"event_set": [{"type_cloth": 1, "type_hat": 1}]}}
    assert shipped("huawei-vias").events(encoded(message)) == Ignored("everybody in the picture wears hat and clothes")


@pytest.mark.parametrize("broken", [{"data": {}}, {"data": {"event_set": []}}, {"event_type": None}])
def test_huaweis_message_without_what_was_seen_is_not_taken_for_one_in_which_all_is_well(broken: Any) -> None:
    outcome = shipped("huawei-vias").events(encoded({**HUAWEI, **broken}))
    assert not isinstance(outcome, Ignored)


@pytest.mark.parametrize(
    ("change", "online", "advancing"),
    [
        ({}, True, True),
        ({"StreamStatus": "off"}, True, False),
        ({"DeviceStatus": "failed"}, False, False),
        ({"Event": "device_status", "StreamStatus": None}, True, False),
        ({"Event": "device_status", "DeviceStatus": "off"}, False, False),
    ],
)
def test_aliyuns_camera_is_healthy_only_while_its_stream_is_on(change: Any, online: bool, advancing: bool) -> None:
    (event,) = events("aliyun-vecs", {**ALIYUN, **change})
    assert event["type"] == "yangguang.camera.heartbeat.v1"
    assert (event["data"]["online"], event["data"]["advancing"]) == (online, advancing)


def test_aliyuns_alarms_of_the_device_are_ignored_and_what_it_does_not_document_is_refused() -> None:
    one = shipped("aliyun-vecs")
    assert isinstance(one.events(encoded({**ALIYUN, "Event": "device_alarm", "GbId": "unknown"})), Ignored)
    found = tried(one, encoded({**ALIYUN, "Event": "secret"}), LATEST)
    assert found.rejection is not None
    assert "Event is none of device_status, stream_status, device_alarm" in found.rejection.detail


@pytest.mark.parametrize(("code", "finding"), [(5, "SMOKING"), (10, "OPEN_FIRE"), (19, "STRANGER"), (27, "27")])
def test_ctyuns_codes_are_findings_and_one_that_is_not_known_is_kept(code: int, finding: str) -> None:
    (event,) = events("ctyun-vaas", {**CTYUN, "AIType": code})
    assert (event["data"]["finding"], event["data"]["vendor_code"]) == (finding, str(code))
    assert event["data"]["snapshot_uri"] == "https://pictures.example/29"


@pytest.mark.parametrize("code", [8, 12, 17, 34])
def test_ctyuns_recognition_of_persons_and_plates_is_ignored(code: int) -> None:
    assert isinstance(shipped("ctyun-vaas").events(encoded({**CTYUN, "AIType": code})), Ignored)


VALUES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.just([]), st.just({}),
    st.sampled_from([CAMERA, "box-7/1", NOON, NOON * 1000, "on", "device_status", 5, 589824, [{"type_hat": 0}]]),
)  # fmt: skip


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_message_with_anything_in_its_fields_has_an_outcome(name: str, data: st.DataObject) -> None:
    fields = MESSAGES[name].keys() - {"image_base64"}
    message = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(fields), VALUES)))
    found = tried(shipped(name), json.dumps(message).encode(), LATEST)
    assert found.events or found.rejection or found.ignored
    assert isinstance(shipped(name), Vendor)
