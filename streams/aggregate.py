"""Aggregate: from the minutes and entities that `landed` names to buckets, spans and watermarks.

What about a second brings is joined, and each touched bucket and span is computed anew from the raw tables, never added
to. Then the partitions' progress is remembered, and the watermark follows it: a rate never counts a minute as complete
whose events are landed but not yet aggregated.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from schemas.camera import Kitchen
from schemas.catalogue import EVENT_TYPES
from schemas.event import EventData
from schemas.registry import Operator
from schemas.seal import Order
from sinks.clickhouse import aggregates
from sinks.clickhouse.aggregates import PartitionProgress, Touched
from sinks.clickhouse.client import Store, now
from streams.land import Landed
from streams.timeline import operator_spans
from streams.topics import Extent
from streams.watermark import PartitionState, as_of, watermark

log: Final = logging.getLogger(__name__)

Extents = Callable[[str], Awaitable[dict[int, Extent]]]
"""What there is in a topic's partitions."""

_ACTIVE_DAYS: Final = "takeaway_active_days"
_PLACES_AT_ONCE: Final = 1_000
_OPERATORS_AT_ONCE: Final = 1_000
"""A statement of ClickHouse has at most 256 KiB."""

Value = TypeVar("Value", int, str)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _portions(values: Collection[Value], size: int) -> Iterator[list[Value]]:
    """The values in order, in lists of at most `size`."""
    ordered = sorted(values)
    for first in range(0, len(ordered), size):
        yield ordered[first : first + size]


class Clock(NamedTuple):
    """The rules of time: `mode` is wall or event."""

    mode: str
    lateness: timedelta


class Joined(NamedTuple):
    """What several `Landed` say together."""

    touched: dict[type[EventData], Touched]
    progress: dict[tuple[str, int], PartitionProgress]


def join(messages: Sequence[Landed]) -> Joined:
    """Joins messages: places together, the least landing time, the furthest progress."""
    touched: dict[type[EventData], Touched] = {}
    progress: dict[tuple[str, int], PartitionProgress] = {}
    for message in messages:
        landed_at = _moment(message.landed_at)
        for kind, places in message.touched.items():
            model = EVENT_TYPES[kind]
            known = touched.get(model)
            touched[model] = Touched(
                frozenset(places) | (known.places if known else frozenset()),
                min(landed_at, known.since) if known else landed_at,
            )
        for partition, (offset, greatest) in message.progress.items():
            key = (message.stream, partition)
            known_progress = progress.get(key, PartitionProgress(0, _EPOCH))
            progress[key] = PartitionProgress(
                max(offset, known_progress.next_offset), max(_moment(greatest), known_progress.max_time)
            )
    return Joined(touched, progress)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


class Aggregator:
    """Recomputes what was touched, and moves watermarks.

    :param active_days: days for which an order makes a takeaway operator active; 0 does not ask for orders.
    """

    def __init__(self, store: Store, extents: Extents, clock: Clock, active_days: int) -> None:
        self._store = store
        self._extents = extents
        self._clock = clock
        self._active_days = active_days

    async def adopt_settings(self) -> None:
        """Recomputes what stored aggregates owe to a setting that has another value now."""
        wanted = str(self._active_days)
        stored = await aggregates.read_setting(self._store, _ACTIVE_DAYS)
        if stored == wanted:
            return
        if stored is not None:
            log.warning("takeaway_active_days was %s and is %s: all timelines are computed anew", stored, wanted)
            minutes = await aggregates.order_minutes(self._store) if self._active_days else []
            for portion in _portions(minutes, _PLACES_AT_ONCE):
                await aggregates.recompute_activity(self._store, portion, None, self._active_days)
            await self.timelines(await aggregates.all_operators(self._store))
        await aggregates.write_setting(self._store, _ACTIVE_DAYS, wanted)

    async def apply(self, messages: Sequence[Landed]) -> None:
        """Recomputes all that these messages touched, and only then remembers how far their partitions are."""
        joined = join(messages)
        operators: set[str] = set()
        for model, touched in joined.touched.items():
            for places in _portions(touched.places, _PLACES_AT_ONCE):
                portion = touched._replace(places=frozenset(places))
                rivals = await aggregates.settle_identities(self._store, model, portion)
                portion = portion._replace(places=portion.places | rivals)
                if model is Order:
                    operators |= await self._orders(portion)
                elif model in (Operator, Kitchen):
                    operators |= {str(place) for place in portion.places}
        await self.timelines(operators)
        await self._remember(joined.progress)

    async def _orders(self, touched: Touched) -> set[str]:
        minutes = [int(place) for place in touched.places]
        await aggregates.recompute_flow(self._store, minutes)
        if not self._active_days:
            return set()
        operators = await aggregates.touched_operators(self._store, touched)
        for portion in _portions(operators, _OPERATORS_AT_ONCE):
            await aggregates.recompute_activity(self._store, minutes, portion, self._active_days)
        return set(operators)

    async def timelines(self, operators: Collection[str]) -> None:
        """Computes the timelines of these operators anew."""
        for portion in _portions(operators, _OPERATORS_AT_ONCE):
            await self._timelines(portion)

    async def _timelines(self, operators: Collection[str]) -> None:
        version = now()
        inputs = await aggregates.operator_inputs(self._store, operators)
        always = not self._active_days
        await aggregates.write_timelines(
            self._store,
            [
                (
                    operator,
                    operator_spans(
                        inputs.registry.get(operator, ()),
                        inputs.kitchens.get(operator, ()),
                        inputs.ordered.get(operator, ()),
                        always_ordered=always,
                    ),
                )
                for operator in sorted(operators)  # also one whose only record lost its identity: it has no spans now
            ],
            version,
        )

    async def _remember(self, progress: dict[tuple[str, int], PartitionProgress]) -> None:
        known = await aggregates.read_progress(self._store)
        merged = {
            key: PartitionProgress(max(one.next_offset, known[key].next_offset), max(one.max_time, known[key].max_time))
            if key in known
            else one
            for key, one in progress.items()
        }
        await aggregates.write_progress(self._store, merged)

    async def advance(self, streams: Collection[str]) -> dict[str, datetime]:
        """Moves the watermarks of these streams, and returns those that came into another minute: nothing that is
        shown depends on less, so nothing is written for less."""
        clock = now()
        extents = {stream: await self._extents(stream) for stream in streams}
        progress = await aggregates.read_progress(self._store)
        previous = await aggregates.read_watermarks(self._store)
        greatest = max((one.max_time for one in progress.values()), default=_EPOCH)
        event_clock = greatest if greatest > _EPOCH else None
        used = clock if self._clock.mode == "wall" else event_clock
        moved = {}
        for stream in streams:
            states = [
                PartitionState(
                    max(known.next_offset, extent.start),  # what was deleted before it was landed is no lag
                    extent.end,
                    known.max_time if known.max_time > _EPOCH else None,
                )
                for partition, extent in extents[stream].items()
                for known in [progress.get((stream, partition), PartitionProgress(0, _EPOCH))]
            ]
            mark = watermark(previous.get(stream), states, used, self._clock.lateness)
            if mark is not None and (stream not in previous or as_of(mark) != as_of(previous[stream])):
                moved[stream] = mark
        if moved and used is not None:
            await aggregates.write_watermarks(self._store, moved, used, self._clock.mode, self._clock.lateness)
        return moved
