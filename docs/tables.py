"""Writes the tables of these pages that the code knows: `python docs/tables.py` from the root of the repository.

A page has `<!-- table: NAME -->` before such a table and `<!-- end -->` after it. A test holds the pages to it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from pipeline.embedded.clickhouse_config import PUBLIC_NAMES
from pipeline.settings import Settings
from schemas.catalogue import MODELS
from schemas.event import EventData
from schemas.fields import annotations_of
from schemas.findings import FINDINGS
from schemas.indicators import INDICATORS, Indicator
from schemas.towns import TOWNS
from sinks.clickhouse.views import views

PAGES: Final = Path(__file__).parent
_BLOCK: Final = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COLUMN: Final = re.compile(r"^    `(\w+)` (.+) COMMENT '(.*?)',?$", re.MULTILINE)
_COMMENT: Final = re.compile(r"\nCOMMENT '(.*)'$")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _codes(values: Iterable[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _words(schema: Mapping[str, Any]) -> str:
    """What a value has to be, in words, from its JSON Schema."""
    known = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if known:
        return _words(known[0])
    if "enum" in schema:
        return "one of the 23 [town codes](#towns)" if schema["enum"] == list(TOWNS) else _codes(schema["enum"])
    if "$ref" in schema:
        return "object"
    if schema["type"] == "array":
        inner = _words(schema["items"])
        return f"list of {'objects' if inner == 'object' else inner}"
    simple = {"boolean": "true or false", "object": "object"}
    return simple.get(schema["type"]) or (_text if schema["type"] == "string" else _number)(schema)


def _text(schema: Mapping[str, Any]) -> str:
    formats = {"date-time": "time with offset", "date": "date `YYYY-MM-DD`"}
    if "format" in schema:
        return formats[schema["format"]]
    if "pattern" in schema:
        return "id" if schema.get("maxLength") == 64 else "`HH:MM`"
    return f"text, {schema['minLength']} to {schema['maxLength']} characters" if "maxLength" in schema else "text"


def _number(schema: Mapping[str, Any]) -> str:
    kind = "integer" if schema["type"] == "integer" else "number"
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind}, {low} or more" if high == 2**31 - 1 else f"{kind}, {low} to {high}"


def _fields(model: type[BaseModel], prefix: str = "") -> Iterable[Sequence[str]]:
    schema = model.model_json_schema()
    inner = _nested(model)
    required = set(schema.get("required", ()))
    names = sorted(schema["properties"], key=lambda name: name == "extensions")
    for name in names:
        one = schema["properties"][name]
        mark = "yes" if name in required else ""
        yield f"`{prefix}{name}`", mark, _words(one), one.get("description", "").replace(", UTC", "")
        if name in inner:
            yield from _fields(inner[name], f"{prefix}{name}.")


def _nested(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Models of objects inside the model, by field."""
    found = {}
    for name, field in model.model_fields.items():
        for one in annotations_of(field.annotation, field.metadata):
            if isinstance(one, type) and issubclass(one, BaseModel):
                found[field.alias or name] = one
    return found


def event(model: type[EventData]) -> str:
    """Fields of one event type's `data`."""
    return _table(("field", "required", "value", "meaning"), _fields(model))


def types() -> str:
    """All event types."""
    return _table(
        ("topic", "type", "key", "one event says"),
        (
            (f"`{one.stream}`", f"[`{one.type}`](#{one.__name__.lower()})", f"`{one.entity}`", _first_line(one))
            for one in MODELS
        ),
    )


def _first_line(model: type[EventData]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0].rstrip(".")


def findings() -> str:
    """What cameras can find."""
    return _table(
        ("finding", "中文", "severity", "vendors' words and codes"),
        ((f"`{one.code}`", one.label, one.severity, _codes(one.aliases)) for one in FINDINGS),
    )


def towns() -> str:
    """The towns."""
    return _table(("code", "名称"), ((f"`{one.town_code}`", one.name + one.kind) for one in TOWNS.values()))


def _target(one: Indicator) -> str:
    if not one.target or one.comparator is None:
        return "shown only"
    latest = max(one.target, key=lambda dated: dated.from_)
    return f"{one.comparator} {latest.value:.2f}" + (" (local)" if one.local_target else "")


def indicators() -> str:
    """The catalogue."""
    rows = (
        (
            f"`{one.code}`<br>{one.name_zh}",
            one.kind,
            one.words,
            _target(one),
            ", ".join(one.windows),
            ", ".join(one.scopes),
        )
        for one in INDICATORS
    )
    return _table(("indicator", "kind", "definition", "target", "windows", "scopes"), rows)


def view(name: str) -> str:
    """Columns of one public view."""
    rows = [(f"`{column}`", f"`{kind}`", comment.replace("\\'", "'")) for column, kind, comment in columns(name)]
    return _table(("column", "type", "meaning"), rows)


def columns(name: str) -> list[tuple[str, str, str]]:
    """Name, type and comment of a view's columns."""
    return _COLUMN.findall(views()[name].partition("\n) AS")[0])


def dictionary() -> str:
    """All public views with their columns."""
    parts = []
    for name in PUBLIC_NAMES:
        if name in views():
            comment = _COMMENT.search(views()[name])
            parts.append(f"## {name}\n\n{comment[1] if comment else ''}.\n\n{view(name)}")
    return "\n".join(parts)


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
