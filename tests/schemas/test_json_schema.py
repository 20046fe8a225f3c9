"""The JSON Schema that is exported from the models says what the published tables of fields say."""

from typing import Any, Final

import pytest

from schemas.catalogue import ENVELOPES
from tests.schemas.events import OPTIONAL, REQUIRED

ENUMERATIONS: Final = {
    ("yangguang.registry.operator.v1", "status"): {"active", "suspended", "closed"},
    ("yangguang.registry.measure.v1", "status"): {"due", "done", "void"},
    ("yangguang.camera.heartbeat.v1", "picture"): {"ok", "black", "covered", "blurred", "frozen"},
    ("yangguang.camera.finding.v1", "review"): {"raw", "confirmed", "false_positive", "closed"},
    ("yangguang.camera.kitchen.v1", "state"): {"none", "pending", "active", "degraded", "withdrawn"},
    ("yangguang.banquet.record.v1", "venue"): {"home", "banquet_centre", "temporary"},
    ("yangguang.seal.order.v1", "platform"): {"meituan", "eleme", "jd", "douyin", "other"},
    ("yangguang.seal.order.v1", "fulfilment"): {"delivered", "pickup", "cancelled"},
    ("yangguang.seal.order.v1", "seal_state"): {"intact", "broken", "absent", "unknown"},
}


def _schemas(kind: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Schema of the event, of its data, and all definitions."""
    schema = ENVELOPES[kind].model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    data = schema["properties"]["data"]
    return schema, definitions[data["$ref"].rsplit("/", 1)[-1]], definitions


@pytest.mark.parametrize("kind", REQUIRED)
def test_the_schema_of_an_event_requires_its_attributes_and_allows_others(kind: str) -> None:
    schema, _, _ = _schemas(kind)
    assert set(schema["required"]) == {"specversion", "id", "source", "type", "time", "data"}
    assert schema.get("additionalProperties", True) is not False
    assert schema["properties"]["type"]["const"] == kind
    assert schema["properties"]["specversion"]["const"] == "1.0"
    assert schema["properties"]["time"]["format"] == "date-time"


@pytest.mark.parametrize("kind", REQUIRED)
def test_the_schema_of_data_names_the_published_fields_and_requires_the_starred_ones(kind: str) -> None:
    _, data, _ = _schemas(kind)
    assert set(data["required"]) == set(REQUIRED[kind])
    assert set(data["properties"]) == {*REQUIRED[kind], *OPTIONAL[kind], "extensions"}
    assert all(one.get("description") for one in data["properties"].values())


@pytest.mark.parametrize("kind", REQUIRED)
def test_no_object_inside_data_takes_unknown_fields(kind: str) -> None:
    _, data, definitions = _schemas(kind)
    for schema in (data, *definitions.values()):
        if "properties" in schema:
            assert schema["additionalProperties"] is False
    if kind == "yangguang.registry.operator.v1":
        assert set(definitions["OpenHours"]["required"]) == {"from", "to"}
        assert set(definitions["Certificate"]["required"]) == {"scheme", "valid_until"}
    if kind in ("yangguang.registry.operator.v1", "yangguang.banquet.record.v1"):
        assert not definitions["Person"].get("required")


@pytest.mark.parametrize(("kind", "name"), ENUMERATIONS)
def test_the_schema_lists_the_published_values(kind: str, name: str) -> None:
    _, data, _ = _schemas(kind)
    assert set(data["properties"][name]["enum"]) == ENUMERATIONS[kind, name]


def test_ranges_and_lengths_stand_in_the_schema() -> None:
    _, order, _ = _schemas("yangguang.seal.order.v1")
    assert (order["properties"]["packages"]["minimum"], order["properties"]["packages"]["maximum"]) == (1, 50)
    assert order["properties"]["order_id"]["maxLength"] == 64
    assert len(order["properties"]["town_code"]["enum"]) == 23
    _, banquet, _ = _schemas("yangguang.banquet.record.v1")
    assert (banquet["properties"]["diners"]["minimum"], banquet["properties"]["diners"]["maximum"]) == (1, 20_000)
