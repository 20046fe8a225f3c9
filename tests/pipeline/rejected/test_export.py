"""What a producer is given of its refused events: exact in NDJSON, safe for spreadsheets in CSV, never a payload."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rejected.export import format_of, written
from pipeline.rejected.selection import OWN_COLUMNS

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))


def row(**changes: Any) -> dict[str, Any]:
    """A row of the view, with what is not for the producer."""
    return {
        "reason": "bad_value", "detail": "/data/packages: 太大", "topic": "http", "partition": -1, "offset": 7,
        "source": "/platform/jd", "id": "1", "type": "yangguang.seal.order.v1", "producer": "jd", "vendor": "",
        "time": AT, "raw_partition": 0, "raw_offset": 7, "replayed_at": None, **changes,
    }  # fmt: skip


@given(st.lists(st.tuples(LINES, LINES), max_size=4))
def test_every_line_of_ndjson_is_exact(texts: list[tuple[str, str]]) -> None:
    rows = [row(source=source, id=identity) for source, identity in texts]
    lines = [json.loads(line) for line in written(rows, "ndjson")]
    assert [(one["source"], one["id"]) for one in lines] == texts
    assert all(tuple(one) == OWN_COLUMNS for one in lines)
    assert all(one["time"] == "2026-11-23T04:00:00+00:00" for one in lines)


@given(st.lists(st.tuples(LINES, LINES), max_size=4))
def test_csv_is_read_back_as_it_was_but_for_what_would_be_a_formula(texts: list[tuple[str, str]]) -> None:
    text = "".join(written([row(source=source, id=identity) for source, identity in texts], "csv"))
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    for one, (source, identity) in zip(read, texts, strict=True):
        for found, was in ((one["source"], source), (one["id"], identity)):
            assert found == (f"'{was}" if was.startswith(("=", "+", "-", "@", "\t")) else was)
        assert (one["partition"], one["offset"], one["replayed_at"]) == ("-1", "7", "")


def test_no_column_says_where_the_bytes_are() -> None:
    assert not {"raw_partition", "raw_offset"} & set(OWN_COLUMNS)


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.ndjson", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("-", "ndjson"),
        ("a.txt", None),
    ],
)
def test_the_name_of_the_file_says_its_form(file: str, form: str | None) -> None:
    assert format_of(file) == form
