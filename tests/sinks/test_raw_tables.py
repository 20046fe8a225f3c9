"""The raw tables' columns are the models' columns: in number, order, name and type, as the migration made them."""

import re

import pytest

from schemas.catalogue import MODELS
from schemas.columns import LANDED_AT, BlockEncoder, table_columns
from schemas.event import EventData
from schemas.personal import Tokeniser
from sinks.clickhouse.migrate import load_migrations
from sinks.clickhouse.raw import all_create_statements, canonical, create_statements, digest, quoted, raw_table

FORWARD = [statement for migration in load_migrations() for statement in migration.forward]


def _frozen(table: str) -> list[tuple[str, str, str]]:
    """(name, type, comment) of the columns of a table in the migrations, the computed digest left out."""
    (statement,) = (one for one in FORWARD if f"CREATE TABLE {table} " in one)
    found = re.findall(r"^    `(\w+)` (.+?) COMMENT '(.*)',?$", statement, re.MULTILINE)
    return [(name, kind, comment) for name, kind, comment in found if not kind.startswith("UInt64 MATERIALIZED")]


@pytest.mark.parametrize("model", MODELS)
def test_the_migrated_table_has_the_columns_that_land_writes(model: type[EventData]) -> None:
    written = [*BlockEncoder(model, Tokeniser(bytes(16))).columns, LANDED_AT]
    expected = [(one.name, one.type, quoted(one.comment)) for one in written]
    assert _frozen(raw_table(model)) == expected


def test_the_migrations_make_the_tables_that_the_models_ask_for() -> None:
    missing = [statement for statement in all_create_statements() if statement.strip() not in FORWARD]
    assert missing == []


@pytest.mark.parametrize("model", MODELS)
def test_every_column_has_a_comment_and_a_name_of_its_own(model: type[EventData]) -> None:
    columns = _frozen(raw_table(model))
    assert len({name for name, _, _ in columns}) == len(columns)
    assert all(comment for _, _, comment in columns)


@pytest.mark.parametrize("model", MODELS)
def test_the_content_that_settles_an_identity_is_every_column_of_data_and_the_subject(model: type[EventData]) -> None:
    names = [one.name for one in table_columns(model) if one.name not in ("event_id", "source", "event_time")]
    for name in names:
        assert re.search(rf"\b{name}\b", digest(model)), name
        if name != "license_warning":  # follows from the licence number, which is there
            assert re.search(rf"\b{name}\b", canonical(model)), name
    for name in ("event_id", "landed_at"):
        assert not re.search(rf"\b{name}\b", digest(model))
        assert not re.search(rf"\b{name}\b", canonical(model))


@pytest.mark.parametrize("model", MODELS)
def test_a_table_is_partitioned_by_the_event_and_never_by_its_arrival(model: type[EventData]) -> None:
    table, _ = create_statements(model)
    partition = re.search(r"PARTITION BY (.*)", table)
    assert partition is None or (model.minute is not None and model.minute in partition[1])
    order = re.search(r"ORDER BY (.*)", table)
    assert order is not None
    assert "landed_at" not in order[1]
    for part in ("source", "event_id", "event_time", "digest"):
        assert part in order[1]
