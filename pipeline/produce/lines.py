"""The lines of a file, each with its number and the byte at which it ends."""

from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from pipeline.simulator.records import Record, RecordError, read_record

LONGEST: Final = 2 << 20
"""Bytes of the longest line that is read: more than any record that Kafka takes needs, so memory stays bounded."""
GREATEST: Final = 1_000_000
"""Bytes of the greatest value that is sent: Kafka takes requests of 1 MiB."""


class Line(NamedTuple):
    """One line of a file."""

    number: int
    """Counted from 1."""
    end: int
    """The position of the byte after it."""
    text: bytes
    """With its line break. Of a line that is longer than `LONGEST` only its beginning."""
    whole: bool
    """Whether `text` is all of it."""

    @property
    def value(self) -> bytes:
        """Without the line break."""
        return self.text.rstrip(b"\r\n")

    @property
    def blank(self) -> bool:
        """Whether it holds nothing."""
        return self.whole and not self.text.strip()


def read_lines(file: IO[bytes], position: int = 0, number: int = 0) -> Iterator[Line]:
    """The lines of `file`, which stands at `position`, after line `number`."""
    while text := file.readline(LONGEST):
        number += 1
        position += len(text)
        part, whole = text, True
        while not part.endswith(b"\n") and (part := file.readline(LONGEST)):
            position += len(part)
            whole = False
        yield Line(number, position, text, whole)


def record_of(line: Line, topic: str | None) -> Record:
    """The record of a line.

    :param topic: where to send lines that do not say where they belong.

    Raises RecordError for a line that cannot be sent: nothing says where it belongs, or Kafka does not take its size.
    """
    if not line.whole:
        raise RecordError(f"line {line.number} has more than {LONGEST} bytes, an event has 65 536 at most: divide it")
    record = read_record(line.value, line.number, topic)
    if len(record.value) > GREATEST:
        raise RecordError(
            f"line {line.number} has {len(record.value)} bytes, Kafka takes {GREATEST}, an event has 65 536 at most: "
            "shorten it"
        )
    return record
