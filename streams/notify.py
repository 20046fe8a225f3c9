"""Notify: every transition that people are told of goes to its channels, each on its own, each attempt recorded.

A channel that hangs or refuses does not delay the others. A transition is committed when each channel has taken or
refused it; what had been delivered before a crash is known from the record and is not sent again. Between a delivery
and its record a crash may send once more, under the same idempotency key.

What comes to a channel for people while many things happen is joined: a storm is one message.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
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
from sinks.clickhouse.duty import STILL, announced
from sinks.notify.channel import Channel, Outcome
from sinks.notify.envelope import Link, Message
from sinks.notify.facts import moment
from sinks.notify.message import SENT_STATES, Late, compose, digest, severity
from sinks.notify.words import Language
from streams.delivery import deliver
from streams.routing import Maintenance, Route, assignments, in_maintenance, silenced
from streams.storm import Gathering
from streams.transport import Records

log: Final = logging.getLogger(__name__)

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
    """One list of transitions: it is done when it has been read and all that waits for it is settled."""

    def __init__(self, record: Record, done: asyncio.Queue[Record]) -> None:
        self._record = record
        self._done = done
        self._open = 1  # the reading itself

    def open(self) -> None:
        """One thing more is waited for."""
        self._open += 1

    def settled(self) -> None:
        """One thing is waited for no longer."""
        self._open -= 1
        if not self._open:
            self._done.put_nowait(self._record)


class Delivery(NamedTuple):
    """One transition, or message that is ready, for one channel."""

    channel: str
    id: str
    """Under which attempts are recorded, and by which the channel knows it again."""
    told: Transition | Message
    attempts: int
    """Attempts that are recorded already."""
    late: Late | None = None
    """Why it is told after its minute, where it is."""


class Notifier:
    """Delivers through channels, one worker task a channel, in order within a channel."""

    def __init__(self, store: Store, channels: Sequence[Channel], plan: Plan = Plan()) -> None:  # noqa: B008 # immutable
        self._store = store
        self._plan = plan
        self._queues: dict[str, asyncio.Queue[Delivery]] = {one.name: asyncio.Queue() for one in channels}
        self._waiting: dict[tuple[str, str], list[_Pending]] = {}
        """Of each channel and identity that is under way, the lists that wait for it: after a rebalance a list is read
        again while its deliveries still go on, and is not to be committed before they are settled."""

    def language(self, channel: str) -> Language:
        """In which people of a channel read."""
        return self._plan.languages.get(channel, "zh")

    async def take(self, record: Record, done: asyncio.Queue[Record]) -> None:
        """Hands the transitions of one list to their channels; `done` gets the list when all have finished with it."""
        pending = _Pending(record, done)
        wanted: list[Delivery] = []
        at = now()
        silences = await active_silences(self._store, at)
        for one in cast(Records, record.value):
            transition = orjson.loads(one.value or b"null")
            if transition and self._is_sent(transition, silences, at):
                channels = await self._told(transition, at)
                wanted += await self._deliveries(transition["transition_id"], transition, channels, pending)
        self._enqueue(wanted)
        pending.settled()

    def assigned(self, transition: Transition, at: datetime) -> list[str]:
        """The channels that are told of a transition at a moment."""
        found = assignments(self._plan.routes, self._queues, transition, severity(transition), at)
        return [one.channel for one in found]

    async def _told(self, transition: Transition, at: datetime) -> list[str]:
        """The channels that are told of it now. Of an end all who were told of the firing are, whom it was escalated to
        as well, and nobody where nobody was."""
        names = self.assigned(transition, at)
        if transition["to_state"] != "resolved":
            return names
        firing = await announced(self._store, str(transition["alert_id"]), moment(transition["as_of"]))
        if firing is None:
            return names
        told = {*firing.channels, *(name for name, identity in self._waiting if identity in firing.identities)}
        return [*names, *sorted(told - set(names))] if told else []

    def held_back(self, transition: Transition, silences: Sequence[Silence], at: datetime) -> bool:
        """Whether a maintenance or one of the silences holds it back at a moment."""
        if in_maintenance(self._plan.maintenance, transition, severity(transition), at) is not None:
            return True
        return silenced(silences, transition, at) is not None

    def _is_sent(self, transition: Transition, silences: Sequence[Silence], at: datetime) -> bool:
        """Whether people are told: not of what the city's message stands for, is silenced or in maintenance."""
        if transition["to_state"] not in SENT_STATES or transition.get("inhibited_by"):
            return False
        return not self.held_back(transition, silences, at)

    async def tell(self, message: Message, channels: Collection[str]) -> None:
        """Sends what the clock asks for, such as a summary, once to each of these channels."""
        self._enqueue(await self._deliveries(message.id, message, channels))

    async def tell_late(self, transition: Transition, late: Late, channels: Collection[str]) -> int:
        """Sends what still fires once to each of these channels; returns to how many it goes now.

        A transition that was held back stays without a delivery, so what is told at last of it has its own identity."""
        was_held = late.why in ("held_back", "inhibited")
        identity = f"{STILL if was_held else ''}{transition['transition_id']}"
        wanted = await self._deliveries(identity, transition, channels)
        self._enqueue([one._replace(late=late) for one in wanted])
        return len(wanted)

    async def _deliveries(
        self, identity: str, told: Transition | Message, channels: Collection[str], pending: _Pending | None = None
    ) -> list[Delivery]:
        """What is to be delivered; of what is under way already the list waits for the end."""
        names = [one for one in channels if one in self._queues and not self._waits((one, identity), pending)]
        if not names:
            return []
        known = await alerts.attempts(self._store, identity)
        found = []
        for name in names:
            so_far = known.get(name, Attempts(0, False))
            if not so_far.settled and not self._waits((name, identity), pending):
                self._waiting[name, identity] = []
                self._waits((name, identity), pending)
                found.append(Delivery(name, identity, told, so_far.made))
        return found

    def _waits(self, key: tuple[str, str], pending: _Pending | None) -> bool:
        """Whether this is under way; the list waits for it then."""
        if key not in self._waiting:
            return False
        if pending is not None:
            pending.open()
            self._waiting[key].append(pending)
        return True

    def _enqueue(self, wanted: Sequence[Delivery]) -> None:
        for delivery in wanted:
            self._queues[delivery.channel].put_nowait(delivery)

    async def run(self, channel: Channel) -> None:
        """Delivers what is in the channel's queue, for ever."""
        gathering = Gathering(self._queues[channel.name], joins=channel.name in self._plan.joins)
        while True:
            for together in await gathering.next():
                await self._deliver(channel, together)
                for delivery in together:
                    for pending in self._waiting.pop((delivery.channel, delivery.id)):
                        pending.settled()

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
        composed = compose(
            transition,
            briefing,
            language=self.language(delivery.channel),
            base_url=self._plan.base_url,
            links=self._plan.links(transition, now()) if transition["to_state"] == "firing" else (),
            late=delivery.late,
        )
        return composed._replace(id=delivery.id)

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
