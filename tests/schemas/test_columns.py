"""From events to columns: what a raw table holds of each type, and in which form."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.catalogue import EVENT_TYPES, MODELS
from schemas.columns import BlockEncoder, table_columns
from schemas.event import EventData
from schemas.personal import Tokeniser
from tests.schemas.events import (
    BANQUET,
    FINDING,
    HEARTBEAT,
    OPERATOR,
    OPTIONAL,
    ORDER,
    REQUIRED,
    VILLAGE,
    accepted,
    attributes,
    least,
    whole,
)

TOKENISER = Tokeniser(bytes(16))


def columns_of(*events: dict[str, Any]) -> dict[str, list[Any]]:
    """The block of these events of one type, by column."""
    encoder = BlockEncoder(EVENT_TYPES[events[0]["type"]], TOKENISER)
    columns = encoder.encode([encoder.row(accepted(event)) for event in events])
    return dict(zip([column.name for column in encoder.columns], columns, strict=True))


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_block_has_a_value_for_every_column_of_every_event(kind: str) -> None:
    columns = columns_of(whole(kind), least(kind), whole(kind, extensions={"a": "诸"}))
    assert {len(values) for values in columns.values()} == {3}
    assert list(columns) == [column.name for column in table_columns(EVENT_TYPES[kind])]


@pytest.mark.parametrize("kind", REQUIRED)
def test_the_columns_have_the_events_field_names_and_persons_only_masked(kind: str) -> None:
    names = {column.name for column in table_columns(EVENT_TYPES[kind])}
    fields = {*REQUIRED[kind], *OPTIONAL[kind], "extensions"}
    persons = fields & {"host", "person"}
    masked = {f"{one}_{part}" for one in persons for part in ("name_masked", "phone_masked", "token")}
    extra = {"license_warning"} if kind == OPERATOR else {"finding_reported"} if kind == FINDING else set()
    assert names == (fields - persons) | masked | extra | {"event_id", "source", "event_time", "subject"}


@pytest.mark.parametrize("model", MODELS)
def test_every_column_has_a_comment_and_only_optional_ones_take_null(model: type[EventData]) -> None:
    for column in table_columns(model):
        assert column.comment
        field = model.model_fields.get(column.name)
        if field is not None and not column.type.startswith("Array"):
            assert ("Nullable" in column.type) is not field.is_required()


def test_values_are_kept_as_they_were_said() -> None:
    columns = columns_of(attributes(whole(ORDER, extensions={"b": "诸", "a": [1.5]}), subject="o-1001"))
    assert columns["order_id"] == ["o-1001"]
    assert (columns["packages"], columns["evidence_level"], columns["code"]) == ([2], [2], ["S-77"])
    assert columns["extensions"] == ['{"b":"诸","a":[1.5]}']
    assert (columns["event_id"], columns["source"]) == (["01JD9ZK3-7"], ["/platform/meituan"])
    assert columns["subject"] == ["o-1001"]


def test_times_are_exact_microseconds_since_1970_utc() -> None:
    moment = "2026-11-23T12:00:31.250001+08:00"
    columns = columns_of(attributes(whole(ORDER, delivered_at="2000-01-01T00:00:00.000001Z"), time=moment))
    assert columns["event_time"] == [1_795_406_431_250_001]
    assert columns["delivered_at"] == [946_684_800_000_001]
    assert datetime.fromtimestamp(1_795_406_431, UTC) == datetime(2026, 11, 23, 4, 0, 31, tzinfo=UTC)


def test_lists_are_sets_so_order_and_repetition_do_not_show() -> None:
    hours = [{"from": "17:00", "to": "21:00"}, {"from": "10:00", "to": "14:00"}]
    haccp, iso = ({"scheme": scheme, "valid_until": "2027-01-31"} for scheme in ("HACCP", "ISO22000"))
    one = whole(OPERATOR, platforms=["jd", "meituan"], accepted=["model", "6H"], open_hours=hours,
                certificates=[haccp, iso])  # fmt: skip
    other = whole(OPERATOR, platforms=["meituan", "jd", "jd"], accepted=["6H", "model"], open_hours=hours[::-1],
                  certificates=[iso, haccp, iso])  # fmt: skip
    assert columns_of(one) == columns_of(other)
    assert columns_of(one)["certificates"] == [[("HACCP", date(2027, 1, 31)), ("ISO22000", date(2027, 1, 31))]]


def test_what_is_absent_is_null_and_of_lists_empty() -> None:
    columns = columns_of(least(OPERATOR))
    for name in ("license_kind", "license_no", "uscc", "grade", "director", "officers", "health_valid_until",
                 "person_name_masked", "person_phone_masked", "person_token", "extensions"):  # fmt: skip
        assert columns[name] == [None], name
    for name in ("platforms", "certificates", "accepted", "open_hours"):
        assert columns[name] == [[]], name
    assert columns_of(least(VILLAGE))["served_by"] == [None]
    assert columns_of(whole(BANQUET, samples_retained=None))["samples_retained"] == [None]


def test_a_date_without_end_is_kept_as_the_last_day_there_is() -> None:
    columns = columns_of(whole(OPERATOR, health_valid_until="9999-12-31"))
    assert columns["health_valid_until"] == [date(2299, 12, 31)]


def test_a_finding_is_kept_resolved_and_as_it_was_reported() -> None:
    columns = columns_of(*(whole(FINDING, finding=name) for name in ("606", "NO_MASK", "whatever")))
    assert columns["finding"] == ["NO_MASK", "NO_MASK", "UNKNOWN"]
    assert columns["finding_reported"] == ["606", "NO_MASK", "whatever"]


def test_a_wrong_check_digit_is_a_warning_on_the_row() -> None:
    events = [whole(OPERATOR, license_no=number) for number in ("JY23306810001236", "JY23306810001237", None)]
    assert columns_of(*events)["license_warning"] == [False, True, False]


def test_persons_are_masked_with_their_token() -> None:
    columns = columns_of(whole(BANQUET))
    assert columns["host_name_masked"] == ["张*"]
    assert columns["host_phone_masked"] == ["138****8000"]
    (token,) = columns["host_token"]
    assert len(token) == 32


def test_a_subject_that_is_no_text_is_kept_as_none() -> None:
    for subject in (None, 5, {"a": 1}, [1]):
        assert columns_of(attributes(whole(HEARTBEAT), subject=subject))["subject"] == [""]
