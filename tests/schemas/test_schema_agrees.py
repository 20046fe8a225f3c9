"""The JSON Schemas and the decoder agree: what one takes the other takes, and what one refuses the other refuses, but
for what the schemas say that they cannot say."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from schemas.catalogue import EVENT_TYPES
from schemas.event import Event
from schemas.examples import examples
from schemas.json_schema import DIALECT, data_part, envelope_part, event_schemas, parts
from schemas.reject import Rejection
from tests.schemas.events import (
    ABSENT,
    BANQUET,
    FINDING,
    HEARTBEAT,
    OPERATOR,
    ORDER,
    VILLAGE,
    attributes,
    judge,
    least,
    to_bytes,
    whole,
)
from tests.schemas.strategies import events, mutated_events
from tests.schemas.unsayable import looked_at, sayable

SCHEMAS: Final = event_schemas()


def _matches(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    r"""`pattern` as ECMA-262 has it, which JSON Schema asks for: to Python alone `$` is also before a last \n."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


Validator: Final = extend(Draft202012Validator, {"pattern": _matches})  # type: ignore[no-untyped-call] # they have no types
VALIDATORS: Final = {
    kind: Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER) for kind, schema in SCHEMAS.items()
}


def holds(event: dict[str, Any]) -> bool:
    return bool(VALIDATORS[event["type"]].is_valid(event))


def agree(event: dict[str, Any]) -> None:
    """Fails where schema and decoder differ about the event without need."""
    outcome = judge(event)
    seen = looked_at(event)
    if isinstance(outcome, Event):
        errors = [f"{one.json_path}: {one.message}" for one in VALIDATORS[event["type"]].iter_errors(seen)]
        assert not errors, errors
    elif seen == event and sayable(outcome):
        assert not holds(event), outcome


def is_text(event: dict[str, Any]) -> bool:
    """Whether it has no lone surrogates, of which no UTF-8 can be made, and one of the types."""
    try:
        to_bytes(event)
    except UnicodeEncodeError:
        return False
    return isinstance(event.get("type"), str) and event["type"] in SCHEMAS


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_a_schema_and_its_example_holds(kind: str) -> None:
    schema = SCHEMAS[kind]
    assert schema["$schema"] == DIALECT
    Draft202012Validator.check_schema(schema)
    assert schema["examples"] == [examples()[kind]]
    assert holds(examples()[kind])


@settings(max_examples=400)
@given(st.one_of(events(), mutated_events()).filter(is_text))
def test_schema_and_decoder_agree_on_events_of_all_kinds(event: dict[str, Any]) -> None:
    agree(event)


def _number(least: int, greatest: int) -> st.SearchStrategy[str]:
    return st.integers(least, greatest).map("{:02d}".format)


_YEARS: Final = st.sampled_from(["0000", "0001", "1970", "1999", "2000", "2026", "2299", "2300", "9999", "26"])
_TIMES: Final = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    _YEARS, _number(0, 13), _number(0, 32), st.sampled_from("Tt _"), _number(0, 25), _number(0, 60), _number(0, 61),
    st.sampled_from(["", ".1", ".1234567890123", ".", ",5"]),
    st.sampled_from(["", "Z", "z", "+08:00", "-00:00", "+23:59", "+24:00", "+08:60", "+0800"]),
)  # fmt: skip
_DAYS: Final = st.builds(
    "{}-{}-{}{}".format, _YEARS, _number(0, 13), _number(0, 32), st.sampled_from(["", "", " ", "T00:00:00"])
)


@settings(max_examples=400)
@given(_TIMES)
def test_schema_and_decoder_agree_on_times(text: str) -> None:
    agree(whole(BANQUET, held_at=text))
    agree(attributes(whole(ORDER), time=text))


@settings(max_examples=200)
@given(_DAYS)
def test_schema_and_decoder_agree_on_days(text: str) -> None:
    agree(whole(OPERATOR, health_valid_until=text))


@settings(max_examples=200)
@given(st.text("0123456789ABIOZSVXYab -", min_size=16, max_size=19) | st.from_regex(r"\A[0-9]{8}[0-9A-Z]{10}\Z"))
def test_schema_and_decoder_agree_on_credit_codes(text: str) -> None:
    agree(whole(OPERATOR, uscc=text))


