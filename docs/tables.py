"""Writes the tables of these pages that the code knows: `python docs/tables.py` from the root of the repository.

A page has `<!-- table: NAME -->` before such a table and `<!-- end -->` after it. A test holds the pages to it."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from pipeline.embedded.clickhouse_config import PUBLIC_NAMES
from pipeline.indicator_groups import groups
from pipeline.settings import Settings
from schemas.catalogue import MODELS
from schemas.event import EventData
from schemas.field_words import codes, fields
from schemas.findings import FINDINGS
from schemas.indicator import ALWAYS, Indicator
from schemas.indicators import INDICATORS
from schemas.towns import TOWNS
from sinks.clickhouse.view_columns import view_columns
from sinks.clickhouse.views import views

PAGES: Final = Path(__file__).parent
_BLOCK: Final = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMENT: Final = re.compile(r"\nCOMMENT '(.*)'$")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def event(model: type[EventData]) -> str:
    """Fields of one event type's `data`."""
    rows = (
        (
            f"`{one.name}`",
            "yes" if one.required else "",
            one.value.replace("town codes", "[town codes](#towns)"),
            one.meaning,
        )
        for one in fields(model)
    )
    return _table(("field", "required", "value", "meaning"), rows)


def types() -> str:
    """All event types."""
    return _table(
        ("topic", "type", "key", "one event says"),
        (
            (f"`{one.stream}`", f"[`{one.type}`](#{one.__name__.lower()})", f"`{one.key_field()}`", _first_line(one))
            for one in MODELS
        ),
    )


def _first_line(model: type[EventData]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0].rstrip(".")


def findings() -> str:
    """What cameras can find."""
    return _table(
        ("finding", "中文", "severity", "vendors' words and codes"),
        ((f"`{one.code}`", one.label, one.severity, codes(one.aliases)) for one in FINDINGS),
    )


def towns() -> str:
    """The towns."""
    return _table(("code", "名称"), ((f"`{one.town_code}`", one.name + one.kind) for one in TOWNS.values()))


def _number_of(one: Indicator, value: float) -> str:
    return f"{value:g}" if one.counts else f"{round(value * 100, 4):g} %"


def _target(one: Indicator) -> str:
    if not one.target or one.comparator is None:
        return "shown only"
    latest = max(one.target, key=lambda dated: dated.from_)
    return f"{one.comparator} {_number_of(one, latest.value)}" + (" (local)" if one.local_target else "")


def indicators(entries: Sequence[Indicator] = INDICATORS) -> str:
    """The catalogue, a line each."""
    rows = (
        (
            f"[`{one.code}`](indicators.md#{one.code})<br>{one.name_zh}",
            one.name_en,
            f"{one.kind}{' (number)' if one.counts else ''}",
            _target(one),
            str(one.deadline or ""),
            ", ".join(one.windows),
            ", ".join(one.scopes),
        )
        for one in entries
    )
    return _table(("indicator", "", "kind", "target", "by", "windows", "scopes"), rows)


def _since(day: date) -> str:
    return "" if day <= ALWAYS else f" from {day} on"


def _length(value: object) -> str:
    """A parameter's value: a length of time as it is written in the configuration, or a number."""
    if not isinstance(value, timedelta):
        return str(value)
    seconds = int(value.total_seconds())
    unit, name = next((unit, name) for unit, name in ((3600, "h"), (60, "m"), (1, "s")) if seconds % unit == 0)
    return f"{seconds // unit}{name}"


