"""Asking ClickHouse as the analyst, for commands that show what it answers."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.settings import Settings
from sinks.clickhouse.client import brief, connect

_TOO_MUCH: Final = (158, 159, 160, 241, 396)
"""Codes of ClickHouse: rows, time, memory or result of one query exceed their limits."""


def query(settings: Settings, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows by column name, read as the analyst. Raises click.ClickException where that fails."""
    address = settings.analyst
    try:
        client = connect(address)
        result = client.query(sql, parameters=dict(parameters))
    except (ClickHouseError, OSError) as error:
        if getattr(error, "code", None) in _TOO_MUCH:
            raise click.ClickException(
                f"that is more than one query may read ({brief(error)}): choose fewer places or a shorter time"
            ) from error
        raise click.ClickException(
            f"ClickHouse at {address.url} does not answer the question ({brief(error)}): run yangguang doctor"
        ) from error
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def conditions(chosen: Mapping[str, str | Sequence[str] | None]) -> tuple[str, dict[str, Any]]:
    """A WHERE clause with its parameters: each column that is chosen has the value, or one of the values."""
    given = {name: [value] if isinstance(value, str) else list(value) for name, value in chosen.items() if value}
    words = " AND ".join(f"`{name}` IN {{{name}:Array(String)}}" for name in given)
    return (f" WHERE {words}" if words else ""), given


def to_json(found: Any) -> str:
    """Rows or objects as JSON; moments in ISO 8601 with their offset."""
    return json.dumps(found, ensure_ascii=False, default=_plain, indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
