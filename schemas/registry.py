"""Stream `yangguang.registry`: who exists. Without it there is no build rate: events never tell who is missing."""

import re
from datetime import date
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError
from stdnum.exceptions import ValidationError as CheckDigitError
from stdnum.iso7064 import mod_11_10

from schemas.event import EventData
from schemas.fields import (
    IDENTIFIER,
    PERSONAL,
    Column,
    Count,
    Day,
    Id,
    Model,
    PersonalWhen,
    Several,
    Text,
    TimeOfDay,
    TownCode,
    Uscc,
    kept_date,
)

OperatorKind = Literal[
    "takeaway",
    "school_canteen",
    "eldercare_canteen",
    "workplace_canteen",
    "caring_canteen",
    "delivery_unit",
    "school_supplier",
    "banquet_centre",
    "banquet_cook",
    "cook_company",
    "dining_street",
]
Platform = Literal["meituan", "eleme", "jd", "douyin", "other"]

_FOOD_LICENSE: Final = re.compile(r"JY[123][0-9]{13}")
_FOOD_LICENSE_RULE: Final[JsonDict] = {
    "if": {"properties": {"license_kind": {"const": "food_license"}}, "required": ["license_kind"]},
    "then": {"properties": {"license_no": {"type": ["string", "null"], "pattern": f"^{_FOOD_LICENSE.pattern}$"}}},
}
"""The same rule as `_license_number`, as a JSON Schema says it."""


class Person(Model):
    """A contact person. Personal data: only masked forms and a token are kept."""

    name: Annotated[Text | None, PERSONAL] = Field(None, description="Full name")
    phone: Annotated[Text | None, PERSONAL] = Field(None, description="Mobile or landline number")


class Certificate(Model):
    """One management-system certificate."""

    scheme: Annotated[Literal["HACCP", "ISO22000"], Column("LowCardinality(String)")] = Field(description="Scheme")
    valid_until: Day = Field(description="Last day of validity, Asia/Shanghai")


class OpenHours(Model):
    """One span of business hours a day, Asia/Shanghai; `to` before `from` passes midnight, equal is 24 hours."""

    from_: TimeOfDay = Field(alias="from", description="Opening time HH:MM")
    to: TimeOfDay = Field(description="Closing time HH:MM")


def _certificates(certificates: list[Certificate]) -> list[tuple[str, date]]:
    return sorted({(one.scheme, kept_date(one.valid_until)) for one in certificates})


def _open_hours(spans: list[OpenHours]) -> list[tuple[str, str]]:
    return sorted({(one.from_, one.to) for one in spans})


class Operator(EventData):
    """The whole current record of one operator: a business, canteen, cook or street that prepares food."""

    model_config = ConfigDict(json_schema_extra=_FOOD_LICENSE_RULE)

    type: ClassVar = "yangguang.registry.operator.v1"
    stream: ClassVar = "yangguang.registry"
    table: ClassVar = "operators"
    entity: ClassVar = "operator_id"

    operator_id: Id = Field(description="Identity of the operator over all platforms")
    kind: Annotated[OperatorKind, Column("LowCardinality(String)")] = Field(description="Kind of operator")
    name: Annotated[Text, PersonalWhen("kind", "banquet_cook")] = Field(
        description="Business name; of a banquet cook the person's own, kept masked"
    )
    town_code: TownCode = Field(description="Town of the operator, nine-digit division code")
    status: Annotated[Literal["active", "suspended", "closed"], Column("LowCardinality(String)")] = Field(
        description="Licence status"
    )
    platforms: Annotated[Several[Platform] | None, Column("Array(LowCardinality(String))", sorted)] = Field(
        None, description="Takeaway platforms that list the operator"
    )
    license_kind: Annotated[Literal["food_license", "small_catering"] | None, Column("LowCardinality(String)")] = Field(
        None, description="Food business licence, or registration of a shop of up to 50 square metres"
    )
    license_no: Annotated[Text | None, IDENTIFIER] = Field(None, description="Licence or registration number")
    uscc: Uscc | None = Field(None, description="Unified social credit code, 18 characters (GB 32100-2015)")
    grade: Annotated[Literal["A", "B", "C", "ungraded"] | None, Column("LowCardinality(String)")] = Field(
        None, description="Hygiene grade"
    )
    certificates: Annotated[
        list[Certificate] | None,
        Column("Array(Tuple(scheme LowCardinality(String), valid_until Date32))", _certificates),
    ] = Field(None, description="Management-system certificates")
    director: Annotated[bool | None, Column("Bool")] = Field(None, description="Has a food-safety director")
    officers: Count | None = Field(None, description="Number of food-safety officers")
    accepted: Annotated[
        Several[Literal["6H", "model", "nutrition"]] | None, Column("Array(LowCardinality(String))", sorted)
    ] = Field(None, description="Programmes for which the operator has been accepted")
    open_hours: Annotated[list[OpenHours] | None, Column("Array(Tuple(`from` String, `to` String))", _open_hours)] = (
        Field(None, description="Business hours, Asia/Shanghai")
    )
    training_valid_until: Day | None = Field(None, description="Last day of the cook's training certificate")
    health_valid_until: Day | None = Field(None, description="Last day of the health certificate")
    person: Annotated[Person | None, PERSONAL] = Field(None, description="Contact person")

    @model_validator(mode="after")
    def _license_number(self) -> Self:
        if self.license_kind == "food_license" and self.license_no and not _FOOD_LICENSE.fullmatch(self.license_no):
            raise PydanticCustomError("bad_identifier", "license_no of a food licence should be JY, 1-3 and 13 digits")
        return self


def license_warning(license_kind: str | None, license_no: str | None) -> bool:
    """Whether a food licence number's check digit (ISO 7064 MOD 11,10) is wrong. Real data has such: warn, keep."""
    if license_kind != "food_license" or not license_no:
        return False
    try:
        mod_11_10.validate(license_no[2:])
    except CheckDigitError:
        return True
    return False


class Village(EventData):
    """A village or community, and whether a caring canteen serves it."""

    type: ClassVar = "yangguang.registry.village.v1"
    stream: ClassVar = "yangguang.registry"
    table: ClassVar = "villages"
    entity: ClassVar = "village_id"

    village_id: Id = Field(description="Identity of the village or community")
    name: Text = Field(description="Name of the village or community")
    town_code: TownCode = Field(description="Town of the village, nine-digit division code")
    served_by: Id | None = Field(None, description="operator_id of the caring canteen that serves it")