def _definition(one: Indicator) -> str:
    """One entry of the catalogue, with all that is derived from it."""
    denominator = "none: it is a number of units" if one.counts else "every unit that counts"
    parameters = [
        f"`{name}` = {_length(dated.value)}{_since(dated.from_)}"
        for name, several in one.values.items()
        for dated in several
    ]
    whose = "**local**" if one.local_target else "the document's"
    targets = [f"{one.comparator} {_number_of(one, dated.value)}{_since(dated.from_)}" for dated in one.target]
    latest = max((dated.from_ for dated in one.target), default=None)
    recovery = one.recovery_on(latest) if latest else None
    floor = ", ".join(f"{dated.value}{_since(dated.from_)}" for dated in one.floor)
    rows = [
        ("clause", f"{one.clause} of the 2023 work points"),
        ("kind", f"{one.kind}, {'a number' if one.counts else 'a share'}"),
        ("unit", f"{one.units.unit} (relation `{one.relation}`)"),
        ("counts", f"`{one.where}`"),
        ("numerator", f"`{one.numerator}`"),
        ("denominator", denominator),
        ("unknown", "never" if one.unknown == "false" else f"`{one.unknown}`"),
        ("parameters", "; ".join(parameters)),
        ("target", f"{'; '.join(targets)}, {whose}" if targets and one.comparator else "none: shown only"),
        ("recovery level", _number_of(one, recovery) if recovery is not None else ""),
        ("deadline", str(one.deadline or "")),
        ("windows", ", ".join(one.windows)),
        ("alerts on", ", ".join(one.alert_windows) if targets and one.comparator else ""),
        ("scopes", ", ".join(one.scopes)),
        ("settle", _length(one.settle) if one.settle else ""),
        ("floor", "" if one.counts else floor),
        ("alert after", _length(one.for_) if targets and one.comparator else ""),
        ("streams", codes(one.streams)),
        ("definition", f"version {one.definition}, valid{_since(one.definition_from) or ' always'}"),
    ]
    local = f"\n**Local assumption:** {one.assumption}\n" if one.assumption else ""
    table = _table(("", ""), [row for row in rows if row[1]])
    return f"### {one.code}\n\n**{one.name_zh}** · {one.name_en}\n\n{one.words}\n\n{table}{local}"


def catalogue(entries: Sequence[Indicator] = INDICATORS) -> str:
    """Every indicator with its whole definition, under the headings of the dashboard."""
    return "\n".join(
        f"## {group.name_en} {group.name_zh}\n\n" + "\n".join(_definition(one) for one in group.indicators)
        for group in groups(entries)
    )


def view(name: str) -> str:
    """Columns of one public view."""
    rows = [(f"`{one.name}`", f"`{one.type}`", one.comment) for one in view_columns(name)]
    return _table(("column", "type", "meaning"), rows)


def dictionary() -> str:
    """All public views with their columns."""
    parts = []
    for name in PUBLIC_NAMES:
        if name in views():
            comment = _COMMENT.search(views()[name])
            words = (comment[1] if comment else "").replace("\\'", "'")
            parts.append(f"## {name}\n\n{words}.{_asked(name)}\n\n{view(name)}")
    return "\n".join(parts)


def _asked(name: str) -> str:
    """How a view with parameters is called: with each of them, as text."""
    parameters = dict.fromkeys(re.findall(r"\{(\w+):String\}", views()[name]))
    called = f"{name}({', '.join(f'{one}={_EXAMPLES[one]}' for one in _EXAMPLES if one in parameters)})"
    return f" Asked with parameters: `SELECT * FROM {called}`." if parameters else ""


_EXAMPLES: Final = {
    "indicator": "'seal_coverage'",
    "scope": "'city'",
    "scope_id": "'330681'",
    "window": "'24h'",
    "start": "toString(now('Asia/Shanghai') - INTERVAL 7 DAY)",
    "end": "toString(now('Asia/Shanghai'))",
    "at": "toString(now('Asia/Shanghai'))",
}
"""A value for every parameter of a view, as SQL."""


def environment() -> dict[str, str]:
    """Default of every environment variable, as text."""
    return {
        f"YANGGUANG_{name.upper()}": "" if field.default in (None, "") else str(field.default)
        for name, field in Settings.model_fields.items()
    }


TABLES: Final[dict[str, Callable[[], str]]] = {
    "types": types,
    "findings": findings,
    "towns": towns,
    "indicators": indicators,
    "catalogue": catalogue,
    "dictionary": dictionary,
    **{one.type: lambda one=one: event(one) for one in MODELS},  # type: ignore[misc] # bound now, not when called
}


def filled(page: str) -> str:
    """The page with its tables as the code has them."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", page)


def main() -> None:
    """Rewrites the pages."""
    for path in PAGES.glob("*.md"):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
