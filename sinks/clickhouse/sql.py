"""Small pieces of SQL that several views and statements share."""

from collections.abc import Iterable
from typing import Final

from schemas.columns import TableColumn
from sinks.clickhouse.raw import DATABASE, quoted

MOMENT: Final = "DateTime64(6, 'Asia/Shanghai')"
"""How views show a moment."""


def shown(expression: str, kind: str) -> str:
    """A stored column as views show it: moments in Asia/Shanghai, everything else as it is."""
    return f"toTimeZone({expression}, 'Asia/Shanghai')" if "DateTime64" in kind else expression


def create_view(name: str, columns: Iterable[TableColumn], body: str, comment: str) -> str:
    """CREATE statement of a view whose columns have types and comments."""
    lines = ",\n".join(f"    `{one.name}` {one.type} COMMENT '{quoted(one.comment)}'" for one in columns)
    head = f"CREATE OR REPLACE VIEW {DATABASE}.{name} {{on_cluster}} (\n{lines}\n)"
    # analysts may read the view and not the tables beneath it, so it reads them with the rights of who made it
    security = "DEFINER = CURRENT_USER SQL SECURITY DEFINER"
    return f"{head}\n{security}\nAS {body}\nCOMMENT '{quoted(comment)}'"


def in_list(values: Iterable[str]) -> str:
    """Strings as they stand behind IN, in order. Long lists belong into the statement: parameters travel in the address
    of the request, which servers keep short."""
    return "(" + ", ".join(f"'{quoted(one)}'" for one in sorted(values)) + ")"


def first_minute(moment: str) -> str:
    """The first minute boundary after a moment: from it on, what happened then is before."""
    return f"(toStartOfMinute({moment}) + INTERVAL 1 MINUTE)"
