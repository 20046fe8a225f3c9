"""A rejected record on its topic: raw bytes as value, the rest in headers, and the row that is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import Decoder
from schemas.reject import Reason, Rejection
from sinks.clickhouse.rejected import RejectedRow, settled
from streams.rejects import Door, Headers, door_headers, from_record, headers, replay_headers
from tests.schemas.events import LATEST
from tests.schemas.strategies import any_bytes

AT = datetime(2026, 11, 23, 4, 0, 0, 250_001, tzinfo=UTC)


@dataclass
class Delivered:
    """A record as it is read from the topic."""

    headers: Sequence[tuple[str, bytes]]
    topic: str = "yangguang.rejected"
    partition: int = 0
    offset: int = 77
    key: bytes | None = None
    value: bytes | None = b"raw"


def _delivered(made: Headers) -> Delivered:
    return Delivered(made)


def test_a_row_says_where_the_record_came_from_and_where_its_bytes_are() -> None:
    rejection = Rejection(Reason.BAD_VALUE, "/data/diners: 太大", "/村/1", "id 1", "yangguang.banquet.record.v1")
    row = from_record(_delivered(headers("yangguang.banquet", 3, 12_345, rejection, AT)))
    assert (row.topic, row.partition, row.offset) == ("yangguang.banquet", 3, 12_345)
    assert (row.raw_partition, row.raw_offset) == (0, 77)
    assert (row.reason, row.detail) == ("bad_value", "/data/diners: 太大")
    assert (row.source, row.id, row.type) == ("/村/1", "id 1", "yangguang.banquet.record.v1")
    assert row.time == 1_795_406_400_250_001


@pytest.mark.parametrize("door", ["http", "mqtt"])
def test_what_the_gateway_refuses_says_its_door_and_producer_and_has_a_row_for_each_attempt(door: Any) -> None:
    made = door_headers(Door(door, "acme", "acme-box"), Rejection(Reason.NOT_JSON, ": empty"))
    rows = [from_record(replace(_delivered(made), offset=offset)) for offset in (77, 78)]
    assert {(row.topic, row.partition, row.producer, row.vendor) for row in rows} == {(door, -1, "acme", "acme-box")}
    assert len({(row.topic, row.partition, row.offset) for row in rows}) == 2


def test_one_offset_is_one_row_however_often_it_is_read() -> None:
    made = headers("yangguang.seal", 1, 5, Rejection(Reason.TOO_LARGE, ": large"), AT)
    rows = [from_record(replace(_delivered(made), offset=offset)) for offset in (77, 78)]
    assert len({(row.topic, row.partition, row.offset) for row in rows}) == 1


@given(any_bytes(), st.sampled_from([None, "yangguang.seal"]))
def test_every_rejection_can_be_written_and_read_back(raw: bytes, topic: str | None) -> None:
    rejection = Decoder(topic).decode(raw, LATEST)
    if isinstance(rejection, Rejection):
        row = from_record(_delivered(headers("yangguang.seal", 1, 5, rejection, AT)))
        assert (row.reason, row.detail, row.source, row.id, row.type) == tuple(rejection)
        assert raw == b"" or len(raw) < 8 or raw.decode(errors="replace") not in row.detail


def test_a_record_that_somebody_else_wrote_is_a_row_too() -> None:
    row = from_record(_delivered([("topic", b"\xff"), ("reason", b"bad_value")]))
    assert (row.raw_partition, row.raw_offset, row.reason) == (0, 77, "bad_value")
    row = from_record(_delivered([]))
    assert (row.raw_partition, row.raw_offset) == (0, 77)
    from_record(_delivered([("partition", b"x"), ("offset", b""), ("time", b"now")]))
    from_record(_delivered([("partition", b"99999999999"), ("raw_partition", b"-99999999999"), ("replayed_at", b"1")]))


def _mark(row: RejectedRow, at: datetime) -> RejectedRow:
    return from_record(replace(_delivered(replay_headers(row, at)), offset=99, value=b""))


@pytest.mark.parametrize(
    "made",
    [
        headers("yangguang.seal", 1, 5, Rejection(Reason.FUTURE_TIME, "/time: is ahead", "/村/1", "id", "type"), AT),
        door_headers(Door("http", "acme", "acme-box"), Rejection(Reason.NOT_MAPPED, ": no field")),
        door_headers(Door("mqtt", "acme"), Rejection(Reason.BAD_VALUE, "/data/packages: 太大", "/村/1")),
    ],
)
def test_a_mark_makes_the_same_row_once_more_with_the_time_of_its_replay_and_the_place_of_its_bytes(
    made: Headers,
) -> None:
    row = from_record(_delivered(made))
    again = _mark(row, AT + timedelta(days=1))
    assert again == row._replace(replayed_at=row_time(AT + timedelta(days=1)))
    assert again.identity == row.identity
    assert (again.raw_partition, again.raw_offset) == (0, 77)


def row_time(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def test_a_time_of_replay_that_is_no_number_makes_no_mark() -> None:
    made = [*headers("yangguang.seal", 1, 5, Rejection(Reason.TOO_LARGE, ": large"), AT), ("replayed_at", b"soon")]
    row = from_record(_delivered(made))
    assert (row.replayed_at, row.raw_offset) == (None, 77)


ROW = from_record(_delivered(headers("yangguang.seal", 1, 5, Rejection(Reason.TOO_LARGE, ": large"), AT)))


def test_of_one_list_an_identity_is_one_row_and_stays_replayed() -> None:
    later = ROW._replace(raw_offset=80)
    assert settled([ROW, _mark(ROW, AT), later], {}) == [later._replace(replayed_at=row_time(AT))]


def test_a_rejection_that_is_read_again_stays_replayed() -> None:
    assert settled([ROW], {ROW.identity: 7}) == [ROW._replace(replayed_at=7)]
    assert settled([ROW._replace(offset=6)], {ROW.identity: 7}) == [ROW._replace(offset=6)]


def test_of_two_replays_the_later_one_is_told() -> None:
    marks = [_mark(ROW, AT + timedelta(days=1)), _mark(ROW, AT)]
    assert [row.replayed_at for row in settled(marks, {ROW.identity: 7})] == [row_time(AT + timedelta(days=1))]
