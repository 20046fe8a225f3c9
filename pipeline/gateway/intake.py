"""What every door does with a message: cut it into events, judge each, have Kafka store them all, the refused too."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from pipeline.gateway.binary import structured
from pipeline.gateway.items import BrokenTextError, Form, items, likely_items
from pipeline.gateway.judge import Judge, Judged, Passed, refused
from pipeline.gateway.limits import Lease, Limits
from pipeline.gateway.producer import Producer
from pipeline.gateway.records import Stored
from pipeline.keys.key import Grant
from pipeline.vendors import Ignored, Vendor
from schemas.event import latest_acceptable
from schemas.indicator import SHANGHAI
from schemas.reject import Reason, Rejection
from streams.rejects import Door

Made = TypeVar("Made")

_TURN_SECONDS: Final = 0.005
_BESIDE_BYTES: Final = 256 * 1024


_NOT_READ: Final = frozenset({Reason.NOT_JSON, Reason.TOO_LARGE})
"""Reasons that leave open whether the text is JSON."""


class _WrongCutError(Exception):
    """A list was not cut where its items end."""


class TooManyError(ValueError):
    """The message has more events than one may have."""


class Message(NamedTuple):
    """A message as it came to a door, and what is known of its producer."""

    body: bytes
    form: Form
    door: Door
    grants: Sequence[Grant]
    content_type: str = ""
    attributes: dict[str, str] = {}  # noqa: RUF012 # never written to
    """The event's attributes in binary mode."""
    topic: str | None = None
    """The stream that the message was announced for."""


class Outcome(NamedTuple):
    """What became of each event, and where Kafka has it; and which messages of a vendor's carry nothing for us."""

    judged: Sequence[Judged]
    stored: Sequence[Stored]
    passed: Sequence[Passed] = ()


