"""The gateway's answers as models, from which their JSON Schemas are made. Fields may be added to them, so the
schemas leave room. Tests hold real answers to them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from schemas.reject import Reason


class AcceptedEvent(BaseModel):
    """An event that is accepted and durable: every replica of Kafka has it."""

    index: Annotated[int, Field(ge=0)] = Field(description="Which event of the request, from 0")
    status: Literal["accepted"]
    id: str = Field(description="The event's id")
    topic: str = Field(description="Topic that has it")
    partition: Annotated[int, Field(ge=0)] = Field(description="Partition that has it")
    offset: Annotated[int, Field(ge=0)] = Field(description="Its offset in the partition")


def _no_default(schema: JsonDict) -> None:
    del schema["default"]  # where there is no value the answer has no such field


class RefusedEvent(BaseModel):
    """An event that is refused, and recorded in `rejected`."""

    index: Annotated[int, Field(ge=0)] = Field(description="Which event of the request, from 0")
    status: Literal["rejected"]
    id: str = Field(
        "",
        description="The event's id; absent where it could not be read",
        json_schema_extra=_no_default,
    )
    reason: Reason = Field(description="Why it is refused; the first that holds")
    detail: str = Field(description="JSON pointer from the event's root, and what is wrong there; never a value")


class IgnoredMessage(BaseModel):
    """A vendor's message of which the mapping says that it carries nothing for us: nothing of it is stored."""

    index: Annotated[int, Field(ge=0)] = Field(description="Which message of the request, from 0")
    status: Literal["ignored"]
    detail: str = Field(description="Why, in the mapping's words")


class Outcome(BaseModel):
    """What became of each event of a request: 202 when all are accepted, 207 when some are, 422 when none is."""

    accepted: Annotated[int, Field(ge=0)] = Field(description="Number of events that are accepted and durable")
    rejected: Annotated[int, Field(ge=0)] = Field(description="Number of events that are refused")
    results: list[AcceptedEvent | RefusedEvent] = Field(description="One entry an event, in the order of the request")


class VendorOutcome(BaseModel):
    """What became of each message of a vendor's: as of events, and 200 where there was nothing for us in any."""

    accepted: Annotated[int, Field(ge=0)] = Field(description="Number of events that are accepted and durable")
    rejected: Annotated[int, Field(ge=0)] = Field(description="Number of events that are refused")
    ignored: Annotated[int, Field(ge=1)] = Field(
        1, description="Number of messages with nothing for us; absent for none", json_schema_extra=_no_default
    )
    results: list[AcceptedEvent | RefusedEvent | IgnoredMessage] = Field(
        description="At least one entry a message, in the order of the request; `index` is the message's"
    )


class MqttOutcome(Outcome):
    """What became of each event of a message."""

    left_out: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Number of results for which the broker's packet has no room, accepted ones first; absent for none",
        json_schema_extra=_no_default,
    )


class Problem(BaseModel):
    """Why there is no other answer (RFC 9457). Nothing of the request counts unless `detail` says so."""

    type: Literal["about:blank"]
    title: str = Field(description="The status in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What is wrong and what to do about it, in one sentence")


class Health(BaseModel):
    """The process lives."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether all parts answer that the gateway needs."""

    status: Literal["ready", "waiting"]
    missing: list[str] = Field(description="Parts that do not answer")
