"""What the settings tell the stages of a worker."""

from datetime import timedelta
from typing import Final, NamedTuple

from schemas.event_alerts import EventRules
from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress
from streams.rejects_rule import RejectsRule

GROUP: Final = "yangguang"
"""The consumer group of the workers."""


class Options(NamedTuple):
    """All that a worker is told by the settings."""

    kafka: KafkaAddress
    clickhouse: Address
    personal_key: bytes
    clock: str = "wall"
    """`wall` or `event`."""
    lateness: timedelta = timedelta(seconds=60)
    takeaway_active_days: int = 30
    heartbeats_kept: timedelta | None = None
    """For how long raw heartbeats are kept; None for ever."""
    orders_kept: timedelta | None = None
    group: str = GROUP
    home: str = ".yangguang"
    rejects: RejectsRule = RejectsRule()
    """When too much of a source is refused."""
    events: EventRules = EventRules()
    """What has to be told at once."""