class Intake:
    """The way of messages into Kafka, the same for all doors of one process."""

    def __init__(self, producer: Producer, limits: Limits) -> None:
        self._producer = producer
        self._limits = limits
        self._judge = Judge()

    async def judge(self, message: Message, lease: Lease) -> list[Judged]:
        """Every event of a message; what is held for them is taken of the lease.

        Raises NotEventsError where the message holds none, TooManyError and BusyError."""
        latest = latest_acceptable(datetime.now(SHANGHAI))  # sooner compared than other offsets with most events' own
        likely = likely_items(message.form, message.body)
        if likely is not None:
            try:
                return await _in_turns(self._proven(likely, latest, message), lease)
            except _WrongCutError:
                pass  # it has to be scanned
        return await _in_turns(await self._each(latest, message), lease)

    async def judge_vendors(self, message: Message, vendor: Vendor, lease: Lease) -> tuple[list[Judged], list[Passed]]:
        """Every event that a vendor's mapping makes of a message's items, and the items that carry nothing for us.

        Raises NotEventsError, TooManyError and BusyError as `judge` does."""
        latest = latest_acceptable(datetime.now(SHANGHAI))
        passed: list[Passed] = []
        try:
            texts = await _beside(message, self._texts)
        except BrokenTextError as error:
            return [self.refuse(message.body, Rejection(Reason.NOT_JSON, f": {error}"), message.door, lease)], passed
        mapped = (
            one
            for number, text in enumerate(texts)
            for one in self._mapped(vendor, number, text, latest, message, passed)
        )
        return await _in_turns(mapped, lease), passed

    async def store(self, judged: Sequence[Judged], lease: Lease, passed: Sequence[Passed] = ()) -> Outcome:
        """Returns when all replicas have all of them. Raises AwayError and UncertainError."""
        stored = await self._producer.send([one.outgoing for one in judged], lease) if judged else []
        return Outcome(judged, stored, passed)

    def refuse(self, raw: bytes, rejection: Rejection, door: Door, lease: Lease) -> Judged:
        """A message that is refused as a whole. Raises BusyError."""
        judged = self._kept(refused(raw, rejection, door), door)
        lease.take(judged.outgoing.size())
        return judged

    def _proven(self, texts: Iterator[bytes], latest: datetime, message: Message) -> Iterator[Judged]:
        """The events in texts that are likely the items of a list.

        Raises _WrongCutError, at any of them, where they are not, or too many."""
        for number, text in enumerate(texts, 1):
            judged = self._judged(text, latest, message)
            if number > self._limits.events or (judged.rejection and judged.rejection.reason in _NOT_READ):
                raise _WrongCutError
            yield judged

    async def _each(self, latest: datetime, message: Message) -> Iterator[Judged]:
        """The events, each judged when it is asked for."""
        if message.form is Form.BINARY:
            raw, rejection = await _beside(message, self._structured)
            return iter((self._refused(raw, rejection, message) if rejection else self._judged(raw, latest, message),))
        try:
            texts = await _beside(message, self._texts)
        except BrokenTextError as error:
            return iter((self._refused(message.body, Rejection(Reason.NOT_JSON, f": {error}"), message),))
        return (self._judged(text, latest, message) for text in texts)

    @staticmethod
    def _structured(message: Message) -> tuple[bytes, Rejection | None]:
        return structured(message.attributes, message.content_type, message.body)

    def _texts(self, message: Message) -> list[bytes]:
        texts = list(islice(items(message.form, message.body), self._limits.events + 1))
        if len(texts) > self._limits.events:
            raise TooManyError(f"the request has more than {self._limits.events} events: send fewer a request")
        return texts

    def _judged(self, raw: bytes, latest: datetime, message: Message) -> Judged:
        return self._kept(self._judge.judge(raw, latest, message.door, message.grants, message.topic), message.door)

    def _refused(self, raw: bytes, rejection: Rejection, message: Message) -> Judged:
        return self._kept(refused(raw, rejection, message.door), message.door)

    def _mapped(
        self, vendor: Vendor, number: int, raw: bytes, latest: datetime, message: Message, passed: list[Passed]
    ) -> Iterator[Judged]:
        """What a vendor's own message becomes. Of what is refused its bytes are kept, so that it can be read again by a
        better mapping."""
        events = vendor.events(raw)
        if isinstance(events, Rejection):
            yield self._refused(raw, events, message)._replace(message=number)
            return
        if isinstance(events, Ignored):
            passed.append(Passed(number, events.why))
            return
        for text in events:
            judged = self._judge.judge(text, latest, message.door, message.grants, message.topic)
            if judged.rejection is not None:
                judged = self._refused(raw, judged.rejection, message)
            yield judged._replace(message=number)

    def _kept(self, judged: Judged, door: Door) -> Judged:
        """A refused item as the topic of the rejected takes it: what is greater is cut, and its reason says so."""
        greatest = self._producer.raw_bytes
        if judged.rejection is None or len(judged.outgoing.value) <= greatest:
            return judged
        rejection = judged.rejection
        note = f"{rejection.detail[:400]}; only the first {greatest} bytes of it are kept"
        return refused(judged.outgoing.value[:greatest], rejection._replace(detail=note), door)


async def _beside(message: Message, work: Callable[[Message], Made]) -> Made:
    """The work on a message, in a thread where it is great: a hostile one takes seconds, and others are served then."""
    if len(message.body) > _BESIDE_BYTES:
        return await asyncio.to_thread(work, message)
    return work(message)


async def _in_turns(events: Iterator[Judged], lease: Lease) -> list[Judged]:
    """All of the events, with a turn for other requests after each few milliseconds of judging. Raises BusyError."""
    judged: list[Judged] = []
    held = 0
    turn = time.monotonic() + _TURN_SECONDS
    for one in events:
        judged.append(one)
        held += one.outgoing.size()
        if time.monotonic() > turn:
            lease.take(held)
            held = 0
            await asyncio.sleep(0)
            turn = time.monotonic() + _TURN_SECONDS
    lease.take(held)
    return judged
