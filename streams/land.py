"""Land: from record lists to acknowledged rows.

Every event is validated and its values appended to its type's block at once; nothing else is done per event. Blocks are
gathered over all partitions for up to half a second or 10 000 rows. A block is finished when ClickHouse has
acknowledged its tables, the rejected records are on their topic, and `landed` says which minutes and entities were
touched and how far each partition is. Only then may its offsets be committed.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from faust.types import Message

from schemas.catalogue import EVENT_TYPES, STREAMS
from schemas.columns import LANDED_AT, BlockEncoder, Row
from schemas.decode import Decoder
from schemas.event import latest_acceptable
from schemas.fields import microseconds
from schemas.personal import Tokeniser
from schemas.reject import Reason, Rejection
from sinks.clickhouse.client import Fault, Store, brief, fault, now
from sinks.clickhouse.raw import raw_table
from streams.transport import Record, Records

log: Final = logging.getLogger(__name__)

BLOCK_ROWS: Final = 10_000
GATHER_SECONDS: Final = 0.5


class Refused(NamedTuple):
    """A record that is not accepted, and why."""

    record: Record
    rejection: Rejection


class Landed(NamedTuple):
    """What a finished block says of one stream: `progress` maps a partition to (next offset, greatest event time in
    microseconds, 0 where nothing was accepted); `touched` maps an event type to minutes (Unix seconds) or entities."""

    stream: str
    landed_at: int
    progress: dict[int, tuple[int, int]]
    touched: dict[str, list[Any]]

    def to_json(self) -> bytes:
        """The record's value."""
        return orjson.dumps(
            {
                "stream": self.stream,
                "landed_at": self.landed_at,
                "progress": {str(partition): mark for partition, mark in self.progress.items()},
                "touched": self.touched,
            }
        )

    @classmethod
    def from_json(cls, value: bytes) -> "Landed":
        """Reads what `to_json` wrote."""
        parsed = orjson.loads(value)
        progress = {int(partition): (mark[0], mark[1]) for partition, mark in parsed["progress"].items()}
        return cls(parsed["stream"], parsed["landed_at"], progress, parsed["touched"])


