"""The envelope: one CloudEvents 1.0 event in structured JSON mode, with one of the data models inside."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from schemas.fields import Extensions, Model, Timestamp
from schemas.reject import Reason

MAX_BYTES = 65_536
"""The greatest value of a record, in bytes."""

EventId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\u0000-\u001f\u007f-\u009f]+$")]
"""No controls. The pattern is read by pydantic, by ECMAScript and by Python, as JSON Schemas are."""
Source = Annotated[str, Field(min_length=1, max_length=256)]


class EventData(Model):
    """What every `data` object has. A subclass is the only source of its JSON Schema, its columns and its policy.

    The class variables say where the event lives: `type` of the CloudEvent, `stream` (the Kafka topic), `table` (the
    ClickHouse view of its current records), `entity` (the field that the record belongs to), `keyed_by` (the field that
    is the Kafka key; None where it is the entity) and `minute` (the time that never changes for an entity and by whose
    minute its rows are kept and recomputed; None where they are kept and recomputed by entity)."""

    type: ClassVar[str]
    stream: ClassVar[str]
    table: ClassVar[str]
    entity: ClassVar[str]
    keyed_by: ClassVar[str | None] = None
    minute: ClassVar[str | None] = None

    @classmethod
    def key_field(cls) -> str:
        """The field whose value is the record's Kafka key, so that what belongs together stays in order."""
        return cls.keyed_by or cls.entity

    @classmethod
    def conflicts(cls, _data: Mapping[str, Any]) -> Iterator[tuple[Reason, str]]:
        """Rules between fields, judged on data that other rules may have refused already: (reason, detail)."""
        yield from ()

    extensions: Extensions | None = Field(None, description="What the vendor adds, compact JSON of at most 4 KiB")


class Event(BaseModel):
    """Identity is (type, source, id); `time` is when the event became true. Unknown attributes are accepted."""

    model_config = ConfigDict(strict=True, extra="ignore")

    specversion: Literal["1.0"] = Field(description="CloudEvents version")
    id: EventId = Field(description="The event's own id, unique in its source; never the entity's")
    source: Source = Field(description="Who produced the event")
    type: str = Field(description="Type of the event")
    time: Timestamp = Field(description="When the event became true, with an offset")
    subject: JsonValue = Field(None, description="What the event is about")
    data: EventData


def envelope(model: type[EventData]) -> type[Event]:
    """The event whose data is `model`."""
    fields: dict[str, Any] = {"type": (Literal[model.type], ...), "data": (model, ...)}
    return create_model(f"{model.__name__}Event", __base__=Event, __doc__=model.__doc__, **fields)


def latest_acceptable(clock: datetime) -> datetime:
    """The greatest `time` that is not in the future: five minutes ahead of the machine's clock."""
    return clock + timedelta(minutes=5)
