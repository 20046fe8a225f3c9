"""Faust's Kafka transport, handing out lists of records instead of single ones.

Two asyncio tasks a message are what Faust costs most. Here one message is all that one poll brought of a partition. The
bookkeeping of offsets is our own (`streams.offsets`): Faust's takes the offsets between two messages for a gap and
commits over a list that failed; and it acknowledges what it skips after a rebalance. So an acknowledgement by Faust
means nothing here, and only `landed` says that a list may be committed.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final, Protocol, cast

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.utils.futures import notify

from streams.offsets import OffsetLedger


class Record(Protocol):
    """What is used of one record as aiokafka delivers it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


Records = Sequence[Record]

_FETCH_WAIT_MS: Final = 200
_FULL_WAIT_SECONDS: Final = 0.02


class _Thread(driver.AIOKafkaConsumerThread):
    """Where the consumer lives.

    aiokafka has one fetch a broker under way, which holds no partition whose records are not consumed yet. Faust lets
    the broker keep it open for 1.5 s where the partitions that it does hold have nothing new, and so long the others,
    with all they have, are not asked either."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer


class RecordListConsumer(driver.Consumer):
    """A consumer whose messages hold `Records` of one partition as their value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledger: OffsetLedger[TP] = OffsetLedger()

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if self._buffered_partitions and self.flow_active:
            # Some wait for room in their stage. Faust would look again only when another partition brings something,
            # or after 1 s, however soon there is room.
            timeout = _FULL_WAIT_SECONDS
            if not self._get_active_partitions():
                await self.sleep(_FULL_WAIT_SECONDS)
                return {}, set()
        records, active = await super()._wait_next_records(timeout)
        return (records and {tp: [batch] for tp, batch in records.items() if batch}), active

    def _to_message(self, tp: TP, record: Any) -> Any:
        records = cast(Records, record)
        message: Any = super()._to_message(tp, records[0])
        message.value = records
        self.ledger.handed_out(ensure_TP(tp), records[0].offset, records[-1].offset, message)
        return message

    def landed(self, message: Message) -> None:
        """The message's records are durable and may be committed."""
        self.ledger.finished(ensure_TP(message.tp), message)

    def ack(self, message: Message) -> bool:
        """Only tells a waiting rebalance that the message left the stream; commits nothing."""
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between the first records of two lists are no gap."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self.ledger.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledger.committable(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commits what is finished, then forgets the partitions."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self.ledger.forget(ensure_TP(tp))

    async def perform_seek(self) -> None:
        """Reads again from the committed offsets: what was handed out before is handed out again.

        A partition of which nothing is committed yet is read from its beginning. Faust leaves it where it is, which is
        behind what was read while a rebalance was under way and passed over; the next record would be committed, and
        what was passed over would be lost."""
        self.ledger.forget_all()
        await super().perform_seek()
        new = [TopicPartition(*tp) for tp in self.assignment() if self._read_offset[tp] is None]
        if new:
            with suppress(IllegalStateError):  # taken away meanwhile: whoever gets them seeks
                await self._thread.seek_to_beginning(*new)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watch counts messages and so misjudges lists; a stalled consumer is noticed from outside."""


class RecordListTransport(driver.Transport):
    """The transport that makes such consumers."""

    Consumer: ClassVar[type[RecordListConsumer]] = RecordListConsumer
