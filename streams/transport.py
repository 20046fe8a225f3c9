"""Faust's Kafka transport, handing out lists of records instead of single ones.

Two asyncio tasks a message are what Faust costs most. Here one message is all that one poll brought of a partition. The
bookkeeping of offsets is our own (`streams.offsets`): Faust's takes the offsets between two messages for a gap and
commits over a list that failed; and it acknowledges what it skips after a rebalance. So an acknowledgement by Faust
means nothing here, and only `landed` says that a list may be committed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol, cast

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


class RecordListConsumer(driver.Consumer):
    """A consumer whose messages hold `Records` of one partition as their value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledger: OffsetLedger[TP] = OffsetLedger()

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
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
        """Reads again from the committed offsets: what was handed out before is handed out again."""
        self.ledger.forget_all()
        await super().perform_seek()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watch counts messages and so misjudges lists; a stalled consumer is noticed from outside."""


class RecordListTransport(driver.Transport):
    """The transport that makes such consumers."""

    Consumer: ClassVar[type[RecordListConsumer]] = RecordListConsumer
