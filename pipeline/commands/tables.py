"""Rates and alerts as tables for people: counts beside every share, the target beside every count."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.indicator import percent
from schemas.indicators import CATALOGUE
from schemas.places import place_label

Row = Mapping[str, Any]

STYLES: Final = {
    "ok": "green",
    "below": "bold red",
    "low_sample": "yellow",
    "no_activity": "dim",
    "no_data": "yellow",
    "stale": "magenta",
    "error": "bold red",
    "firing": "bold red",
    "pending": "yellow",
    "resolved": "green",
}
SIGNS: Final = {">=": "≥", "<=": "≤"}
_WIDTH_IN_A_FILE: Final = 200
_NUMBERS: Final = ("rate", "counted", "unknown", "target")
_RATES: Final = ("window", "rate", "counted", "unknown", "target", "status")


def paper() -> Console:
    """Where tables are printed: as wide as the terminal, and without one as wide as they need."""
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_IN_A_FILE
    return console


def printable(text: str) -> str:
    """A text that may come from anybody, without what would steer the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def cell(text: object) -> Text:
    """Such a text in a table: no markup is read in it."""
    return Text(printable(str(text)))


def is_count(code: str) -> bool:
    """Whether an indicator is a number of units and not a share; one that the catalogue lacks is taken for a share."""
    return code in CATALOGUE and CATALOGUE[code].counts


def shown_rate(code: str, rate: float | None) -> str:
    """A share in percent, a count as a number."""
    return "-" if rate is None else f"{rate:g}" if is_count(code) else percent(rate)


def shown_target(code: str, target: float | None, comparator: str = "") -> str:
    """A target with its sign; nothing where there is none."""
    if target is None:
        return ""
    number = f"{target:g}" if is_count(code) else f"{round(target * 100, 4):g}%"
    return SIGNS.get(comparator, "") + number


def shown_counts(row: Row) -> str:
    """Numerator and denominator; of a count what it is measured by: `83 of 14`."""
    if not is_count(row["indicator"]):
        return f"{row['numerator']}/{row['denominator']}"
    target = row.get("target")
    if target is None:
        return str(row["numerator"])
    between = ", at most " if CATALOGUE[row["indicator"]].comparator == "<=" else " of "
    return f"{row['numerator']}{between}{target:g}"


def _table(title: str | None, headings: Sequence[str]) -> Table:
    """A table that fits 80 columns: numbers to the right, nothing broken over lines."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    return table


def rates_table(rows: Sequence[Row]) -> Table:
    """Rows as people read them; the place is the title where it is the same everywhere."""
    if len({row["scope_id"] for row in rows}) == 1:
        return grouped_rates([(None, rows)], place_label(rows[0]["scope"], rows[0]["scope_id"]))
    table = _table(None, ("indicator", "place", *_RATES))
    for row in rows:
        table.add_row(row["indicator"], place_label(row["scope"], row["scope_id"]), *_rate_cells(row))
    return _dated(table, rows)


def grouped_rates(parts: Sequence[tuple[str | None, Sequence[Row]]], title: str) -> Table:
    """Rows of one place, which the title names, under headings."""
    table = _table(title, ("indicator", *_RATES))
    for heading, rows in parts:
        if heading and rows:
            table.add_row(Text(heading, "bold"))
        for row in rows:
            table.add_row(row["indicator"], *_rate_cells(row))
    return _dated(table, [row for _, rows in parts for row in rows])


def _dated(table: Table, rows: Sequence[Row]) -> Table:
    moments = {row["as_of"] for row in rows} - {None}
    if moments:
        table.caption = f"as of {min(moments):%Y-%m-%d %H:%M}" + (" and later" if len(moments) > 1 else "")
        table.caption_justify = "left"
    return table


def _rate_cells(row: Row) -> list[str | Text]:
    return [
        row["window"],
        shown_rate(row["indicator"], row["rate"]),
        shown_counts(row),
        str(row["unknown"]),
        shown_target(row["indicator"], row["target"], row["comparator"]),
        Text(row["status"], STYLES.get(row["status"], "")),
    ]


def between_table(rows: Sequence[Row]) -> Table:
    """Rates between two moments, which have neither target nor status."""
    table = _table(None, ("indicator", "place", "rate", "counted", "unknown"))
    for row in rows:
        table.add_row(
            row["indicator"],
            place_label(row["scope"], row["scope_id"]),
            shown_rate(row["indicator"], row["rate"]),
            shown_counts(row),
            str(row["unknown"]),
        )
    return table


def alerts_table(rows: Sequence[Row], title: str | None = None, *, named: bool = False) -> Table:
    """Alerts as people read them.

    :param named: with the id that `ack`, `silence` and `show` want, never cut short."""
    table = _table(title, ("alert", "place", "window", "state", "since", "rate", "counted", "target"))
    if named:
        table.add_column("id", overflow="fold")
    for row in rows:
        counted = is_count(row["indicator"]) or row["denominator"]
        table.add_row(
            row["indicator"],
            cell(place_label(row["scope"], row["scope_id"])),
            row["window"],
            Text(row["state"], STYLES.get(row["state"], "")),
            row["since"].strftime("%m-%d %H:%M"),
            shown_rate(row["indicator"], row["rate"]),
            shown_counts(row) if counted else "",
            shown_target(row["indicator"], row["target"]),
            *([printable(row["alert_id"])] if named else []),
        )
    return table
