"""Generic duties of the work points that are no kitchen, banquet or order: a relation, a pledge, a visit.

One record is one duty, never a sum of duties, so that a rate over duties can be recounted unit by unit like any other.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import EventData
from schemas.fields import Column, Id, Timestamp, TownCode


class Measure(EventData):
    """The whole current record of one duty, such as a guarantee relation, a pledge or a supervision visit."""

    type: ClassVar = "yangguang.registry.measure.v1"
    stream: ClassVar = "yangguang.registry"
    table: ClassVar = "measures"
    entity: ClassVar = "measure_id"

    measure_id: Id = Field(description="Identity of the duty")
    measure: Id = Field(description="Which duty it is: guarantee_relation, pledge, supervision_visit, or one of yours")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    operator_id: Id | None = Field(None, description="Operator that it concerns")
    status: Annotated[Literal["due", "done", "void"], Column("LowCardinality(String)")] = Field(
        description="Due, done, or void and so not counted"
    )
    due_at: Timestamp | None = Field(None, description="Until when it has to be done, UTC")
    done_at: Timestamp | None = Field(None, description="When it was done, UTC")
