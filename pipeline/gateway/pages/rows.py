"""JSON Schemas of the rows that the gateway shows of ClickHouse, from the columns of the views."""

from collections.abc import Collection
from typing import Any, Final

from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.datatypes.container import Array, Tuple
from clickhouse_connect.datatypes.registry import get_from_name

from sinks.clickhouse.view_columns import view_columns

Schema = dict[str, Any]

_SIMPLE: Final[dict[str, Schema]] = {
    "String": {"type": "string"},
    "Bool": {"type": "boolean"},
    "Date": {"type": "string", "format": "date"},
    "Date32": {"type": "string", "format": "date"},
    "DateTime64": {"type": "string", "format": "date-time"},
    "Float64": {"type": "number"},
    **{f"Int{bits}": {"type": "integer"} for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": {"type": "integer", "minimum": 0} for bits in (8, 16, 32, 64)},
}
"""What a value of a type is in JSON."""


def row_schema(view: str, names: Collection[str] | None = None) -> Schema:
    """One row of a view: every column, or those named, under its name, with its comment. Raises ValueError for a type
    that has no form in JSON yet."""
    columns = [one for one in view_columns(view) if names is None or one.name in names]
    return {
        "type": "object",
        "properties": {one.name: _schema(get_from_name(one.type)) | {"description": one.comment} for one in columns},
        "required": [one.name for one in columns],
    }


def _schema(kind: ClickHouseType) -> Schema:
    made = _not_null(kind)
    return made | {"type": [made["type"], "null"]} if kind.nullable else made


def _not_null(kind: ClickHouseType) -> Schema:
    if isinstance(kind, Array):
        return {"type": "array", "items": _schema(kind.element_type)}
    if isinstance(kind, Tuple):
        parts = dict(zip(kind.element_names, map(_schema, kind.element_types), strict=True))
        return {"type": "object", "properties": parts, "required": list(parts)}
    simple = _SIMPLE.get(kind.base_type or "")
    if simple is None:
        raise ValueError(f"a column of type {kind.name} has no JSON Schema yet: add it to pipeline.gateway.pages.rows")
    return dict(simple)
