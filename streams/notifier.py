"""The notifier's own app, so that it lives and dies apart from the workers."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from faust.types import Message as Record

from schemas.action import Action
from schemas.catalogue import ACTIONS_TOPIC, ALERTS_TOPIC
from sinks.clickhouse.alert_actions import record_actions
from sinks.clickhouse.client import Store
from sinks.notify.channel import Channel
from streams.app import App, RecordListSchema, create_app, stopping_on_failure
from streams.notify import Notifier, Plan
from streams.options import Options
from streams.rounds import Rounds
from streams.transport import Records


def create_notifier(
    options: Options,
    channels: Sequence[Channel],
    plan: Plan,
    make_rounds: Callable[[Store, Notifier], Rounds],
    client_id: str = "notifier",
) -> App:
    """The app; run it with `faust.Worker`.

    :param make_rounds: what is done by the clock."""
    app = create_app(options._replace(group=f"{options.group}-notify"), client_id)
    done: asyncio.Queue[Record] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []
    stores: list[Store] = []

    def first_of_group() -> bool:
        """Of several notifiers one looks at the clock."""
        return any((one.topic, one.partition) == (ALERTS_TOPIC, 0) for one in app.consumer.assignment())

    async def opened() -> Store:
        stores.append(await Store.open(options.clickhouse))
        return stores[-1]

    @stopping_on_failure
    async def notify(stream: Any) -> None:
        store = await opened()
        notifier = Notifier(store, channels, plan)
        run = stopping_on_failure(notifier.run)
        tasks.extend(asyncio.create_task(run(channel)) for channel in channels)
        tasks.append(asyncio.create_task(_commit(app, done)))
        tasks.append(asyncio.create_task(stopping_on_failure(make_rounds(store, notifier).run)(first_of_group)))
        async for event in stream.noack().events():
            await notifier.take(event.message, done)

    @stopping_on_failure
    async def act(stream: Any) -> None:
        """What people did is written down by the one part that asks for it."""
        store = await opened()
        async for event in stream.noack().events():
            values = [record.value or b"" for record in cast(Records, event.message.value)]
            found = [Action.from_json(value) for value in values]
            await record_actions(store, [one for one in found if one is not None])
            app.lists.landed(event.message)

    async def close() -> None:
        for task in tasks:
            task.cancel()
        for channel in channels:
            await channel.close()
        for store in stores:
            await store.close()

    app.closing = close
    schema = RecordListSchema()
    app.agent(app.topic(ALERTS_TOPIC, schema=schema), name="notify")(notify)
    app.agent(app.topic(ACTIONS_TOPIC, schema=schema), name="act")(act)
    return app


async def _commit(app: App, done: asyncio.Queue[Record]) -> None:
    while True:
        app.lists.landed(await done.get())
