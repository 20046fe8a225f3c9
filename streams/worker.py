"""The worker: all stages as Faust agents of one app. Any number of workers share the partitions.

The agents only move values between Faust and the stages; what the stages do stands in their own modules.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

import orjson
from faust.types import Message

from schemas.camera import Heartbeat
from schemas.catalogue import AGGREGATED_TOPIC, ALERTS_TOPIC, LANDED_TOPIC, REJECTED_TOPIC, STREAMS
from schemas.event import EventData
from schemas.indicator import Indicator
from schemas.personal import Tokeniser
from schemas.seal import Order
from sinks.clickhouse.client import Store
from sinks.clickhouse.rejected import record_rejected
from streams.aggregate import Aggregator, Clock
from streams.alert import Alerter
from streams.app import App, RecordListSchema, create_app, stopping_on_failure
from streams.backlog import Backlog
from streams.conditions import ConditionWatch
from streams.event_alerts import EventAlerter
from streams.garbage import quieten_garbage_collector
from streams.judging import Judges
from streams.land import Gatherer, Landed, Lander, Landing, Refused
from streams.options import Options
from streams.rejects import from_record, headers_of
from streams.rejects_condition import RejectsWatch
from streams.sending import Outgoing, send_all
from streams.silences import Silences
from streams.topics import Offsets
from streams.transport import Records

log: Final = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.1
AGGREGATE_SECONDS: Final = 2.0
"""What so long brings is joined; but no longer than until the watermark can come into another minute."""
SILENCE_SECONDS: Final = 10.0
JOIN_MESSAGES: Final = 64


def create_worker(options: Options, catalogue: Iterable[Indicator], client_id: str = "yangguang") -> App:
    """The app with its agents; run it with `faust.Worker`."""
    app = create_app(options, client_id)
    stages = _Stages(app, options, list(catalogue))
    app.closing = stages.close
    return app


class _Stages:
    """Wiring of one worker."""

    def __init__(self, app: App, options: Options, catalogue: list[Indicator]) -> None:
        self._app = app
        self._options = options
        self._catalogue = catalogue
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self._offsets: Offsets | None = None
        self._landing: Landing | None = None
        self._aggregator: Aggregator | None = None
        self._judges: Judges | None = None
        self._backlog: Backlog | None = None
        self._to_aggregate: list[Message] = []
        self._drained = asyncio.Event()
        self._as_of_moved = asyncio.Event()
        schema = RecordListSchema()
        app.agent(app.topic(*STREAMS, schema=schema), name="land")(stopping_on_failure(self._land))
        app.agent(app.topic(REJECTED_TOPIC, schema=schema), name="rejected")(stopping_on_failure(self._rejected))
        app.agent(app.topic(LANDED_TOPIC, schema=schema), name="aggregate")(stopping_on_failure(self._aggregate))
        app.agent(app.topic(AGGREGATED_TOPIC, schema=schema), name="alert")(stopping_on_failure(self._alert))
        app.on_partitions_revoked.connect(self._revoked)
        app.task()(stopping_on_failure(self._land_ticks))
        app.task()(stopping_on_failure(self._aggregate_ticks))
        app.task()(stopping_on_failure(self._alert_ticks))

    async def _opened(self) -> Store:
        async with self._opening:
            if self._store is None:
                store = await Store.open(self._options.clickhouse)
                lander = Lander(
                    store, Tokeniser(self._options.personal_key), self._publish_landed, self._publish_rejected
                )
                self._landing = Landing(Gatherer(), lander, self._app.lists.landed)
                self._offsets = Offsets(self._options.kafka)
                clock = Clock(self._options.clock, self._options.lateness)
                kept: dict[type[EventData], timedelta | None] = {
                    Heartbeat: self._options.heartbeats_kept,
                    Order: self._options.orders_kept,
                }
                self._aggregator = Aggregator(
                    store,
                    self._offsets.extents,
                    clock,
                    self._catalogue,
                    self._options.takeaway_active_days,
                    {model: length for model, length in kept.items() if length is not None},
                )
                self._backlog = Backlog(self._options.kafka, self._options.group)
                self._judges = self._made_judges(store, self._backlog)
                quieten_garbage_collector()
                self._store = store
            return self._store

    def _made_judges(self, store: Store, backlog: Backlog) -> Judges:
        publish, silences, by_events = self._publish_transitions, Silences(), self._options.clock == "event"
        return Judges(
            store,
            [  # conditions first, as rates go no further than silence is judged
                ConditionWatch(store, self._catalogue, publish, event_clock=by_events, silences=silences),
                Alerter(store, self._catalogue, publish, event_clock=by_events, silences=silences),
                EventAlerter(store, publish, self._options.events, event_clock=by_events),
                RejectsWatch(store, self._options.rejects, backlog, publish),
            ],
            publish,
        )

    async def close(self) -> None:
        """Closes what was opened, when nothing uses it any more."""
        if self._store is not None:
            await self._store.close()
        if self._offsets is not None:
            self._offsets.close()
        if self._backlog is not None:
            self._backlog.close()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        if self._aggregator is not None:
            self._aggregator.forget()
        if self._judges is not None:
            self._judges.forget()

    # land

    async def _land(self, stream: Any) -> None:
        await self._opened()
        landing = cast(Landing, self._landing)
        async for message in _messages(stream):
            await landing.take(message)

    async def _land_ticks(self) -> None:
        await self._opened()
        landing = cast(Landing, self._landing)
        while not self._app.should_stop:
            await landing.tick()
            await self._app.sleep(TICK_SECONDS)

    async def _publish_landed(self, landed: Landed) -> None:
        await self._send(Outgoing(LANDED_TOPIC, landed.stream.encode(), landed.to_json(), STREAMS.index(landed.stream)))

    async def _publish_rejected(self, refused: Sequence[Refused]) -> None:
        await self._send(
            *(
                Outgoing(REJECTED_TOPIC, one.record.key, one.record.value or b"", None, headers_of(*one))
                for one in refused
            )
        )

    async def _send(self, *records: Outgoing) -> None:
        await send_all(self._app.producer, records)

    # rejected

    async def _rejected(self, stream: Any) -> None:
        store = await self._opened()
        async for message in _messages(stream):
            await record_rejected(store, [from_record(record) for record in cast(Records, message.value)])
            self._app.lists.landed(message)

    # aggregate

    async def _aggregate(self, stream: Any) -> None:
        await self._opened()
        async for message in _messages(stream):
            self._to_aggregate.append(message)
            while len(self._to_aggregate) > JOIN_MESSAGES:
                self._drained.clear()
                await self._drained.wait()

    async def _aggregate_ticks(self) -> None:
        await self._opened()
        aggregator = cast(Aggregator, self._aggregator)
        adopted = False
        while not self._app.should_stop:
            messages, self._to_aggregate = self._to_aggregate, []
            self._drained.set()
            if not adopted and self._owned(LANDED_TOPIC):
                await aggregator.adopt_settings()
                adopted = True
            state = None
            if messages:
                state = await aggregator.apply(
                    [
                        Landed.from_json(record.value)
                        for one in messages
                        for record in cast(Records, one.value)
                        if record.value
                    ]
                )
                for message in messages:
                    self._app.lists.landed(message)
            streams = [STREAMS[partition] for partition in self._owned(LANDED_TOPIC)]
            if streams:
                for stream, mark in (await aggregator.advance(streams, state)).items():
                    moved = orjson.dumps({"stream": stream, "watermark": mark})
                    await self._send(Outgoing(AGGREGATED_TOPIC, stream.encode(), moved))
            await self._app.sleep(min(AGGREGATE_SECONDS, aggregator.until_next_minute()))

    def _owned(self, topic: str) -> list[int]:
        """Partitions of the topic that this worker owns now."""
        return sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == topic)

    # alert

    async def _alert(self, stream: Any) -> None:
        await self._opened()
        async for message in _messages(stream):
            self._as_of_moved.set()
            self._app.lists.landed(message)

    async def _alert_ticks(self) -> None:
        """Judges when an as_of has moved, and now and then in the silence in which none does."""
        await self._opened()
        judges = cast(Judges, self._judges)
        while not self._app.should_stop:
            if self._owned(AGGREGATED_TOPIC):
                self._as_of_moved.clear()
                if count := await judges.evaluate():
                    log.info("%d transitions", count)
            else:
                judges.forget()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._as_of_moved.wait(), SILENCE_SECONDS)

    async def _publish_transitions(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        for one in transitions:  # one behind the other: people are told in this order
            await self._send(Outgoing(ALERTS_TOPIC, one["alert_id"].encode(), orjson.dumps(one)))


async def _messages(stream: Any) -> AsyncIterator[Message]:
    """Messages whose acknowledgement by Faust means nothing: see `RecordListConsumer.landed`."""
    async for event in stream.noack().events():
        yield event.message
