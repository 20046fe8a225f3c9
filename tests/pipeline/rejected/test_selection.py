"""Which refused events are meant, and which of them are a producer's own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keys.key import Grant
from pipeline.rejected.selection import OWN_COLUMNS, Name, Selection, own_rejected, row_of
from sinks.clickhouse.migrate import Migrator
from tests.pipeline.embedded_clickhouse import Server

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ROWS = [
    # offset, topic, partition, reason, source, producer, type, replayed
    (0, "http", -1, "bad_value", "/platform/jd", "jd", "yangguang.seal.order.v1", False),
    (1, "http", -1, "not_json", "", "jd", "", False),
    (2, "http", -1, "not_permitted", "/platform/jd", "eleme", "yangguang.seal.order.v1", False),
    (3, "yangguang.seal", 2, "future_time", "/platform/jd", "", "yangguang.seal.order.v1", True),
    (4, "yangguang.seal", 2, "bad_value", "/platform/jd/east", "", "yangguang.seal.order.v1", False),
    (5, "yangguang.seal", 2, "bad_value", "/platform/jdx", "", "yangguang.seal.order.v1", False),
    (6, "yangguang.camera", 0, "bad_value", "/vendor/box-7", "", "yangguang.camera.heartbeat.v1", False),
]


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = Server(tmp_path_factory.mktemp("selection") / "data")
    writer = server.client()
    migrator = Migrator(writer)
    migrator.prepare()
    migrator.apply(migrator.plan())
    names = ["topic", "partition", "offset", "reason", "source", "producer", "type", "time", "raw_offset",
             "raw_partition", "replayed_at", "recorded_at"]  # fmt: skip
    rows = [
        [topic, partition, offset, reason, source, producer, kind, START + timedelta(minutes=offset), offset, 0,
         START if replayed else None, START]
        for offset, topic, partition, reason, source, producer, kind, replayed in ROWS
    ]  # fmt: skip
    writer.insert("yangguang.raw_rejected", rows, column_names=names)
    writer.close()
    client = server.client("analyst", "")
    client.database = "yangguang"
    yield client
    client.close()
    server.stop()


def offsets(analyst: Client, selection: Selection) -> list[int]:
    where = selection.where()
    return [
        row[0]
        for row in analyst.query(
            f"SELECT offset FROM rejected{where.sql} ORDER BY offset", where.parameters
        ).result_rows
    ]


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(), [0, 1, 2, 3, 4, 5, 6]),
        (Selection(reasons=("not_json", "future_time")), [1, 3]),
        (Selection(reasons=("bad_value",), producers=("jd",)), [0]),
        (Selection(sources=("/platform/jd",)), [0, 2, 3]),
        (Selection(topics=("http",)), [0, 1, 2]),
        (Selection(types=("yangguang.camera.heartbeat.v1",)), [6]),
        (Selection(since=START + timedelta(minutes=2), until=START + timedelta(minutes=5)), [2, 3, 4]),
        (Selection(waiting=True, topics=("yangguang.seal",)), [4, 5]),
        (Selection(names=(Name("http", -1, 1), Name("yangguang.seal", 2, 4))), [1, 4]),
        (Selection(names=(Name("http", -1, 1),), reasons=("bad_value",)), []),
        (Selection(sources=("' OR 1 = 1 --",)), []),
    ],
)
def test_every_condition_has_to_hold_and_of_a_condition_any_value(
    analyst: Client, selection: Selection, found: list[int]
) -> None:
    assert offsets(analyst, selection) == found


@pytest.mark.parametrize(
    ("producer", "sources", "found"),
    [
        ("jd", ["/platform/jd"], [4, 3, 1, 0]),
        ("jd", ["/platform/jd/"], [4, 1, 0]),
        ("jd", ["/platform/jd*"], [5, 4, 3, 1, 0]),
        ("jd", [], [1, 0]),
        ("jd", ["*"], [1, 0]),
        ("eleme", ["/platform/eleme", "/vendor/box-7"], [6, 2]),
        ("nobody", ["/elsewhere"], []),
    ],
)
def test_a_producers_own_are_what_its_key_pushed_and_what_came_by_kafka_under_its_sources(
    analyst: Client, producer: str, sources: list[str], found: list[int]
) -> None:
    question = own_rejected(producer, sources)
    result = analyst.query(question.sql, question.parameters)
    assert result.column_names in ((), OWN_COLUMNS)  # of no rows no names are told
    assert [row["offset"] for row in result.named_results()] == found


def test_a_producer_may_ask_for_a_time_a_reason_a_type_and_a_number_of_them(analyst: Client) -> None:
    def asked(**more: Any) -> list[int]:
        question = own_rejected("jd", ["/platform/jd"], **more)
        return [row["offset"] for row in analyst.query(question.sql, question.parameters).named_results()]

    assert asked(limit=2) == [4, 3]
    assert asked(since=START + timedelta(minutes=1), until=START + timedelta(minutes=4)) == [3, 1]
    assert asked(reasons=["bad_value"], types=["yangguang.seal.order.v1"]) == [4, 0]


def test_nobody_has_what_nobody_pushed() -> None:
    with pytest.raises(ValueError, match="without a name"):
        own_rejected("", ["/platform/jd"])


@given(
    st.lists(st.sampled_from(["/a", "/a/", "/a*", "/a/b", "a-*", "/ab"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(["/a", "/a/", "/a/b", "/a/b/c", "/ab", "/ab/c", "a-7", "a"]),
)
def test_a_source_is_a_producers_own_where_its_key_would_have_let_it_in(sources: list[str], source: str) -> None:
    parameters = own_rejected("jd", sources).parameters
    below = [value for name, value in parameters.items() if name.startswith("below_")]
    exact = [value for name, value in parameters.items() if name.startswith("source_")]
    own = source in exact or any(source.startswith(one) for one in below)
    assert own is Grant(sources=tuple(sources)).allows_source(source)


def test_a_row_of_the_view_is_the_row_that_was_recorded(analyst: Client) -> None:
    (shown,) = analyst.query("SELECT * FROM rejected WHERE offset = 3").named_results()
    row = row_of(shown)
    assert (row.topic, row.partition, row.offset, row.raw_offset) == ("yangguang.seal", 2, 3, 3)
    assert row.time == int(START.timestamp() + 180) * 1_000_000
    assert row.replayed_at == int(START.timestamp()) * 1_000_000


@pytest.mark.parametrize("text", ["http/-1/77", "yangguang.banquet/3/12345"])
def test_a_name_is_read_as_it_is_written(text: str) -> None:
    assert str(Name.parsed(text)) == text


@pytest.mark.parametrize("text", ["77", "http/77", "http/x/1", "http/1/", "a b/0/1", "/0/1", "http/0/1/2", "http/0/１"])
def test_what_names_no_event_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="TOPIC/PARTITION/OFFSET"):
        Name.parsed(text)


def test_a_selection_says_in_words_what_it_is() -> None:
    assert str(Selection()) == "all"
    some = Selection(reasons=("bad_value", "not_json"), since=START, names=(Name("http", -1, 1),))
    assert str(some) == "event http/-1/1; reason bad_value, not_json; since 2026-11-23T04:00:00+00:00"
    assert bool(some)
    assert not Selection(waiting=True)