class Block:
    """What has been gathered since the last one was written."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {kind: [] for kind in EVENT_TYPES}
        self.records: dict[str, list[Record]] = {kind: [] for kind in EVENT_TYPES}
        self.refused: list[Refused] = []
        self.messages: list[Message] = []
        self.progress: dict[tuple[str, int], tuple[int, int]] = {}
        """Next offset and greatest event time (microseconds, 0 where nothing was accepted) by topic and partition."""
        self.size = 0
        self.begun = time.monotonic()

    def forget_times_of(self, refused: Sequence[Record]) -> None:
        """What ClickHouse refused has not landed, so its time moves no clock; its offset counts all the same."""
        gone = {id(record) for record in refused}
        greatest: dict[tuple[str, int], int] = {}
        for kind, rows in self.rows.items():
            for row, record in zip(rows, self.records[kind], strict=True):
                if id(record) not in gone:
                    key = (record.topic, record.partition)
                    greatest[key] = max(greatest.get(key, 0), row[-2])
        self.progress = {key: (offset, greatest.get(key, 0)) for key, (offset, _) in self.progress.items()}


class Gatherer:
    """Validates record lists into blocks."""

    def __init__(self) -> None:
        self._decoders = {stream: Decoder(stream) for stream in STREAMS}

    def add(self, block: Block, topic: str, partition: int, records: Records) -> None:
        """Appends the records of one list to the block."""
        decoder = self._decoders[topic]
        validated = decoder.validated
        latest = latest_acceptable(datetime.now(UTC))
        latest_us = microseconds(latest)
        greatest = block.progress.get((topic, partition), (0, 0))[1]
        rows, kept, refused = block.rows, block.records, block.refused
        for record in records:
            try:
                event = validated(record.value)
                # compared as a number, which the column wants anyway: datetimes ask both zones for their offsets
                if event is None or (moment := microseconds(event.time)) > latest_us:
                    judged = decoder.decode(record.value, latest)
                    if isinstance(judged, Rejection):
                        refused.append(Refused(record, judged))
                        continue
                    event, moment = judged, microseconds(judged.time)
            except Exception as error:  # a fault of ours must not stop the road: the event is kept as rejected
                log.exception("cannot judge %s/%d@%d, so it is rejected", topic, partition, record.offset)
                rejection = Rejection(Reason.BAD_VALUE, f": validation failed with {type(error).__name__}")
                refused.append(Refused(record, rejection))
                continue
            kind = event.type
            rows[kind].append((*event.data.__dict__.values(), event.id, event.source, moment, event.subject))
            kept[kind].append(record)
            if moment > greatest:  # noqa: PLR1730 (no call where a comparison will do)
                greatest = moment
        block.progress[topic, partition] = (records[-1].offset + 1, greatest)
        block.size += len(records)


Publish = Callable[[Landed], Awaitable[None]]
Reject = Callable[[Sequence[Refused]], Awaitable[None]]


class Lander:
    """Writes blocks.

    :param publish: puts a `Landed` on its topic and returns when the broker has acknowledged it.
    :param reject: puts rejected records on their topic, likewise.
    """

    def __init__(self, store: Store, tokeniser: Tokeniser, publish: Publish, reject: Reject) -> None:
        self._store = store
        self._publish = publish
        self._reject = reject
        self._encoders = {kind: BlockEncoder(model, tokeniser) for kind, model in EVENT_TYPES.items()}

    async def write(self, block: Block) -> None:
        """Makes the block durable. Raises the error of ClickHouse that is our own fault: stop, commit nothing."""
        landed_at = microseconds(now())
        touched: dict[str, list[Any]] = {}
        refused = block.refused
        judged = len(refused)
        for kind, rows in block.rows.items():
            if rows:
                touched[kind] = await self._write(kind, rows, block.records[kind], landed_at, refused)
        if len(refused) > judged:
            block.forget_times_of([one.record for one in refused[judged:]])
        if refused:
            await self._reject(refused)
        for stream in {topic for topic, _ in block.progress}:
            progress = {partition: mark for (topic, partition), mark in block.progress.items() if topic == stream}
            of_stream = {kind: places for kind, places in touched.items() if EVENT_TYPES[kind].stream == stream}
            await self._publish(Landed(stream, landed_at, progress, of_stream))

    async def _write(
        self, kind: str, rows: list[Row], records: list[Record], landed_at: int, refused: list[Refused]
    ) -> list[Any]:
        """Writes the rows of one type, and returns the places that they touch."""
        encoder = self._encoders[kind]
        model = encoder.model
        columns = encoder.encode(rows)
        names = [one.name for one in encoder.columns]
        try:
            await self._store.insert(
                raw_table(model),
                [*names, LANDED_AT.name],
                [*(one.type for one in encoder.columns), LANDED_AT.type],
                [*columns, [landed_at] * len(rows)],
            )
        except (ClickHouseError, ValueError, TypeError, OverflowError) as error:
            if fault(error) is not Fault.DATA:
                raise
            if len(rows) == 1:
                log.warning("ClickHouse refuses a row of %s (%s): it is rejected", model.table, brief(error))
                refused.append(Refused(records[0], _refusal(kind, rows[0], error)))
                return []
            half = len(rows) // 2
            return [
                *await self._write(kind, rows[:half], records[:half], landed_at, refused),
                *await self._write(kind, rows[half:], records[half:], landed_at, refused),
            ]
        if model.minute:
            return sorted({moment // 60_000_000 * 60 for moment in columns[names.index(model.minute)]})
        return list(set(columns[names.index(model.entity)]))


def _refusal(kind: str, row: Row, error: BaseException) -> Rejection:
    event_id, source, _, _ = row[-4:]
    return Rejection(
        Reason.SINK_REFUSED, f"/data: ClickHouse refuses the row, {brief(error)[:100]}", source, event_id, kind
    )


class Landing:
    """The stage: gathers lists, writes blocks one behind the other while the next one is being validated.

    :param landed: called with the messages of a block that is durable.
    """

    def __init__(self, gatherer: Gatherer, lander: Lander, landed: Callable[[Message], None]) -> None:
        self._gatherer = gatherer
        self._lander = lander
        self._landed = landed
        self._block = Block()
        self._writing: asyncio.Task[None] | None = None

    async def take(self, message: Message) -> None:
        """Adds one list; writes the block when it is full. Waits for the block before, so at most two are in memory."""
        self._gatherer.add(self._block, message.topic, message.partition, cast(Records, message.value))
        self._block.messages.append(message)
        if self._block.size >= BLOCK_ROWS:
            await self._flush()

    async def tick(self) -> None:
        """Writes what has waited for long enough. Raises what made the last block fail, though none follows it."""
        if self._writing is not None and self._writing.done():
            self._writing.result()
        if self._block.messages and time.monotonic() - self._block.begun >= GATHER_SECONDS and not self._is_writing():
            await self._flush()

    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    async def _flush(self) -> None:
        if self._writing is not None:
            await self._writing
        block, self._block = self._block, Block()
        self._writing = asyncio.create_task(self._finish(block))
        await asyncio.sleep(0)

    async def _finish(self, block: Block) -> None:
        await self._lander.write(block)
        for message in block.messages:
            self._landed(message)
