"""Notify: every transition that people are told of goes to its channels, each on its own, each attempt recorded.

A channel that hangs or refuses does not delay the others. A transition is committed when each channel has taken or
refused it; what had been delivered before a crash is known from the record and is not sent again. Between a delivery
and its record a crash may send once more, under the same idempotency key.

What waits in a channel for people while many things happen is joined: a storm is one message.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

import orjson
from faust.types import Message as Record

from schemas.action import Silence
from schemas.indicator import Indicator
from schemas.indicators import CATALOGUE
from sinks.clickhouse import alerts
from sinks.clickhouse.alert_actions import active_silences
from sinks.clickhouse.alerts import Attempts
from sinks.clickhouse.briefing import Briefing, brief_on
from sinks.clickhouse.client import Store, now
from sinks.notify.channel import Channel, Outcome
from sinks.notify.envelope import Link, Message
from sinks.notify.message import SENT_STATES, compose, digest, severity
from sinks.notify.words import Language
from streams.delivery import deliver
from streams.routing import Maintenance, Route, assignments, in_maintenance, silenced
from streams.transport import Records

log: Final = logging.getLogger(__name__)

STORM: Final = 8
"""So many messages that wait for one channel of people are joined."""
STORM_MOST: Final = 200

BRIEFING_SECONDS: Final = 3.0
"""A message is not held up for what would only make it better."""

Transition = Mapping[str, Any]


class Plan(NamedTuple):
    """Who is told of what, as the configuration wants it.

    `joins` are the channels for people, in which a storm is one message; `links` makes what a person can open to act on
    an alert that fires."""

    routes: Sequence[Route] = ()
    maintenance: Sequence[Maintenance] = ()
    joins: Collection[str] = ()
    languages: Mapping[str, Language] = MappingProxyType({})
    """By channel; Chinese where none is named."""
    base_url: str = ""
    catalogue: Mapping[str, Indicator] = CATALOGUE
    links: Callable[[Transition, datetime], Sequence[Link]] = lambda _transition, _at: ()


class _Pending:
    """One list of transitions and how many deliveries of it are open; no list for what came otherwise."""

    def __init__(self, record: Record | None) -> None:
        self.record = record
        self.open = 0


class Delivery(NamedTuple):
    """One transition, or message that is ready, for one channel."""

    channel: str
    id: str
    told: Transition | Message
    attempts: int
    """Attempts that are recorded already."""
    pending: _Pending
    unanswered_since: datetime | None = None
    """When others were told of it, where it is escalated."""


class Notifier:
    """Delivers through channels, one worker task a channel, in order within a channel."""

    def __init__(self, store: Store, channels: Sequence[Channel], plan: Plan = Plan()) -> None:  # noqa: B008 # immutable
        self._store = store
        self._plan = plan
        self._queues: dict[str, asyncio.Queue[Delivery]] = {one.name: asyncio.Queue() for one in channels}
        self._queued: set[tuple[str, str]] = set()

    def language(self, channel: str) -> Language:
        """In which people of a channel read."""
        return self._plan.languages.get(channel, "zh")

    async def take(self, record: Record, done: asyncio.Queue[Record]) -> None:
        """Hands the transitions of one list to their channels; `done` gets the list when all have finished with it."""
        pending = _Pending(record)
        wanted: list[Delivery] = []
        at = now()
        silences = await active_silences(self._store, at)
        for one in cast(Records, record.value):
            transition = orjson.loads(one.value or b"null")
            if transition and self._is_sent(transition, silences, at):
                assigned = assignments(self._plan.routes, self._queues, transition, severity(transition), at)
                names = [assignment.channel for assignment in assigned]
                wanted += await self._deliveries(transition["transition_id"], transition, names, pending)
        self._enqueue(wanted, pending)
        if not wanted:
            done.put_nowait(record)

    def _is_sent(self, transition: Transition, silences: Sequence[Silence], at: datetime) -> bool:
        """Whether people are told: not of what the city's message stands for, is silenced or in maintenance."""
        if transition["to_state"] not in SENT_STATES or transition.get("inhibited_by"):
            return False
        if in_maintenance(self._plan.maintenance, transition, severity(transition), at) is not None:
            return False
        return silenced(silences, transition, at) is None

    async def tell(self, message: Message, channels: Collection[str]) -> None:
        """Sends what the clock asks for, such as a summary, once to each of these channels."""
        pending = _Pending(None)
        self._enqueue(await self._deliveries(message.id, message, channels, pending), pending)

    async def escalate(self, transition: Transition, told_at: datetime, channels: Collection[str]) -> int:
        """Sends what nobody has acknowledged once to each of these channels; returns to how many it goes now.

        :param told_at: when others were told."""
        pending = _Pending(None)
        wanted = await self._deliveries(str(transition["transition_id"]), transition, channels, pending)
        self._enqueue([one._replace(unanswered_since=told_at) for one in wanted], pending)
        return len(wanted)

    async def _deliveries(
        self, identity: str, told: Transition | Message, channels: Collection[str], pending: _Pending
    ) -> list[Delivery]:
        known = await alerts.attempts(self._store, identity)
        found = []
        for name in channels:
            so_far = known.get(name, Attempts(0, False))
            if name in self._queues and not so_far.settled and (name, identity) not in self._queued:
                found.append(Delivery(name, identity, told, so_far.made, pending))
        return found

    def _enqueue(self, wanted: Sequence[Delivery], pending: _Pending) -> None:
        pending.open = len(wanted)
        for delivery in wanted:
            self._queued.add((delivery.channel, delivery.id))
            self._queues[delivery.channel].put_nowait(delivery)

    async def run(self, channel: Channel, done: asyncio.Queue[Record]) -> None:
        """Delivers what is in the channel's queue, for ever."""
        queue = self._queues[channel.name]
        while True:
            together = [await queue.get()]
            if channel.name in self._plan.joins and queue.qsize() + 1 >= STORM:
                with suppress(asyncio.QueueEmpty):
                    while len(together) < STORM_MOST:
                        together.append(queue.get_nowait())
            await self._deliver(channel, together)
            for delivery in together:
                self._queued.discard((delivery.channel, delivery.id))
                delivery.pending.open -= 1
                if not delivery.pending.open and delivery.pending.record is not None:
                    done.put_nowait(delivery.pending.record)

    async def _briefing(self, transition: Transition) -> Briefing:
        try:
            return await asyncio.wait_for(brief_on(self._store, transition, self._plan.catalogue), BRIEFING_SECONDS)
        except Exception as error:  # whatever it is, the message goes without
            log.warning("%s goes without its briefing (%s)", transition["transition_id"], type(error).__name__)
            return Briefing()

    async def _message(self, delivery: Delivery, *, alone: bool) -> Message:
        if isinstance(delivery.told, Message):
            return delivery.told
        transition = delivery.told
        # a digest shows titles only, and a storm is no time to ask for what nobody sees
        briefing = await self._briefing(transition) if alone else Briefing()
        return compose(
            transition,
            briefing,
            language=self.language(delivery.channel),
            base_url=self._plan.base_url,
            links=self._plan.links(transition, now()) if transition["to_state"] == "firing" else (),
            unanswered_since=delivery.unanswered_since,
        )

    async def _deliver(self, channel: Channel, together: Sequence[Delivery]) -> None:
        messages = [await self._message(one, alone=len(together) == 1) for one in together]
        message = messages[0] if len(messages) == 1 else digest(messages, language=self.language(channel.name))
        joined = "" if len(together) == 1 else f" (one of {len(together)} in {message.id})"
        attempts = count(1 + max(one.attempts for one in together))

        async def record(outcome: Outcome) -> None:
            attempt = next(attempts)
            await asyncio.gather(
                *(
                    alerts.record_delivery(
                        self._store, one.id, channel.name, attempt, outcome.word, outcome.detail + joined
                    )
                    for one in together
                )
            )

        await deliver(channel, message, record)
