"""Refused events for those who sent them: which, when and why, without payloads. Pure."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final, Literal

from pipeline.rejected.selection import OWN_COLUMNS

Format = Literal["csv", "ndjson"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "ndjson")
_SUFFIXES: Final[dict[str, Format]] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet begins to calculate."""


def format_of(file: str) -> Format | None:
    """The form that a file's name says; NDJSON for standard output."""
    return "ndjson" if file == "-" else _SUFFIXES.get(PurePath(file).suffix.lower())


def written(rows: Iterable[Mapping[str, Any]], form: Format) -> Iterator[str]:
    """The lines of the file: of CSV (RFC 4180) the names of the columns first.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe before it; in NDJSON all is exact."""
    if form == "csv":
        yield _line(OWN_COLUMNS)
    for row in rows:
        values = {name: _moment(row[name]) for name in OWN_COLUMNS}
        yield _line(values.values()) if form == "csv" else json.dumps(values, ensure_ascii=False) + "\n"


def _moment(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(
        f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value for value in values
    )
    return line.getvalue()
