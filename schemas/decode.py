"""From a record's bytes to a validated event, or to the reason why it is not accepted.

The fast road is one call of the compiled validator. Only what it refuses, and the rare text with a number that JSON
does not know, takes the second road, which judges step by step in the order of the reasons. Both roads end in the same
model, so they accept the same events with the same values (a property test holds them to it).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.catalogue import ENVELOPES, EVENT_TYPES
from schemas.event import MAX_BYTES, Event, EventData, EventId, Source
from schemas.fields import Identifier, Personal, Timestamp, Verbatim, annotations_of, normalised
from schemas.reject import Reason, Rejection

_ATTRIBUTES: Final = ("specversion", "id", "source", "type")
_ORDER: Final = list(Reason)
_DETAIL_MAX: Final = 500
_DIGITS_OF_A_PHONE: Final = 7


class Decoder:
    """Reads the events of one topic, or of any topic when `topic` is None (the gateway does not know it yet)."""

    def __init__(self, topic: str | None) -> None:
        self._topic = topic
        types = [kind for kind, model in EVENT_TYPES.items() if topic in (None, model.stream)]
        if not types:
            raise ValueError(f"topic {topic} carries no event type: use one of the topics of the event catalogue")
        self._validate = _validator(types)

    def decode(self, raw: bytes | None, latest: datetime) -> Event | Rejection:
        """The event in `raw`, or why there is none.

        :param latest: the greatest acceptable `time`; what is later is in the future.
        """
        event = self.validated(raw)
        if event is not None and event.time <= latest:
            return event
        return self._judge(raw, latest)

    def validated(self, raw: bytes | None) -> Event | None:
        """The fast road alone, which knows no clock: the event in `raw`, or None where only `decode` can tell."""
        # a letter is found in a fraction of the time that a word takes, and hardly any record has an N or an I
        if raw is None or len(raw) > MAX_BYTES:
            return None
        if (b"N" in raw and b"NaN" in raw) or (b"I" in raw and b"Infinity" in raw):
            return None
        try:
            return self._validate(raw)
        except ValidationError:
            return None

    def _judge(self, raw: bytes | None, latest: datetime) -> Event | Rejection:
        if raw is not None and len(raw) > MAX_BYTES:
            return Rejection(Reason.TOO_LARGE, f": the record has {len(raw)} bytes, at most {MAX_BYTES} are accepted")
        parsed = _parse(raw)
        if isinstance(parsed, Rejection):
            return parsed
        if not isinstance(parsed, dict):
            return Rejection(Reason.NOT_CLOUDEVENT, ": the root should be an object")
        readable = _readable(parsed)
        reason, detail = self._judge_envelope(parsed, latest) or (None, "")
        if reason is None:
            reason, outcome = _judge_data(parsed)
            if reason is None:
                assert isinstance(outcome, Event)
                return outcome
            detail = str(outcome)
        return Rejection(reason, detail[:_DETAIL_MAX], *readable)

    def _judge_envelope(self, parsed: dict[str, Any], latest: datetime) -> tuple[Reason, str] | None:
        for name in _ATTRIBUTES:
            if error := _attribute_error(name, parsed):
                return Reason.NOT_CLOUDEVENT, f"/{name}: {error}"
        model = EVENT_TYPES.get(parsed["type"])
        if model is None:
            return Reason.UNKNOWN_TYPE, "/type: should be one of the published event types"
        if self._topic not in (None, model.stream):
            return Reason.WRONG_TOPIC, f"/type: belongs on topic {model.stream}"
        for name in ("time", "data"):
            if name not in parsed:
                return Reason.MISSING_FIELD, f"/{name}: Field required"
        try:
            moment = _TIME.validate_python(parsed["time"])
        except ValidationError as error:
            return Reason.BAD_VALUE, f"/time: {error.errors()[0]['msg']}"
        if not isinstance(parsed["data"], dict):
            return Reason.BAD_VALUE, "/data: should be an object"
        if moment > latest:
            return Reason.FUTURE_TIME, "/time: is more than 5 minutes ahead of the clock"
        return None


def _validator(types: list[str]) -> Callable[[bytes], Event]:
    envelopes = [ENVELOPES[kind] for kind in types]
    if len(envelopes) == 1:
        return envelopes[0].__pydantic_validator__.validate_json
    union: Any = envelopes[0]
    for other in envelopes[1:]:
        union = union | other
    adapter: TypeAdapter[Event] = TypeAdapter(Annotated[union, Field(discriminator="type")])
    return adapter.validator.validate_json


_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(Timestamp)


def _parse(raw: bytes | None) -> Any:
    """The JSON value in `raw`, or a rejection: stricter than the standard library, which takes NaN and surrogates."""
    if not raw:
        return Rejection(Reason.NOT_JSON, ": the record is empty")
    try:
        text = raw.decode()
        parsed = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeError:
        return Rejection(Reason.NOT_JSON, ": the record is not UTF-8")
    except json.JSONDecodeError as error:
        return Rejection(Reason.NOT_JSON, f": {error.msg} at character {error.pos}")
    except (ValueError, RecursionError) as error:
        return Rejection(Reason.NOT_JSON, f": {str(error)[:100]}")
    return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _attribute_error(name: str, parsed: Mapping[str, Any]) -> str | None:
    if name not in parsed:
        return "Field required"
    value = parsed[name]
    if not isinstance(value, str) or not value:
        return "should be a string that is not empty"
    if name == "type":
        return None
    try:
        _ATTRIBUTE[name].validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["msg"]
    return None


_ATTRIBUTE: Final[dict[str, TypeAdapter[Any]]] = {
    "specversion": TypeAdapter(Literal["1.0"]),
    "id": TypeAdapter(EventId),
    "source": TypeAdapter(Source),
}


def _readable(parsed: Mapping[str, Any]) -> tuple[str, str, str]:
    """source, id and type as far as they are strings, cut to 256 characters and without controls."""

    def cut(value: object) -> str:
        return "".join(filter(str.isprintable, value[:256])) if isinstance(value, str) else ""

    return cut(parsed.get("source")), cut(parsed.get("id")), cut(parsed.get("type"))


def _judge_data(parsed: dict[str, Any]) -> tuple[Reason | None, Event | str]:
    """Validates again with all strings of `data` in NFC, as only that makes ASCII of some ids, and sorts the errors."""
    kind: str = parsed["type"]
    model = EVENT_TYPES[kind]
    attributes = {name: parsed[name] for name in (*_ATTRIBUTES, "time", "subject") if name in parsed}
    try:
        data = {
            name: _in_nfc(value) if name not in _VERBATIM[kind] else value for name, value in parsed["data"].items()
        }
        text = json.dumps(attributes | {"data": data}, ensure_ascii=False).encode()
        return None, ENVELOPES[kind].__pydantic_validator__.validate_json(text)
    except RecursionError:
        return Reason.NOT_JSON, ": nested too deep"
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return Reason.NOT_JSON, f": {errors[0]['msg']}"
    judged = [_judged(model, one) for one in _distinct(errors)] + list(model.conflicts(parsed["data"]))
    return min(judged, key=lambda one: _ORDER.index(one[0]))


def _distinct(errors: list[ErrorDetails]) -> Iterable[ErrorDetails]:
    """The first error of each kind at each field, whatever its place in a list: an event can have 40 000 errors."""
    found: dict[object, ErrorDetails] = {}
    for one in errors:
        found.setdefault((one["type"], *(step if isinstance(step, str) else 0 for step in one["loc"])), one)
    return found.values()


_VERBATIM: Final = {
    kind: {
        name
        for name, field in model.model_fields.items()
        if any(isinstance(one, Verbatim) for one in annotations_of(field.annotation, field.metadata))
    }
    for kind, model in EVENT_TYPES.items()
}
"""Fields of each type that are taken as they are."""


def _in_nfc(value: Any) -> Any:
    if isinstance(value, str):
        return normalised(value)
    if isinstance(value, list):
        return [_in_nfc(item) for item in value]
    if isinstance(value, dict):
        return {key: _in_nfc(item) for key, item in value.items()}
    return value


def _judged(model: type[EventData], error: ErrorDetails) -> tuple[Reason, str]:
    location = error["loc"]
    metadata, path = _walk(model, location[location.index("data") + 1 :] if "data" in location else ())
    detail = f"{path}: {error['msg']}"
    if error["type"] == "extra_forbidden":
        return Reason.UNKNOWN_FIELD, f"{path}: the field is not known; what a vendor adds goes in extensions"
    if error["type"] == "missing":
        return Reason.MISSING_FIELD, detail
    if error["type"] == "bad_identifier" or (
        any(isinstance(one, Identifier) for one in metadata) and Identifier.explains(error["type"])
    ):
        return Reason.BAD_IDENTIFIER, detail
    return Reason.BAD_VALUE, detail


def _walk(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[list[Any], str]:
    """The annotations of the field at `location`, and its JSON pointer, which ends where personal data begins
    with a name that the model does not know: that name may itself be a person's."""
    pointer = "/data"
    metadata: list[Any] = []
    current: type[BaseModel] | None = model
    personal = False
    for step in location:
        if isinstance(step, int) or current is None:
            pointer += f"/{_escape(step)}"
            continue
        known = {field.alias or name: field for name, field in current.model_fields.items()}
        if step not in known:
            # a name that looks like no field may be a person's or a phone
            return [], pointer if personal or _may_be_personal(step) else f"{pointer}/{_escape(step)}"
        pointer += f"/{_escape(step)}"
        field = known[step]
        metadata = list(annotations_of(field.annotation, field.metadata))
        personal = personal or any(isinstance(one, Personal) for one in metadata)
        current = next((one for one in metadata if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return metadata, pointer


def _may_be_personal(name: str) -> bool:
    return not name.isascii() or sum(map(str.isdigit, name)) >= _DIGITS_OF_A_PHONE


def _escape(step: int | str) -> str:
    return str(step)[:64].replace("~", "~0").replace("/", "~1")
