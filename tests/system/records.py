"""What is pushed and where it stands: values that the log maker, the oracle and the stack share."""

from collections.abc import Iterable
from typing import Final, NamedTuple

REGISTRY: Final = "yangguang.registry"
CAMERA: Final = "yangguang.camera"
BANQUET: Final = "yangguang.banquet"
SEAL: Final = "yangguang.seal"
STREAMS: Final = (REGISTRY, CAMERA, BANQUET, SEAL)

OPERATOR: Final = "yangguang.registry.operator.v1"
VILLAGE: Final = "yangguang.registry.village.v1"
MEASURE: Final = "yangguang.registry.measure.v1"
HEARTBEAT: Final = "yangguang.camera.heartbeat.v1"
FINDING: Final = "yangguang.camera.finding.v1"
KITCHEN: Final = "yangguang.camera.kitchen.v1"
RECORD: Final = "yangguang.banquet.record.v1"
ORDER: Final = "yangguang.seal.order.v1"

STREAM_OF: Final = {
    OPERATOR: REGISTRY, VILLAGE: REGISTRY, MEASURE: REGISTRY, HEARTBEAT: CAMERA, FINDING: CAMERA, KITCHEN: CAMERA,
    RECORD: BANQUET, ORDER: SEAL,
}  # fmt: skip


class Record(NamedTuple):
    """One record of a log. `reason` is the reject reason it was made to have, empty for one that is to be accepted."""

    topic: str
    value: bytes | None
    reason: str = ""
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Place(NamedTuple):
    """Where Kafka keeps a record."""

    topic: str
    partition: int
    offset: int


def accepted(records: Iterable[Record]) -> list[Record]:
    """The records that are to be accepted."""
    return [one for one in records if not one.reason]
