"""The kinds of value that events are made of: each an annotated type that says its rule, JSON Schema and column.

Strict: no "3" or 3.0 for 3, no 1 for true. Strings and ids are trimmed (by the models' configuration) and NFC.
A broken rule of an identifier is an error of type `bad_identifier`; every other broken rule is a bad value.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError as IdentifierError

from schemas.towns import TOWNS

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2299, 12, 31, tzinfo=UTC)
"""ClickHouse's DateTime64 ends with the year 2299."""

EXTENSIONS_MAX_BYTES: Final = 4096

Item = TypeVar("Item")


class Column(NamedTuple):
    """How a value is kept: the ClickHouse type, and how to turn the validated value into what the client writes."""

    type: str
    encode: Callable[[Any], Any] | None = None


class Personal:
    """Marks a field as personal data: it is tokenised and masked before anything is written."""


PERSONAL: Final = Personal()


class Verbatim:
    """Marks a field that is taken as it is: neither trimmed nor normalised."""


VERBATIM: Final = Verbatim()


class PersonalWhen(NamedTuple):
    """Marks a text as a person's name where the model's `field` has `value`: it is then kept masked."""

    field: str
    value: str


class Closed(NamedTuple):
    """Marks a text of a form so narrow that it cannot tell about a person: one that has it whole may be shown to those
    who look after refused events."""

    pattern: str


class Alias(NamedTuple):
    """The value is resolved by a table when it is kept; the word that was reported is kept beside it."""

    resolve: Callable[[str], str]


_IDENTIFIER_ERRORS: Final = frozenset(
    {"string_too_short", "string_too_long", "string_pattern_mismatch", "text_length", "bad_identifier"}
)


class Identifier:
    """Marks a field whose broken rule is `bad_identifier`, not `bad_value`."""

    @staticmethod
    def explains(error_type: str) -> bool:
        """Whether a validation error of this pydantic type means that an identifier's rule is broken."""
        return error_type in _IDENTIFIER_ERRORS


IDENTIFIER: Final = Identifier()


class Model(BaseModel):
    """What all objects inside `data` share: strict types, trimmed strings, and no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid", str_strip_whitespace=True, frozen=False)


def normalised(value: str) -> str:
    """Unicode normalisation form C. ASCII is its own."""
    return value if value.isascii() else unicodedata.normalize("NFC", value)


def _text(value: str) -> str:
    value = normalised(value)
    if not 1 <= len(value) <= 256:
        raise PydanticCustomError("text_length", "Text should have 1 to 256 characters")
    return value


def _town(value: str) -> str:
    if value not in TOWNS:
        raise PydanticCustomError("bad_identifier", "town_code should be one of the 23 of towns.csv")
    return value


def _uscc(value: str) -> str:
    try:
        right = uscc.validate(value) == value  # the library passes over separators and case: the standard does not
    except IdentifierError:
        right = False
    if not right:
        raise PydanticCustomError(
            "bad_identifier", "uscc should be 18 characters with a right check character (GB 32100-2015)"
        )
    return value


def _extensions(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(extensions_json(value).encode())
    except ValueError:
        raise PydanticCustomError("extensions_number", "extensions should hold only finite numbers") from None
    if size > EXTENSIONS_MAX_BYTES:
        raise PydanticCustomError("extensions_size", "extensions should be at most 4096 bytes of compact JSON")
    return value


def extensions_json(value: dict[str, Any]) -> str:
    """Compact UTF-8 JSON, as it is measured and kept. Raises ValueError for a number that JSON does not know."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Timestamp:
    """RFC 3339 with an offset, cut to the microsecond, from the year 2000 to 2299.

    The pattern stands before the parser because the parser also takes Unix seconds for a date."""

    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=self.pattern, strip_whitespace=False, strict=True),
                core_schema.datetime_schema(
                    strict=False, tz_constraint="aware", microseconds_precision="truncate", ge=EARLIEST, le=LATEST
                ),
            ]
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What a pattern can say of the parser's rules; on the last day of 1999 it is 2000 already elsewhere."""
        day = r"(1999-12-31|2[0-2][0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))"
        minute = r"([01][0-9]|2[0-3]):[0-5][0-9]"
        pattern = rf"^{day}[Tt]{minute}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]{minute})$"
        return {"type": "string", "format": "date-time", "pattern": pattern}


class _Day:
    """YYYY-MM-DD. Here too the parser alone would take Unix seconds."""

    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=self.pattern, strip_whitespace=False, strict=True),
                core_schema.date_schema(strict=False),
            ]
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date", "pattern": self.pattern}


class _Repeatable:
    """A list is a set: an item that comes twice counts once and is no fault, so the schema must not forbid it."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        made.pop("uniqueItems", None)
        return made


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY: Final = 86_400


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact: what a DateTime64(6) column is written from without further conversion."""
    span = moment - _EPOCH
    return (span.days * _SECONDS_A_DAY + span.seconds) * 1_000_000 + span.microseconds


def kept_date(value: date) -> date:
    """ClickHouse's Date32 ends in 2299: a perpetual certificate (9999-12-31) is kept as the last day there is."""
    return min(max(value, date(1900, 1, 1)), date(2299, 12, 31))


Id = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$"),
    IDENTIFIER,
    Closed(r"[A-Za-z0-9._:-]{1,64}"),
    Column("String"),
]
Text = Annotated[
    str, AfterValidator(_text), Field(json_schema_extra={"minLength": 1, "maxLength": 256}), Column("String")
]
RawText = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=1, max_length=256),
    VERBATIM,
    Column("String"),
]
Timestamp = Annotated[
    datetime,
    _Timestamp(),
    Closed(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
    ),
    Column("DateTime64(6, 'UTC')", microseconds),
]
Day = Annotated[date, _Day(), Closed(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), Column("Date32", kept_date)]
TimeOfDay = Annotated[
    str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Closed(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?"), Column("String")
]
TownCode = Annotated[
    str,
    AfterValidator(_town),
    IDENTIFIER,
    Closed(r"[0-9]{1,9}"),
    Field(json_schema_extra={"enum": list(TOWNS)}),
    Column("LowCardinality(String)"),
]
Uscc = Annotated[
    str,
    AfterValidator(_uscc),
    IDENTIFIER,
    Closed(r"[0-9A-Za-z]{18}"),
    Field(json_schema_extra={"minLength": 18, "maxLength": 18, "pattern": "^[0-9]{8}[0-9A-HJ-NPQRTUWXY]{10}$"}),
    Column("String"),
]
Count = Annotated[int, Field(ge=0, le=2**31 - 1), Column("Int32")]
Several = Annotated[set[Item], _Repeatable()]
Extensions = Annotated[dict[str, JsonValue], AfterValidator(_extensions), VERBATIM, Column("String", extensions_json)]


def annotations_of(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Any]:
    """All that is declared of a field: its own metadata, that of the types inside Optional, list and set, and these
    types themselves."""
    yield from metadata
    if get_origin(annotation) is Annotated:
        inner, *own = get_args(annotation)
        yield from own
        yield from annotations_of(inner)
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from annotations_of(argument)
    elif isinstance(annotation, type):
        yield annotation
