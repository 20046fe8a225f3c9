"""What stands in an event, field by field, in words for people: from its JSON Schema, with code between backticks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from schemas.fields import annotations_of
from schemas.towns import TOWNS


class Field(NamedTuple):
    """One field: its name with dots before what is inside, whether it has to be there, what value it has, and what that
    means."""

    name: str
    required: bool
    value: str
    meaning: str


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[Field]:
    """The fields of a model, each followed by those inside of it, `extensions` at the end."""
    schema = model.model_json_schema()
    inner = _nested(model)
    required = set(schema.get("required", ()))
    for name in sorted(schema["properties"], key=lambda name: name == "extensions"):
        one = schema["properties"][name]
        meaning = one.get("description", "").replace(", UTC", "")
        yield Field(prefix + name, name in required, _words(one), meaning)
        if name in inner:
            yield from fields(inner[name], f"{prefix}{name}.")


def codes(values: Iterable[Any]) -> str:
    """Values between backticks, with commas."""
    return ", ".join(f"`{value}`" for value in values)


def _words(schema: Mapping[str, Any]) -> str:
    """What a value has to be."""
    known = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if known:
        return _words(known[0])
    if "enum" in schema:
        return "one of the 23 town codes" if schema["enum"] == list(TOWNS) else codes(schema["enum"])
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
        return {64: "id", 18: "credit code"}.get(schema.get("maxLength", 0), "`HH:MM`")
    return f"text, {schema['minLength']} to {schema['maxLength']} characters" if "maxLength" in schema else "text"


def _number(schema: Mapping[str, Any]) -> str:
    kind = "integer" if schema["type"] == "integer" else "number"
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind}, {low} or more" if high == 2**31 - 1 else f"{kind}, {low} to {high}"


def _nested(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Models of objects inside the model, by field."""
    found = {}
    for name, field in model.model_fields.items():
        for one in annotations_of(field.annotation, field.metadata):
            if isinstance(one, type) and issubclass(one, BaseModel):
                found[field.alias or name] = one
    return found
