"""Stream `yangguang.seal`: takeaway orders, their fulfilment and what is known of their seal."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.event import EventData
from schemas.fields import Column, Id, Text, Timestamp, TownCode
from schemas.registry import Platform
from schemas.reject import Reason

_TOO_MANY_SEALED: Final = "sealed_packages should be at most packages"


class Order(EventData):
    """One order, its fulfilment and what is known of its seal.

    Evidence levels: 0 the merchant says so, 1 the platform's flag, 2 the rider's photo or confirmation, 3 a unique
    code scanned, 4 an inspector's spot check."""

    type: ClassVar = "yangguang.seal.order.v1"
    stream: ClassVar = "yangguang.seal"
    table: ClassVar = "orders"
    entity: ClassVar = "order_id"
    minute: ClassVar = "delivered_at"

    order_id: Id = Field(description="Identity of the order")
    operator_id: Id = Field(description="Operator that prepared it")
    platform: Annotated[Platform, Column("LowCardinality(String)")] = Field(description="Takeaway platform")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    delivered_at: Timestamp = Field(description="When it was delivered or picked up, UTC; never changes for an order")
    fulfilment: Annotated[Literal["delivered", "pickup", "cancelled"], Column("LowCardinality(String)")] = Field(
        description="How the order ended"
    )
    packages: Annotated[int, Field(ge=1, le=50), Column("UInt8")] = Field(description="Packages of the order")
    sealed_packages: Annotated[int, Field(ge=0, le=50), Column("UInt8")] = Field(description="Packages with a seal")
    seal_state: Annotated[Literal["intact", "broken", "absent", "unknown"], Column("LowCardinality(String)")] = Field(
        description="State of the seals"
    )
    evidence_level: Annotated[int, Field(ge=0, le=4), Column("UInt8")] = Field(description="What proves it, 0 to 4")
    code: Text | None = Field(None, description="Code of the seal")
    photo_uri: Text | None = Field(None, description="Address of the photo")

    @classmethod
    def conflicts(cls, _data: Mapping[str, Any]) -> Iterator[tuple[Reason, str]]:
        """More sealed packages than packages is a bad value."""
        packages, sealed = _data.get("packages"), _data.get("sealed_packages")
        if type(packages) is int and type(sealed) is int and sealed > packages:
            yield Reason.BAD_VALUE, f"/data/sealed_packages: {_TOO_MANY_SEALED}"

    @model_validator(mode="after")
    def _sealed_at_most_packages(self) -> Self:
        if self.sealed_packages > self.packages:
            raise PydanticCustomError("sealed_packages", _TOO_MANY_SEALED)
        return self
