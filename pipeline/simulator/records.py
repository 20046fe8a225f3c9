"""Records as they go over the wire, and the line format in which a file keeps them.

A file holds one record a line (NDJSON), in one of two forms:

- the event itself, as compact JSON. Its topic is the one that carries its `type`, its key the entity that it is about,
  and its value the bytes of the line.
- a wrapper, for what cannot stand so: a value that is not JSON or has a line break, another topic, another key or none.

      {"topic": "yangguang.seal", "key": "o-1001", "value_base64": "eyJzcGVj..."}

  `key` is a string or null, `value_base64` the exact bytes of the value (RFC 4648). An object with `value_base64` and
  without `specversion` is a wrapper. An empty value stands for a tombstone.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import orjson

from schemas.catalogue import EVENT_TYPES

_WRAPPED: Final = '{"topic": ..., "key": ..., "value_base64": ...}'

KEY_FIELDS: Final = {kind: model.key_field() for kind, model in EVENT_TYPES.items()}
"""The field of `data` that is the Kafka key, by event type."""


class Record(NamedTuple):
    """One Kafka record."""

    topic: str
    key: bytes | None
    value: bytes


class RecordError(ValueError):
    """A line of a file that is no record; the text is one sentence that says what to do."""


def topic_of(kind: str) -> str | None:
    """The topic that carries this event type; None for a type that is not published."""
    model = EVENT_TYPES.get(kind)
    return None if model is None else model.stream


def key_of(event: dict[str, Any]) -> bytes | None:
    """The Kafka key of a parsed event: its entity, or None where that cannot be read."""
    data = event.get("data")
    kind = event.get("type")
    if not isinstance(data, dict) or not isinstance(kind, str):
        return None
    value = data.get(KEY_FIELDS.get(kind, ""))
    return value.encode("utf-8", "replace") if isinstance(value, str) and value else None


def read_records(lines: Iterable[bytes], topic: str | None = None) -> Iterator[Record]:
    """The records of a file that is opened in binary mode; blank lines are skipped.

    :param topic: where to send lines that do not say where they belong. Without it they are refused.

    Raises RecordError, with the number of the line, for a line that is neither an event of a published type nor a
    wrapper, unless `topic` is given.
    """
    for number, line in enumerate(lines, start=1):
        value = line.rstrip(b"\r\n")
        if value.strip():
            yield read_record(value, number, topic)


def read_record(value: bytes, number: int, topic: str | None = None) -> Record:
    """The record of one line without its end. Raises RecordError as `read_records` does."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        if topic is not None:
            return Record(topic, None, value)
        raise RecordError(f"line {number} is not JSON ({error}): correct it, or wrap it as {_WRAPPED}") from None
    if isinstance(parsed, dict):
        if "value_base64" in parsed and "specversion" not in parsed:
            return _unwrap(parsed, number)
        kind = parsed.get("type")
        derived = topic_of(kind) if isinstance(kind, str) else None
        if derived is not None:
            return Record(derived, key_of(parsed), value)
    if topic is not None:
        return Record(topic, None, value)
    raise RecordError(
        f"line {number} is no event of a published type, so its topic is not known: correct its type, "
        f"name a topic, or wrap it as {_WRAPPED}"
    )


def _unwrap(wrapper: dict[str, Any], number: int) -> Record:
    topic, key, coded = wrapper.get("topic"), wrapper.get("key"), wrapper["value_base64"]
    if not isinstance(topic, str) or not topic or not isinstance(coded, str) or not isinstance(key, str | None):
        raise RecordError(f"line {number} is a wrapper with a wrong topic, key or value: write it as {_WRAPPED}")
    try:
        value = base64.b64decode(coded, validate=True)
    except binascii.Error as error:
        raise RecordError(f"line {number}: value_base64 is not base64 ({error}): encode the value again") from None
    return Record(topic, None if key is None else key.encode(), value)


def write_record(record: Record) -> bytes:
    """The line of a record, with its line break: the event itself where reading it back gives the same record.

    Raises UnicodeDecodeError for a key that is not UTF-8, which the format cannot hold."""
    if b"\n" not in record.value and not record.value.endswith(b"\r"):
        try:
            if read_record(record.value, 0) == record:
                return record.value + b"\n"
        except RecordError:
            pass
    key = None if record.key is None else record.key.decode()
    wrapper = {"topic": record.topic, "key": key, "value_base64": base64.b64encode(record.value).decode()}
    return orjson.dumps(wrapper) + b"\n"
