"""The columns of the public views, read off the statements that make them."""

import re
from typing import Final

from schemas.columns import TableColumn
from sinks.clickhouse.views import views

_COLUMN: Final = re.compile(r"^    `(\w+)` (.+) COMMENT '(.*?)',?$", re.MULTILINE)


def view_columns(name: str) -> list[TableColumn]:
    """Name, type and comment of a view's columns, in their order. Raises KeyError for what is no view."""
    declared = _COLUMN.findall(views()[name].partition("\n) AS")[0])
    return [TableColumn(column, kind, comment.replace("\\'", "'")) for column, kind, comment in declared]
