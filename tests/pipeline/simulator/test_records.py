"""The line format of records: what is written is read again, and what cannot be read says why."""

import base64
import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulator import Record, RecordError, read_records, write_record

EVENT = b'{"specversion":"1.0","id":"1","source":"/s","type":"yangguang.seal.order.v1","data":{"order_id":"o-1"}}'
KEYS = st.none() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)
VALUES = st.binary() | st.just(EVENT) | st.sampled_from([b"", b"\n", EVENT + b"\n", EVENT + b"\r", b" " + EVENT, b"[]"])


@given(st.lists(st.builds(Record, st.sampled_from(["yangguang.seal", "yangguang.camera", "x"]), KEYS, VALUES)))
def test_what_is_written_is_read_again_byte_for_byte(records: list[Record]) -> None:
    file = b"".join(map(write_record, records))
    assert list(read_records(io.BytesIO(file))) == records


def test_an_event_stands_as_itself_and_goes_to_its_topic_under_its_entity() -> None:
    assert list(read_records([EVENT + b"\n", b"\n", EVENT])) == [Record("yangguang.seal", b"o-1", EVENT)] * 2
    assert write_record(Record("yangguang.seal", b"o-1", EVENT)) == EVENT + b"\n"


def test_what_cannot_stand_as_itself_is_wrapped() -> None:
    line = orjson.loads(write_record(Record("yangguang.camera", None, EVENT)))
    assert line == {"topic": "yangguang.camera", "key": None, "value_base64": base64.b64encode(EVENT).decode()}


def test_a_finding_goes_with_its_camera() -> None:
    finding = b'{"type":"yangguang.camera.finding.v1","data":{"finding_id":"f-1","camera_id":"c-1"}}'
    assert next(read_records([finding])).key == b"c-1"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"type":"other"}',
        b'{"value_base64":"x","topic":"t","key":null}',
        b'{"value_base64":"","key":null}',
    ],
)
def test_a_line_that_is_no_record_is_refused_with_its_number(line: bytes) -> None:
    with pytest.raises(RecordError, match="line 2"):
        list(read_records([EVENT, line]))


def test_a_named_topic_takes_lines_that_do_not_say_where_they_belong() -> None:
    assert list(read_records([b"{", b'{"type":"other"}'], "yangguang.seal")) == [
        Record("yangguang.seal", None, b"{"),
        Record("yangguang.seal", None, b'{"type":"other"}'),
    ]
