"""JSON Schemas of the events, made from their models: one document a type, or the parts of all under common names.

They describe events as the decoder looks at them: strings of `data` trimmed and in NFC. What no JSON Schema can say
(the clock, check characters, more sealed packages than packages, bytes of extensions, 3.0 for 3) only the decoder
tells."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.catalogue import ENVELOPES, EVENT_TYPES
from schemas.examples import example

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TRIMMED: Final = (
    "The rules hold for strings of `data` after they are trimmed and brought to Unicode NFC. "
    "What the schema cannot say is still judged: times lie in the years 2000 to 2299, `time` at most 5 minutes ahead "
    "of the clock; check characters are right; `extensions` have at most 4096 bytes, an event 65536; 3.0 is no integer."
)


def event_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one event type, complete in itself, with its example. Raises KeyError for no event type."""
    made = ENVELOPES[kind].model_json_schema()
    described = {"description": f"{made['description']} {_TRIMMED}", "examples": [example(kind)]}
    return {"$schema": DIALECT, **made, **described}


def event_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every event type."""
    return {kind: event_schema(kind) for kind in ENVELOPES}


def parts(reference: str, *others: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The schemas of all events, of what they are made of and of other models, each under its name.

    :param reference: what stands before a name where one schema refers to another, such as `#/components/schemas/`.
    """
    wanted = [(model, "validation") for model in (*ENVELOPES.values(), *others)]
    _, made = models_json_schema(wanted, ref_template=reference + "{model}")  # type: ignore[arg-type] # a list of pairs
    found: dict[str, dict[str, Any]] = made["$defs"]
    return found


def envelope_part(kind: str) -> str:
    """The name of an event type's schema among `parts`."""
    return ENVELOPES[kind].__name__


def data_part(kind: str) -> str:
    """The name of the schema of an event type's `data` among `parts`."""
    return EVENT_TYPES[kind].__name__
