"""The raw tables: every accepted event, once a model. All SQL that depends on a model's columns is derived here.

A raw table is a ReplacingMergeTree whose sorting key holds the event's identity, its time and a digest of its content:
the same event read twice is one row, and two events that claim one identity with different contents stay two rows, so
that which of them wins does not depend on the order of arrival. The losers are listed in `superseded`.
"""

from collections.abc import Iterable
from typing import Final

from schemas.catalogue import MODELS
from schemas.columns import LANDED_AT, TableColumn, table_columns
from schemas.event import EventData

DATABASE: Final = "yangguang"

DIGEST: Final = "digest"
_PARTITION: Final = (
    "toYYYYMM(least(greatest({field}, toDateTime64('2020-01-01', 6, 'UTC')), toDateTime64('2040-01-01', 6, 'UTC')))"
)
"""Months, clamped: a producer that sends years at random must not make a partition of each."""


def raw_table(model: type[EventData]) -> str:
    """Name of the model's raw table, with database."""
    return f"{DATABASE}.raw_{model.table}"


def place(model: type[EventData]) -> str:
    """SQL for where a row is kept and recomputed: its minute (DateTime, UTC) or its entity (String)."""
    return f"toStartOfMinute({model.minute})" if model.minute else model.entity


def digest(model: type[EventData]) -> str:
    """SQL for 64 bits over the content, equal for equal contents. NULL is told apart from every value."""
    parts = ["subject"]
    for column in _data_columns(model):
        parts += (
            [f"isNull(`{column.name}`)", f"assumeNotNull(`{column.name}`)"]
            if "Nullable" in column.type and not column.type.startswith("Array")
            else [f"`{column.name}`"]
        )
    return f"sipHash64({', '.join(parts)})"


def canonical(model: type[EventData]) -> str:
    """SQL for the content as canonical JSON: keys in order, no spaces, absent fields left out, findings in the words
    that were reported, persons as tokens.

    Only used to settle two events of one identity and one time."""
    parts = []
    columns = {column.name: column for column in _data_columns(model)}
    for column in sorted(columns.values(), key=lambda one: one.name):
        if column.name not in model.model_fields and column.name.endswith(("_reported", "_warning")):
            continue
        said = f"{column.name}_reported" if f"{column.name}_reported" in columns else column.name
        # ClickHouse escapes slashes, which is the same JSON but another order
        value = f"replaceAll(toJSONString(`{said}`), '\\\\/', '/')"
        text = f"concat('\"{column.name}\":', {value}, ',')"
        absent = f"empty(`{column.name}`)" if column.type.startswith("Array") else f"isNull(`{column.name}`)"
        parts.append(f"if({absent}, '', {text})" if _may_be_absent(column) else text)
    return f"concat({', '.join(parts)}, subject)"


def create_statements(model: type[EventData]) -> list[str]:
    """DDL of the raw table and of the view that keeps `raw_events`, the index by identity."""
    columns = [*table_columns(model), LANDED_AT]
    lines = [f"    `{one.name}` {one.type} COMMENT '{quoted(one.comment)}'" for one in columns]
    lines.append(f"    `{DIGEST}` UInt64 MATERIALIZED {digest(model)} COMMENT 'Digest of the content'")
    partition = f"\nPARTITION BY {_PARTITION.format(field=model.minute)}" if model.minute else ""
    key = f"({place(model)}, " + (f"{model.entity}, " if model.minute else "") + "source, event_id, event_time, digest)"
    place_text = f"toString(toUnixTimestamp({place(model)}))" if model.minute else place(model)
    table = f"CREATE TABLE {raw_table(model)} {{on_cluster}} (\n" + ",\n".join(lines) + "\n)"
    return [
        f"{table}\nENGINE = {{replacing}}(landed_at){partition}\nORDER BY {key}\n"
        f"COMMENT 'Accepted events of type {model.type}'",
        f"CREATE MATERIALIZED VIEW {DATABASE}.raw_{model.table}_to_events {{on_cluster}} TO {DATABASE}.raw_events AS\n"
        f"SELECT '{model.stream}' AS stream, '{model.type}' AS type, source, event_id AS id, event_time AS time,\n"
        f"    digest, subject, landed_at, {place_text} AS place\nFROM {raw_table(model)}",
    ]


def superseded_filter(model: type[EventData]) -> str:
    """SQL condition that leaves out the losers of an identity."""
    return (
        f"(source, event_id, event_time, digest) NOT IN "
        f"(SELECT source, id, time, digest FROM {DATABASE}.superseded WHERE type = '{model.type}')"
    )


def _data_columns(model: type[EventData]) -> Iterable[TableColumn]:
    envelope = {"event_id", "source", "event_time", "subject"}
    return [column for column in table_columns(model) if column.name not in envelope]


def _may_be_absent(column: TableColumn) -> bool:
    return "Nullable" in column.type or column.type.startswith("Array")


def quoted(text: str) -> str:
    """Text inside single quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def all_create_statements() -> list[str]:
    """DDL of all raw tables, as the first migration froze it."""
    return [statement for model in MODELS for statement in create_statements(model)]
