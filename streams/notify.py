"""Notify: every transition that people are told of goes to every channel, each on its own, each attempt recorded.

A channel that hangs or refuses does not delay the others. A transition is committed when each channel has taken or
refused it; what had been delivered before a crash is known from the record and is not sent again. Between a delivery
and its record a crash may send once more, under the same idempotency key.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import orjson
from faust.types import Message

from schemas.catalogue import ALERTS_TOPIC
from sinks.clickhouse import alerts
from sinks.clickhouse.alerts import Attempts
from sinks.clickhouse.client import Store
from sinks.notify.channel import Channel
from sinks.notify.message import SENT_KINDS, SENT_STATES, compose
from streams.app import App, Options, RecordListSchema, create_app, stopping_on_failure
from streams.transport import Records

log: Final = logging.getLogger(__name__)

RETRY_FIRST_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 24 * 3600.0


class _Pending:
    """One list of transitions and how many deliveries of it are open."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.open = 0


class _Delivery(NamedTuple):
    """One message for one channel."""

    channel: str
    text: dict[str, Any]
    attempts: int
    """Attempts that are recorded already."""
    pending: _Pending


class Notifier:
    """Delivers transitions through channels, one worker task a channel, in order within a channel."""

    def __init__(self, store: Store, channels: Sequence[Channel]) -> None:
        self._store = store
        self._channels = channels
        self._queues: dict[str, asyncio.Queue[_Delivery]] = {one.name: asyncio.Queue() for one in channels}

    async def take(self, message: Message, done: asyncio.Queue[Message]) -> None:
        """Hands the transitions of one list to all channels; `done` gets the list when all have finished with it."""
        pending = _Pending(message)
        wanted: list[_Delivery] = []
        for record in cast(Records, message.value):
            transition = orjson.loads(record.value or b"{}")
            if transition.get("inhibited_by"):
                continue  # the city's message stands for it
            if transition.get("kind") in SENT_KINDS and transition["to_state"] in SENT_STATES:
                known = await alerts.attempts(self._store, transition["transition_id"])
                for channel in self._channels:
                    so_far = known.get(channel.name, Attempts(0, False))
                    if not so_far.settled:
                        wanted.append(_Delivery(channel.name, compose(transition), so_far.made, pending))
        pending.open = len(wanted)
        if not wanted:
            done.put_nowait(message)
        for delivery in wanted:
            self._queues[delivery.channel].put_nowait(delivery)

    async def run(self, channel: Channel, done: asyncio.Queue[Message]) -> None:
        """Delivers what is in the channel's queue, for ever."""
        queue = self._queues[channel.name]
        while True:
            delivery = await queue.get()
            await self._deliver(channel, delivery.text, delivery.attempts)
            delivery.pending.open -= 1
            if not delivery.pending.open:
                done.put_nowait(delivery.pending.message)

    async def _deliver(self, channel: Channel, message: dict[str, Any], attempt: int) -> None:
        delay, waited = RETRY_FIRST_SECONDS, 0.0
        while True:
            attempt += 1
            outcome = await channel.send(message)
            await alerts.record_delivery(
                self._store, message["transition_id"], channel.name, attempt, outcome.word, outcome.detail
            )
            if outcome.word != "failed" or waited > GIVE_UP_SECONDS:
                if outcome.word != "delivered":
                    log.error("channel %s does not take %s: %s", channel.name, message["transition_id"], outcome.detail)
                return
            log.warning("channel %s: %s; tried again in %.0f s", channel.name, outcome.detail, delay)
            await asyncio.sleep(delay)
            waited += delay
            delay = min(delay * 2, RETRY_MAX_SECONDS)


def create_notifier(options: Options, channels: Sequence[Channel], client_id: str = "notifier") -> App:
    """The notifier's own app, so that it lives and dies apart from the workers."""
    app = create_app(options._replace(group=f"{options.group}-notify"), client_id)
    done: asyncio.Queue[Message] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []

    @stopping_on_failure
    async def notify(stream: Any) -> None:
        store = await Store.open(options.clickhouse)
        notifier = Notifier(store, channels)
        run = stopping_on_failure(notifier.run)
        tasks.extend(asyncio.create_task(run(channel, done)) for channel in channels)
        tasks.append(asyncio.create_task(_commit(app, done)))
        async for event in stream.noack().events():
            await notifier.take(event.message, done)

    async def close() -> None:
        for task in tasks:
            task.cancel()
        for channel in channels:
            await channel.close()

    app.closing = close
    app.agent(app.topic(ALERTS_TOPIC, schema=RecordListSchema()), name="notify")(notify)
    return app


async def _commit(app: App, done: asyncio.Queue[Message]) -> None:
    while True:
        app.lists.landed(await done.get())
