"""How an interrupted run is found again: by what was sent, not by name or dates. Pure rules."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.produce.bookmark import Bookmark, ChangedError, Place, Written
from pipeline.produce.lines import read_lines
from pipeline.produce.sending import PORTION, portions
from pipeline.simulator.records import RecordError, read_records
from tests.pipeline.gateway.samples import text
from tests.pipeline.produce.runs import lines

CONTENT = lines(range(10))
HALF = len(lines(range(5)))


@pytest.fixture
def bookmark(tmp_path: Path) -> Bookmark:
    """That of a file of ten orders, of which five were sent."""
    found = Bookmark.of(tmp_path, tmp_path / "events.ndjson", "cluster-1", None)
    found.prepare()
    found.write(Place(HALF, 5, 5), hashlib.sha256(CONTENT[:HALF]).hexdigest())
    return found


def test_a_file_is_gone_on_with_where_it_was(bookmark: Bookmark) -> None:
    file = io.BytesIO(CONTENT)
    found = bookmark.read(file)
    assert found is not None
    assert found.place == Place(HALF, 5, 5)
    assert file.read() == CONTENT[HALF:]


def test_a_file_that_has_grown_meanwhile_is_gone_on_with(bookmark: Bookmark) -> None:
    assert bookmark.read(io.BytesIO(CONTENT + lines([10]))) is not None


@pytest.mark.parametrize("content", [CONTENT.replace(b"e-3", b"e-X"), CONTENT[: HALF - 1], b""])
def test_a_file_that_was_changed_before_the_place_is_sent_anew(bookmark: Bookmark, content: bytes) -> None:
    file = io.BytesIO(content)
    with pytest.raises(ChangedError, match="first 5 lines"):
        bookmark.read(file)
    assert file.tell() == 0


def test_a_kafka_that_is_another_one_gets_all(bookmark: Bookmark, tmp_path: Path) -> None:
    for cluster, topic in (("cluster-2", None), ("cluster-1", "yangguang.seal")):
        other = Bookmark.of(tmp_path, tmp_path / "events.ndjson", cluster, topic)
        assert other.path == bookmark.path
        assert other.read(io.BytesIO(CONTENT)) is None


@pytest.mark.parametrize("kept", [b"", b"{", b'{"file":"x"}', b"[]"])
def test_a_damaged_bookmark_is_as_none(bookmark: Bookmark, kept: bytes) -> None:
    bookmark.path.write_bytes(kept)
    assert bookmark.read(io.BytesIO(CONTENT)) is None


def test_once_all_is_sent_nothing_is_left(bookmark: Bookmark) -> None:
    bookmark.remove()
    assert bookmark.read(io.BytesIO(CONTENT)) is None
    assert list(bookmark.path.parent.iterdir()) == []


NAMELESS = st.binary(max_size=20).map(lambda one: one.replace(b"\n", b"") + b"\n")


@given(st.lists(st.sampled_from([text(1) + b"\n", b"\n", b" \r\n"]) | NAMELESS), st.integers(0, 30))
def test_going_on_at_any_line_sends_what_the_first_run_did_not(several: list[bytes], cut: int) -> None:
    content = b"".join(several)
    topic = "yangguang.seal"
    whole = list(portions(read_lines(io.BytesIO(content)), topic, hashlib.sha256()))
    assert [one for portion in whole for one in portion.records] == list(read_records(io.BytesIO(content), topic))

    before = b"".join(several[:cut])
    first = list(portions(read_lines(io.BytesIO(before)), topic, hashlib.sha256()))
    sent = [one for portion in first for one in portion.records]
    place = Place(first[-1].last.end, first[-1].last.number, len(sent)) if first else Place()
    assert place.position == len(before)
    file = io.BytesIO(content)
    file.seek(place.position)
    found = Written(place, hashlib.sha256(before))
    rest = list(portions(read_lines(file, place.position, place.line), topic, found.digest))
    assert sent + [one for portion in rest for one in portion.records] == [
        one for portion in whole for one in portion.records
    ]
    if rest:
        assert rest[-1].sha256 == hashlib.sha256(content).hexdigest()
        assert rest[-1].last.number == len(several)


def test_what_stands_before_a_line_that_cannot_be_sent_is_sent() -> None:
    content = lines(range(PORTION + 7)) + b"[]\n" + lines([1])
    found = portions(read_lines(io.BytesIO(content)), None, hashlib.sha256())
    assert len(next(found).records) == PORTION
    assert len(next(found).records) == 7
    with pytest.raises(RecordError, match=f"line {PORTION + 8} "):
        next(found)
