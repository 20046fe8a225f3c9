"""Asking ClickHouse for refused events, as the analyst, in portions that fit into memory."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.commands.questions import query
from pipeline.rejected.selection import Selection
from pipeline.settings import Settings

_PORTION: Final = 10_000


def count(settings: Settings, selection: Selection) -> int:
    """How many there are. Raises click.ClickException where ClickHouse does not answer, as all of this module."""
    where = selection.where()
    return int(query(settings, f"SELECT count() AS count FROM rejected{where.sql}", where.parameters)[0]["count"])


def rows_in_order(settings: Settings, selection: Selection) -> Iterator[dict[str, Any]]:
    """The rows of the view in the order in which their bytes came, which is about that of time."""
    where = selection.where()
    after = (-1, -1)
    while True:
        portion = query(
            settings,
            f"SELECT * FROM rejected{where.sql or ' WHERE true'}\n"
            "    AND (raw_partition, raw_offset) > ({after_partition:Int32}, {after_offset:Int64})\n"
            f"ORDER BY raw_partition, raw_offset LIMIT {_PORTION}",
            {**where.parameters, "after_partition": after[0], "after_offset": after[1]},
        )
        yield from portion
        if len(portion) < _PORTION:
            return
        after = portion[-1]["raw_partition"], portion[-1]["raw_offset"]
