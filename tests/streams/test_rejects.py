"""A rejected record on its topic: raw bytes as value, the rest in headers, and the row that is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import Decoder
from schemas.reject import Reason, Rejection
from streams.rejects import Door, Headers, door_headers, from_record, headers
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
