"""A producer that goes on whatever happens, and its ledger of what Kafka has acknowledged."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.system.compare import differences
from tests.system.oracle import Oracle
from tests.system.records import STREAMS, Place, Record
from tests.system.stack import Stack, wait_for

_RETRY_SECONDS: Final = 0.2
_DELIVERY_MS: Final = 60_000
_ENOUGH_SECONDS: Final = 90.0


class _Sent(NamedTuple):
    record: Record
    future: Any


class Load:
    """Sends the records of a feed at a steady pace in a thread of its own, until the `with` block ends.

    A record that is not acknowledged is sent again. When the block has ended, `ledger` holds every record of the feed
    that was taken, with the place of its acknowledgement.

    :param rate: records/s.
    """

    def __init__(self, stack: Stack, feed: Iterator[Record], rate: float = 1000.0) -> None:
        self.ledger: list[tuple[Record, Place]] = []
        self._stack = stack
        self._feed = feed
        self._rate = rate
        self._producer: KafkaProducer | None = None
        self._sent: list[_Sent] = []
        self._acknowledged = 0
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is None:
            assert self._error is None, f"the producer failed: {self._error!r}"
            self._settle()
        self._drop_producer()

    def more(self, records: int) -> None:
        """Returns when Kafka has acknowledged so many more."""
        wanted = self._acknowledged + records

        def enough() -> bool:
            assert self._thread.is_alive(), f"the producer ended: {self._error!r}"
            return self._acknowledged >= wanted

        wait_for(enough, _ENOUGH_SECONDS, f"{records} more records are acknowledged")

    def _run(self) -> None:
        try:
            self._send_all()
        except BaseException as error:
            self._error = error
            raise

    def _send_all(self) -> None:
        begun, count = time.monotonic(), 0
        for record in self._feed:
            while not self._stop.is_set() and not self._send(record):
                self._stop.wait(_RETRY_SECONDS)
            if self._stop.is_set():
                return
            count += 1
            if (ahead := count / self._rate - (time.monotonic() - begun)) > 0.01:
                self._stop.wait(ahead)
            elif ahead < -1:  # no burst after an outage
                begun, count = time.monotonic(), 0

    def _send(self, record: Record) -> bool:
        """Hands a record to the client; False when it does not take it."""
        try:
            if self._producer is None:
                self._producer = self._stack.producer(
                    delivery_timeout_ms=_DELIVERY_MS, max_block_ms=5000, reconnect_backoff_max_ms=500
                )
            future = self._producer.send(
                record.topic, record.value, record.key, partition=record.partition, headers=list(record.headers)
            )
        except (KafkaError, AssertionError):
            self._drop_producer()
            return False
        future.add_callback(self._count)
        self._sent.append(_Sent(record, future))
        return True

    def _count(self, _: object) -> None:
        self._acknowledged += 1

    def _drop_producer(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    def _settle(self) -> None:
        """Waits for what is on its way, and sends again what has failed."""
        while self._sent:
            sent, self._sent = self._sent, []
            failed = []
            for one in sent:
                try:
                    known = one.future.get(_DELIVERY_MS / 1000)
                    self.ledger.append((one.record, Place(known.topic, known.partition, known.offset)))
                except KafkaError:
                    failed.append(one.record)
            if failed:
                self._drop_producer()
            for record in failed:
                while not self._send(record):
                    time.sleep(_RETRY_SECONDS)


def check_ledger(stack: Stack, load: Load, seconds: float = 90.0) -> None:
    """Kafka still has what it acknowledged, and every table says what follows from it: nothing is missing, nothing
    counts twice, and what is invalid stands in `rejected` with its reason and its place."""
    stack.wait_committed(seconds)
    made = {(record.topic, record.value): record for record, _ in load.ledger}
    there = {place: one.value for topic in STREAMS for place, one in stack.records(topic).items()}
    lost = [place for record, place in load.ledger if (there.get(place) or b"") != (record.value or b"")]
    assert not lost, f"{len(lost)} acknowledged records are not where they were: {lost[:10]}"
    # a record whose acknowledgement was lost stands in Kafka twice: it is rejected at both places, and counted once
    log = {place: made[place.topic, value] for place, value in there.items()}
    oracle = Oracle(log.values())
    found = differences(stack, oracle, {place: record for place, record in log.items() if record.reason})
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:60])
