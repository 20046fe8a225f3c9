"""Stream `yangguang.camera`: what the kitchens' cameras and AI boxes say."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import EventData
from schemas.fields import Alias, Column, Id, RawText, Text, Timestamp, TownCode
from schemas.findings import finding_of


class Heartbeat(EventData):
    """Keepalive of one camera, every 60 s (GB/T 28181); three misses are offline."""

    type: ClassVar = "yangguang.camera.heartbeat.v1"
    stream: ClassVar = "yangguang.camera"
    table: ClassVar = "cameras"
    entity: ClassVar = "camera_id"
    minute: ClassVar = "event_time"

    camera_id: Id = Field(description="Identity of the camera, 20 digits by GB/T 28181")
    operator_id: Id = Field(description="Operator whose kitchen the camera watches")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    online: Annotated[bool, Column("Bool")] = Field(description="The camera answers")
    advancing: Annotated[bool, Column("Bool")] = Field(description="The stream's frames advance")
    picture: Annotated[Literal["ok", "black", "covered", "blurred", "frozen"], Column("LowCardinality(String)")] = (
        Field(description="State of the picture")
    )


class Finding(EventData):
    """The whole current record of one AI finding, from the raw alarm to the closed correction."""

    type: ClassVar = "yangguang.camera.finding.v1"
    stream: ClassVar = "yangguang.camera"
    table: ClassVar = "findings"
    entity: ClassVar = "finding_id"
    keyed_by: ClassVar = "camera_id"
    """A finding goes with its camera, as the heartbeats do."""

    finding_id: Id = Field(description="Identity of the finding")
    camera_id: Id = Field(description="Camera that saw it")
    operator_id: Id = Field(description="Operator whose kitchen it is")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    finding: Annotated[RawText, Alias(finding_of), Column("LowCardinality(String)")] = Field(
        description="What was found; a vendor's alias is resolved, what no table knows becomes UNKNOWN"
    )
    vendor: Text = Field(description="Vendor of the camera or AI box")
    vendor_code: RawText | None = Field(None, description="The vendor's own code, kept raw")
    confidence: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False), Column("Float64")] = Field(
        None, description="Confidence of the model, 0 to 1"
    )
    review: Annotated[Literal["raw", "confirmed", "false_positive", "closed"], Column("LowCardinality(String)")] = (
        Field(description="State of the review by a person")
    )
    found_at: Timestamp = Field(description="When it was seen, UTC")
    due_at: Timestamp | None = Field(None, description="Until when it has to be put right, UTC")
    closed_at: Timestamp | None = Field(None, description="When it was put right, UTC")
    zone: Text | None = Field(None, description="Zone of the kitchen")
    snapshot_uri: Text | None = Field(None, description="Address of the picture, which expires")


class Kitchen(EventData):
    """The kitchen state of one operator."""

    type: ClassVar = "yangguang.camera.kitchen.v1"
    stream: ClassVar = "yangguang.camera"
    table: ClassVar = "kitchens"
    entity: ClassVar = "operator_id"

    operator_id: Id = Field(description="Operator whose kitchen it is")
    town_code: TownCode = Field(description="Town, nine-digit division code")
    state: Annotated[
        Literal["none", "pending", "active", "degraded", "withdrawn"], Column("LowCardinality(String)")
    ] = Field(description="State of the sunshine kitchen; built is active")
    reason: Text | None = Field(None, description="Why the state was taken")
