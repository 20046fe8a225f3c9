"""What the worker is compared with: two consumers as a competent engineer writes them in an afternoon.

Both keep less than the worker does. They have no dead letter and no reject reasons (one bad record stops them), no
tokens for personal data, no limits on ids, texts and vendor extensions, no rule on unknown fields, no `landed` message,
and no second road when ClickHouse refuses a row. So they are peers in speed only, and the comparison favours them. They
use their libraries' default settings, except where a default would not be fair to them: the first offset is the
earliest, and clickhouse-connect does not import numpy and pandas at the first insert (0.45 s, 85 MB).
"""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import aiokafka
import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from pydantic import BaseModel, Field

from sinks.clickhouse.address import Address
from streams.kafka_address import KafkaAddress

FAUST_BATCH: Final = 1_000
FAUST_WITHIN_SECONDS: Final = 1.0
LOOP_BATCH: Final = 10_000
LOOP_TIMEOUT_MS: Final = 500


class _Order(BaseModel):
    order_id: str
    operator_id: str
    platform: Literal["meituan", "eleme", "jd", "douyin", "other"]
    town_code: str
    delivered_at: datetime
    fulfilment: Literal["delivered", "pickup", "cancelled"]
    packages: Annotated[int, Field(ge=1, le=50)]
    sealed_packages: Annotated[int, Field(ge=0, le=50)]
    seal_state: Literal["intact", "broken", "absent", "unknown"]
    evidence_level: Annotated[int, Field(ge=0, le=4)]
    code: str | None = None
    photo_uri: str | None = None


class _OrderEvent(BaseModel):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["yangguang.seal.order.v1"]
    time: datetime
    subject: str | None = None
    data: _Order


_DATA: Final = tuple(_Order.model_fields)
_COLUMNS: Final = [*_DATA, "event_id", "source", "event_time", "subject", "landed_at"]


async def _client(address: Address) -> AsyncClient:
    return await clickhouse_connect.get_async_client(**address.for_client())


def plain_faust(address: KafkaAddress, topic: str, group: str, clickhouse: Address, table: str, home: str) -> None:
    """A Faust agent that takes 1 000 messages at a time, validates each, and inserts them as rows. Never returns."""
    import faust  # noqa: PLC0415 (its 45 MB are not the naive loop's)

    app = faust.App(
        group,
        **address.for_faust(),
        value_serializer="raw",
        datadir=home,
        web_enabled=False,
        autodiscover=False,
    )

    async def land(stream: Any) -> None:
        client = await _client(clickhouse)
        async for batch in stream.take(FAUST_BATCH, within=FAUST_WITHIN_SECONDS):
            landed_at = datetime.now(UTC)
            events = [_OrderEvent.model_validate_json(value) for value in batch]
            rows = [
                [
                    event.data.order_id,
                    event.data.operator_id,
                    event.data.platform,
                    event.data.town_code,
                    event.data.delivered_at,
                    event.data.fulfilment,
                    event.data.packages,
                    event.data.sealed_packages,
                    event.data.seal_state,
                    event.data.evidence_level,
                    event.data.code,
                    event.data.photo_uri,
                    event.id,
                    event.source,
                    event.time,
                    event.subject or "",
                    landed_at,
                ]
                for event in events
            ]
            await client.insert(table, rows, column_names=_COLUMNS)

    app.agent(app.topic(topic))(land)
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()


async def naive_loop(address: KafkaAddress, topic: str, group: str, clickhouse: Address, table: str) -> None:
    """Fetch, validate into models, insert 10 000 rows as columns, commit. Never returns."""
    client = await _client(clickhouse)
    consumer = aiokafka.AIOKafkaConsumer(
        topic,
        **address.for_aiokafka(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    events: list[_OrderEvent] = []
    begun = time.monotonic()
    while True:
        fetched = await consumer.getmany(timeout_ms=LOOP_TIMEOUT_MS, max_records=LOOP_BATCH - len(events))
        for records in fetched.values():
            events += [_OrderEvent.model_validate_json(record.value) for record in records]
        if len(events) < LOOP_BATCH and time.monotonic() - begun < LOOP_TIMEOUT_MS / 1000:
            continue
        if events:
            landed_at = datetime.now(UTC)
            columns = [[getattr(event.data, name) for event in events] for name in _DATA]
            columns += [
                [event.id for event in events],
                [event.source for event in events],
                [event.time for event in events],
                [event.subject or "" for event in events],
                [landed_at] * len(events),
            ]
            await client.insert(table, columns, column_names=_COLUMNS, column_oriented=True)
            await consumer.commit()
            events = []
        begun = time.monotonic()