@settings(max_examples=200)
@given(
    st.sampled_from(["food_license", "small_catering", None, ABSENT]),
    st.one_of(st.sampled_from([None, ABSENT, ""]), st.from_regex(r"\AJY[0-4][0-9]{12,14}\Z", fullmatch=True)),
)
def test_schema_and_decoder_agree_on_licence_numbers(kind: Any, number: Any) -> None:
    agree(whole(OPERATOR, license_kind=kind, license_no=number))


@settings(max_examples=200)
@given(st.text(max_size=130), st.text(max_size=258))
def test_schema_and_decoder_agree_on_ids_and_sources(identity: str, source: str) -> None:
    event = attributes(whole(ORDER), id=identity, source=source)
    if is_text(event):
        agree(event)


def test_an_item_that_comes_twice_is_no_fault_for_either() -> None:
    for event in (whole(OPERATOR, platforms=["jd", "jd"]), whole(OPERATOR, accepted=["6H", "6H"])):
        assert isinstance(judge(event), Event)
        assert holds(event)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(event, id=name)
        for name, event in {
            "another version of CloudEvents": attributes(whole(ORDER), specversion="0.3"),
            "no id": attributes(whole(ORDER), id=ABSENT),
            "an empty id": attributes(whole(ORDER), id=""),
            "an id with a control": attributes(whole(ORDER), id="a\x07b"),
            "an id that is too long": attributes(whole(ORDER), id="x" * 129),
            "an empty source": attributes(whole(ORDER), source=""),
            "a source that is too long": attributes(whole(ORDER), source="x" * 257),
            "no time": attributes(whole(ORDER), time=ABSENT),
            "a naive time": attributes(whole(ORDER), time="2026-11-23T12:00:00"),
            "Unix seconds": attributes(whole(ORDER), time=1763870431),
            "Unix seconds as text": whole(BANQUET, held_at="1763870431"),
            "a day that is none": whole(OPERATOR, health_valid_until="2026-02-30"),
            "no data": attributes(whole(ORDER), data=ABSENT),
            "data as text": attributes(whole(ORDER), data=json.dumps(whole(ORDER)["data"])),
            "a field that is not known": whole(ORDER, oder_id="o-1"),
            "a field inside that is not known": whole(BANQUET, host={"name": "张三", "mobile": "1"}),
            "a required field left out": whole(ORDER, packages=ABSENT),
            "null in a required field": whole(ORDER, packages=None),
            "a number as text": whole(ORDER, packages="2"),
            "1 for true": whole(HEARTBEAT, online=1),
            "a word that is not listed": whole(HEARTBEAT, picture="fine"),
            "a word in other letters": whole(ORDER, platform="Meituan"),
            "too few packages": whole(ORDER, packages=0),
            "a level that is too high": whole(ORDER, evidence_level=5),
            "a confidence over 1": whole(FINDING, confidence=1.01),
            "an id with a blank inside": whole(ORDER, order_id="o 1"),
            "an id of 65 characters": whole(ORDER, order_id="x" * 65),
            "a Chinese id": whole(ORDER, order_id="订单"),
            "a town elsewhere": whole(VILLAGE, town_code="330682001"),
            "a town as a number": whole(VILLAGE, town_code=330681001),
            "a credit code of 17 characters": whole(OPERATOR, uscc="92330681MA2ABCDE1"),
            "a credit code with an I": whole(OPERATOR, uscc="92330681MA2IBCDE1T"),
            "a food licence of another form": whole(OPERATOR, license_no="JY43306810001236"),
            "a text of 257 characters": whole(VILLAGE, name="村" * 257),
            "an empty text": whole(VILLAGE, name=""),
            "an object for a list": whole(OPERATOR, certificates={"scheme": "HACCP", "valid_until": "2027-01-31"}),
            "a certificate without its day": whole(OPERATOR, certificates=[{"scheme": "HACCP"}]),
            "an hour of 24": whole(OPERATOR, open_hours=[{"from": "10:00", "to": "24:00"}]),
            "extensions as a list": whole(ORDER, extensions=[1]),
            "no host": least(BANQUET, host=ABSENT),
        }.items()
    ],
)
def test_what_is_broken_is_refused_by_both(event: dict[str, Any]) -> None:
    assert isinstance(judge(event), Rejection)
    assert not holds(event)


def test_parts_have_every_type_and_refer_to_each_other_only() -> None:
    found = parts("#/here/")
    for kind in EVENT_TYPES:
        assert found[envelope_part(kind)]["properties"]["data"]["$ref"] == f"#/here/{data_part(kind)}"
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(found)))
    assert references <= {f"#/here/{name}" for name in found}
