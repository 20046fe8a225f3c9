"""Messages composed after what the vendors document, the table of their devices, and mappings of a line or two."""

import json
from typing import Any, Final

from pipeline.vendors import Ignored, Vendor
from pipeline.vendors.devices import Devices, read_devices
from pipeline.vendors.load import shipped_text
from pipeline.vendors.mapping import MappingFile, read_mapping
from schemas.reject import Reason, Rejection

CAMERA: Final = "33068100001320000001"
TABLE: Final = f"""device_id,operator_id,town_code,camera_id,zone
box-7/1,op-1,330681001,{CAMERA},切配间
{CAMERA},op-1,330681001,,
"""
DEVICES: Final[Devices] = read_devices(TABLE, "devices.csv")

NOON: Final = 1_772_337_600
"""2026-03-01 12:00 in Shanghai, as seconds since 1970."""
NOON_TEXT: Final = "2026-03-01T12:00:00+08:00"

BOX: Final = """
{
  "specversion": "1.0",
  "id": $id(alarm.no),
  "source": "/vendor/" & $vendor,
  "type": "yangguang.camera.finding.v1",
  "time": $moment(alarm.at),
  "data": {
    "finding_id": $id(alarm.no),
    "camera_id": $device(box).camera_id,
    "operator_id": $device(box).operator_id,
    "town_code": $device(box).town_code,
    "finding": $string(alarm.code),
    "vendor": $vendor,
    "vendor_code": $string(alarm.code),
    "confidence": alarm.score,
    "review": "raw",
    "found_at": $moment(alarm.at)
  }
}
"""
MESSAGE: Final[dict[str, Any]] = {
    "box": "box-7/1",
    "alarm": {"no": 4711, "code": 605, "at": "2026-03-01 12:00:00", "score": 0.93},
}


def mapping(events: str) -> MappingFile:
    return MappingFile(description="a vendor of the tests", events=events)


def vendor(events: str, name: str = "box") -> Vendor:
    return Vendor(name, mapping(events), DEVICES)


def shipped(name: str) -> Vendor:
    return Vendor(name, read_mapping(shipped_text(name), name), DEVICES)


def encoded(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


def made(events: str, message: Any) -> list[Any]:
    """The events that a mapping makes of a message."""
    texts = vendor(events).events(encoded(message))
    assert isinstance(texts, list), texts
    return [json.loads(text) for text in texts]


def why_not(events: str, message: Any) -> str:
    """The detail of the rejection."""
    outcome = vendor(events).events(encoded(message))
    assert isinstance(outcome, Rejection), outcome
    assert outcome.reason is Reason.NOT_MAPPED
    return outcome.detail


def ignored(events: str, message: Any) -> str:
    outcome = vendor(events).events(encoded(message))
    assert isinstance(outcome, Ignored), outcome
    return outcome.why
