"""A file's events to Kafka in portions. Each is acknowledged by all replicas before the next is sent."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from pipeline.produce.bookmark import Bookmark, Place, Written
from pipeline.produce.lines import Line, read_lines, record_of
from pipeline.simulator.records import Record, RecordError
from streams.kafka_access import require_access
from streams.kafka_address import KafkaAddress

PORTION: Final = 5_000
"""Events that are sent at once."""
PORTION_BYTES: Final = 16 << 20
"""And their values together, but for the last."""
PATIENCE_SECONDS: Final = 60.0
"""For how long a Kafka is waited for that went away in the middle."""
_RECONNECT_MS: Final = 1_000
_CLOSE_SECONDS: Final = 1.0


class Sender:
    """Kafka, as a run needs it.

    Raises KafkaError where it does not answer."""

    def __init__(self, address: KafkaAddress, patience: float = PATIENCE_SECONDS) -> None:
        require_access(address)
        self._patience = patience
        self._address = address
        patience_ms = int(patience * 1000)
        self._producer: Any = KafkaProducer(
            **address.for_kafka_python(),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=20,
            batch_size=256 * 1024,
            reconnect_backoff_max_ms=_RECONNECT_MS,
            request_timeout_ms=patience_ms // 2,
            delivery_timeout_ms=patience_ms,
            max_block_ms=patience_ms,
        )

    def cluster(self) -> str:
        """Kafka's own id. Raises KafkaError."""
        admin = KafkaAdminClient(**self._address.for_kafka_python())
        try:
            return str(admin.describe_cluster()["cluster_id"])
        finally:
            admin.close()

    def send(self, records: Sequence[Record]) -> None:
        """Returns when all replicas have all of them. Raises KafkaError."""
        futures = [self._producer.send(one.topic, value=one.value, key=one.key) for one in records]
        self._producer.flush()
        for future in futures:
            future.get(self._patience)

    def close(self) -> None:
        """Ends the connection; what is not acknowledged yet is given up."""
        with suppress(KafkaError):  # it says that it has given up
            self._producer.close(timeout=_CLOSE_SECONDS)


class Portion(NamedTuple):
    """What is sent at once."""

    records: list[Record]
    last: Line
    """Its last line."""
    sha256: str
    """Digest of the file up to that line's end."""


def portions(lines: Iterator[Line], topic: str | None, digest: Any) -> Iterator[Portion]:
    """The portions of a file's lines.

    :param digest: SHA-256 of what stands before them, which is gone on with.

    Raises RecordError at a line that cannot be sent, after a portion of those before it."""
    records: list[Record] = []
    size = 0
    last: Line | None = None
    for line in lines:
        try:
            if not line.blank:
                records.append(record_of(line, topic))
                size += len(records[-1].value)
        except RecordError:
            if last is not None:
                yield Portion(records, last, digest.hexdigest())
            raise
        digest.update(line.text)
        last = line
        if len(records) >= PORTION or size >= PORTION_BYTES:
            yield Portion(records, last, digest.hexdigest())
            records, size, last = [], 0, None
    if last is not None:
        yield Portion(records, last, digest.hexdigest())


def send_file(
    file: IO[bytes],
    topic: str | None,
    sender: Sender,
    bookmark: Bookmark | None,
    found: Written | None,
    reached: Callable[[Place], None],
) -> None:
    """Sends the lines of `file` from where it stands to its end.

    :param bookmark: where to keep how far it is; None for what cannot be gone on with.
    :param found: where the file stands, if that is not its beginning.
    :param reached: is told of each place up to which everything is on Kafka.

    Raises RecordError at a line that cannot be sent, KafkaError where Kafka does not acknowledge; then everything
    before the last place that was reached is on Kafka."""
    place, digest = found or Written(Place(), hashlib.sha256())
    for portion in portions(read_lines(file, place.position, place.line), topic, digest):
        sender.send(portion.records)
        place = Place(portion.last.end, portion.last.number, place.events + len(portion.records))
        if bookmark is not None and portion.last.text.endswith(b"\n"):  # a line that may still grow is sent again
            bookmark.write(place, portion.sha256)
        reached(place)
    if bookmark is not None:
        bookmark.remove()
