"""From models to columns: what a table of one event type holds, and how a block of events becomes its columns.

The rows of a block are tuples of validated values in the model's order, then the envelope's; everything else is done
per column. Personal data leaves this module only as masked forms and tokens.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from pydantic.fields import FieldInfo

from schemas.event import Event, EventData
from schemas.fields import Alias, Column, Personal, PersonalWhen, annotations_of, microseconds
from schemas.personal import Masked, Tokeniser, mask_name
from schemas.registry import Operator, Person, license_warning

Values = list[Any]
Row = tuple[Any, ...]
Kind = TypeVar("Kind")


class TableColumn(NamedTuple):
    """One column of a raw table: name, ClickHouse type, and the comment that analysts read."""

    name: str
    type: str
    comment: str


ENVELOPE_COLUMNS: Final = (
    TableColumn("event_id", "String", "Id of the event, unique in its source"),
    TableColumn("source", "LowCardinality(String)", "Producer of the event"),
    TableColumn("event_time", "DateTime64(6, 'UTC')", "When the event became true, UTC"),
    TableColumn("subject", "String", "Subject of the event, empty where none was given"),
)
LANDED_AT: Final = TableColumn("landed_at", "DateTime64(6, 'UTC')", "When the event was stored, UTC")


class BlockEncoder:
    """Turns events of one type into the columns of its raw table.

    `columns` are the table's data columns, then the envelope's, in the order in which `encode` gives them.
    """

    def __init__(self, model: type[EventData], tokeniser: Tokeniser) -> None:
        self.model = model
        self._fields = [_Field(name, field, tokeniser) for name, field in model.model_fields.items()]
        self.columns: tuple[TableColumn, ...] = table_columns(model)

    @staticmethod
    def row(event: Event) -> Row:
        """The event's values, data first, its time in microseconds since 1970 UTC. The event can be dropped then."""
        return (*event.data.__dict__.values(), event.id, event.source, microseconds(event.time), event.subject)

    def encode(self, rows: Sequence[Row]) -> list[Values]:
        """The rows as columns, in the order of `columns`."""
        raw = [list(values) for values in zip(*rows, strict=True)]
        by_name = dict(zip(self.model.model_fields, raw, strict=False))
        encoded = [values for field in self._fields for values in field.encode(by_name)]
        ids, sources, times, subjects = raw[len(self._fields) :]
        if self.model is Operator:
            licences = zip(by_name["license_kind"], by_name["license_no"], strict=True)
            encoded.append([license_warning(*licence) for licence in licences])
        return [
            *encoded,
            ids,
            sources,
            times,
            [subject if isinstance(subject, str) else "" for subject in subjects],
        ]


def table_columns(model: type[EventData]) -> tuple[TableColumn, ...]:
    """The columns of the model's raw table but `landed_at`: data, then envelope."""
    data = [column for name, field in model.model_fields.items() for column in _columns_of(name, field)]
    if model is Operator:
        data.append(TableColumn("license_warning", "Bool", "The licence number's check digit is wrong"))
    return (*data, *ENVELOPE_COLUMNS)


def _declared(field: FieldInfo, kind: type[Kind]) -> Kind | None:
    """The outermost annotation of that kind, or None."""
    for one in annotations_of(field.annotation, reversed(field.metadata)):
        if isinstance(one, kind):
            return one
    return None


def _columns_of(name: str, field: FieldInfo) -> Iterable[TableColumn]:
    comment = field.description or name
    if _declared(field, Personal):
        for suffix in Masked._fields:
            yield TableColumn(f"{name}_{suffix}", "Nullable(String)", f"{comment}: {suffix.replace('_', ', ')}")
        return
    column = _declared(field, Column)
    assert column is not None, f"field {name} declares no column"
    yield TableColumn(name, column.type if field.is_required() else nullable(column.type), comment)
    if _declared(field, Alias):
        yield TableColumn(f"{name}_reported", "String", f"{comment}; the word as it was reported")


def nullable(type_name: str) -> str:
    """The ClickHouse type that also holds NULL; an array has none and is empty instead."""
    if type_name.startswith("Array("):
        return type_name
    if type_name.startswith("LowCardinality("):
        return f"LowCardinality(Nullable({type_name[len('LowCardinality(') : -1]}))"
    return f"Nullable({type_name})"


class _Field:
    """How one field of a model becomes its columns."""

    def __init__(self, name: str, field: FieldInfo, tokeniser: Tokeniser) -> None:
        self._name = name
        self._tokeniser = tokeniser
        column = _declared(field, Column)
        self._encode = column.encode if column else None
        self._array = column is not None and column.type.startswith("Array(")
        self._optional = not field.is_required()
        self._person = _declared(field, Personal) is not None
        self._alias = _declared(field, Alias)
        self._personal_when = _declared(field, PersonalWhen)

    def encode(self, columns: dict[str, Values]) -> Iterable[Values]:
        values = columns[self._name]
        if self._person:
            yield from self._masked(values)
        elif self._alias:
            yield [self._alias.resolve(value) for value in values]
            yield values
        elif self._personal_when:
            field, value = self._personal_when
            yield [
                mask_name(name) if other == value else name for name, other in zip(values, columns[field], strict=True)
            ]
        elif self._encode is None:
            yield values
        elif self._array:
            yield [self._encode(value) if value else [] for value in values]
        elif self._optional:
            yield [None if value is None else self._encode(value) for value in values]
        else:
            yield [self._encode(value) for value in values]

    def _masked(self, persons: Sequence[Person | None]) -> Iterable[Values]:
        person = self._tokeniser.person
        masked = [person(one.name, one.phone) if one else (None, None, None) for one in persons]
        return map(list, zip(*masked, strict=True))
