"""The example events: what every page and test shows of a type, so each of them has to be right."""

import json
from datetime import datetime
from typing import Final

import phonenumbers
import pytest

from schemas.camera import Finding
from schemas.catalogue import EVENT_TYPES, MODELS
from schemas.decode import Decoder
from schemas.event import Event, EventData
from schemas.examples import example, examples
from schemas.registry import license_warning
from schemas.towns import TOWNS

CLOCK: Final = datetime.fromisoformat("2026-11-23T13:00:00+08:00")


def test_every_event_type_has_one_example_in_the_order_of_the_catalogue() -> None:
    assert list(examples()) == [model.type for model in MODELS]


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_example_is_accepted_on_its_topic_and_is_about_its_entity(kind: str) -> None:
    model = EVENT_TYPES[kind]
    shown = example(kind)
    outcome = Decoder(model.stream).decode(json.dumps(shown, ensure_ascii=False).encode(), CLOCK)
    assert isinstance(outcome, Event), outcome
    assert outcome.type == kind
    assert shown["subject"] == getattr(outcome.data, model.entity)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_example_shows_most_fields_of_its_type(kind: str) -> None:
    fields = {field.alias or name for name, field in EVENT_TYPES[kind].model_fields.items()}
    shown = set(example(kind)["data"])
    assert len(shown) >= len(fields) / 2
    assert {name for name, field in EVENT_TYPES[kind].model_fields.items() if field.is_required()} <= shown


def test_the_examples_are_one_story_with_an_id_for_each_event() -> None:
    told = examples()
    assert len({event["id"] for event in told.values()}) == len(told)
    data = {kind.removeprefix("yangguang."): event["data"] for kind, event in told.items()}
    operator = data["registry.operator.v1"]["operator_id"]
    for kind in ("registry.measure.v1", "camera.heartbeat.v1", "camera.finding.v1", "camera.kitchen.v1"):
        assert data[kind]["operator_id"] == operator, kind
    assert data["seal.order.v1"]["operator_id"] == operator
    assert data["camera.finding.v1"]["camera_id"] == data["camera.heartbeat.v1"]["camera_id"]
    assert data["banquet.record.v1"]["village_id"] == data["registry.village.v1"]["village_id"]
    assert {one["town_code"] for one in data.values()} <= TOWNS.keys()


def test_persons_of_the_examples_can_be_nobody() -> None:
    told = [event["data"] for event in examples().values()]
    persons = [one[name] for one in told for name in ("person", "host") if name in one]
    assert persons
    for one in persons:
        assert not phonenumbers.is_valid_number(phonenumbers.parse(one["phone"], "CN"))
        assert one["name"] in ("张三", "李四")


def test_the_licence_of_the_example_has_a_right_check_digit() -> None:
    data = example("yangguang.registry.operator.v1")["data"]
    assert not license_warning(data["license_kind"], data["license_no"])


def test_an_example_is_the_callers_own() -> None:
    example("yangguang.seal.order.v1")["data"].clear()
    examples()["yangguang.seal.order.v1"].clear()
    assert example("yangguang.seal.order.v1")["data"]["packages"] == 2


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_kafka_key_is_the_entity_and_of_a_finding_its_camera(model: type[EventData]) -> None:
    assert model.key_field() in model.model_fields
    assert model.key_field() == ("camera_id" if model is Finding else model.entity)
