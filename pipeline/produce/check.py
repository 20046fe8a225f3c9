"""What the worker would say to each line of a file, asked before anything is sent."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from pipeline.produce.lines import LONGEST, Line, record_of
from pipeline.simulator.records import RecordError
from schemas.catalogue import STREAMS
from schemas.decode import Decoder
from schemas.reject import Reason, Rejection

EXAMPLES: Final = 3
"""How many lines of each reason are told."""


class Refused(NamedTuple):
    """A line that would be refused."""

    line: int
    detail: str
    """JSON pointer and message; never a value."""


@dataclass
class Tally:
    """What would become of the lines that were looked at."""

    accepted: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, list[Refused]] = field(default_factory=dict)
    """The first of each reason."""
    stops_at: int | None = None
    """The first line that cannot be sent, as its topic is not known: there a run would end."""

    def refuse(self, line: int, rejection: Rejection) -> None:
        """Counts one line that would be refused."""
        self.refused[rejection.reason] += 1
        known = self.examples.setdefault(rejection.reason, [])
        if len(known) < EXAMPLES:
            known.append(Refused(line, rejection.detail))


class Judge:
    """Judges lines as the workers do, which read topic by topic; what they would not even get, as the gateway does.

    :param topic: where lines would be sent that do not say where they belong.
    """

    def __init__(self, topic: str | None) -> None:
        self._topic = topic
        self._decoders = {stream: Decoder(stream) for stream in STREAMS}
        self._any = Decoder(None)
        self.tally = Tally()

    def take(self, line: Line, latest: datetime) -> None:
        """Judges one line and counts it; blank ones are passed over.

        :param latest: the greatest acceptable `time` of an event."""
        if line.blank:
            return
        rejection = self._rejection(line, latest)
        if rejection is None:
            self.tally.accepted += 1
        else:
            self.tally.refuse(line.number, rejection)

    def _rejection(self, line: Line, latest: datetime) -> Rejection | None:
        try:
            record = record_of(line, self._topic)
        except RecordError as error:
            if self.tally.stops_at is None:
                self.tally.stops_at = line.number
            return self._unsendable(line, str(error), latest)
        decoder = self._decoders.get(record.topic)
        if decoder is None:
            return Rejection(Reason.WRONG_TOPIC, f": topic {record.topic} carries no events: name one that does")
        outcome = decoder.decode(record.value, latest)
        return outcome if isinstance(outcome, Rejection) else None

    def _unsendable(self, line: Line, why: str, latest: datetime) -> Rejection:
        if not line.whole:
            return Rejection(Reason.TOO_LARGE, f": the line has more than {LONGEST} bytes")
        outcome = self._any.decode(line.value, latest)
        if isinstance(outcome, Rejection) and b'"value_base64"' not in line.value:
            return outcome
        return Rejection(Reason.NOT_CLOUDEVENT, f": {why.removeprefix(f'line {line.number}: ')}")
