"""Stream `yangguang.banquet`: rural banquets from declaration to closing (DB33/T 2346-2021)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import EventData
from schemas.fields import PERSONAL, Column, Count, Id, Timestamp, TownCode
from schemas.registry import Person


class Banquet(EventData):
    """The whole current record of one banquet."""

    type: ClassVar = "yangguang.banquet.record.v1"
    stream: ClassVar = "yangguang.banquet"
    table: ClassVar = "banquets"
    entity: ClassVar = "banquet_id"

    banquet_id: Id = Field(description="Identity of the banquet")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    village_id: Id | None = Field(None, description="Village or community")
    venue: Annotated[Literal["home", "banquet_centre", "temporary"], Column("LowCardinality(String)")] = Field(
        description="Where the banquet is held"
    )
    status: Annotated[
        Literal[
            "draft",
            "declared",
            "returned",
            "filed",
            "assigned",
            "guided",
            "rectifying",
            "held",
            "closed",
            "cancelled",
        ],
        Column("LowCardinality(String)"),
    ] = Field(description="Where the banquet stands")
    declared_at: Timestamp = Field(description="When it was declared, UTC")
    held_at: Timestamp = Field(description="The meal, UTC")
    diners: Annotated[int, Field(ge=1, le=20_000), Column("Int32")] = Field(description="Expected diners")
    tables: Count | None = Field(None, description="Expected tables")
    cook_id: Id | None = Field(None, description="operator_id of the banquet cook")
    guided_at: Timestamp | None = Field(None, description="When guidance was given on site, UTC")
    samples_retained: Annotated[bool | None, Column("Bool")] = Field(
        None, description="Whether food samples were retained; NULL is unknown"
    )
    host: Annotated[Person, PERSONAL] = Field(description="Host of the banquet")
