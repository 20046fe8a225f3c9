"""Aggregate: from the minutes and entities that `landed` names to buckets, spans and watermarks.

What two seconds bring is joined, and each touched bucket and span is computed anew from the raw tables, never added
to. Then the partitions' progress is remembered, and the watermark follows it: a rate never counts a minute as complete
whose events are landed but not yet aggregated.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.banquet import Banquet
from schemas.camera import Finding, Heartbeat, Kitchen
from schemas.catalogue import EVENT_TYPES
from schemas.event import EventData
from schemas.indicator import Indicator
from schemas.measure import Measure
from schemas.registry import Operator, Village
from schemas.seal import Order
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.identity import Touched, settle_identities
from sinks.clickhouse.progress import (
    PartitionProgress,
    State,
    read_state,
    write_progress,
    write_watermarks,
)
from sinks.clickhouse.retention import drop_older, floor_at
from streams.land import Landed
from streams.rebuild import adopt
from streams.recompute import Recomputer, portions
from streams.topics import Extent
from streams.watermark import PartitionState, as_of, seconds_to_minute, watermark

log: Final = logging.getLogger(__name__)

Extents = Callable[[str], Awaitable[dict[int, Extent]]]
"""What there is in a topic's partitions."""

_PLACES_AT_ONCE: Final = 1_000
"""A statement of ClickHouse has at most 256 KiB."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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

    :param catalogue: indicators with the configuration applied.
    :param active_days: days for which an order makes a takeaway operator active; 0 does not ask for orders.
    :param kept: for how long raw rows are kept, of the event types that are not kept for ever.
    """

    def __init__(
        self,
        store: Store,
        extents: Extents,
        clock: Clock,
        catalogue: Iterable[Indicator],
        active_days: int,
        kept: Mapping[type[EventData], timedelta] | None = None,
    ) -> None:
        self._store = store
        self._extents = extents
        self._clock = clock
        self._catalogue = list(catalogue)
        self._active_days = active_days
        self._kept = kept or {}
        self._marked: dict[str, datetime] = {}
        self._dropped: set[tuple[type[EventData], datetime]] = set()
        self._recompute = Recomputer(store, self._catalogue, active_days)

    async def adopt_settings(self) -> None:
        """Recomputes what stored aggregates owe to settings and definitions that are others now."""
        await adopt(self._store, self._catalogue, self._active_days)

    def until_next_minute(self) -> float:
        """Seconds until a watermark that follows the machine's clock can come into another minute; in event time nobody
        knows, so a second."""
        if self._clock.mode == "event":
            return 1.0
        return seconds_to_minute(now() - self._clock.lateness)

    def forget(self) -> None:
        """Another worker may own the streams now, or soon."""
        self._recompute.forget()
        self._marked.clear()

    async def apply(self, messages: Sequence[Landed]) -> State:
        """Recomputes all that these messages touched, and only then remembers how far their partitions are.

        Returns how far everything is now."""
        joined = join(messages)
        state: State
        state, settled = await asyncio.gather(
            read_state(self._store),
            asyncio.gather(*(self._settle(model, touched) for model, touched in joined.touched.items())),
        )
        self._recompute.begin(state)
        entities: dict[type[EventData], set[str]] = {}
        for model, parts in zip(joined.touched, settled, strict=True):
            for portion, rivals in parts:
                if model is Order:
                    await self._recompute.orders(portion, rivals=bool(rivals))
                elif model is Heartbeat:
                    await self._recompute.heartbeats(portion, rivals)
                else:
                    entities.setdefault(model, set()).update(map(str, portion.places))
        operators = entities.get(Operator, set())
        await self._recompute.timelines(operators | entities.get(Kitchen, set()))
        await self._recompute.villages(entities.get(Village, set()), operators)
        await self._recompute.duties(entities.get(Measure, set()))
        await self._recompute.records("banquets", entities.get(Banquet, set()))
        await self._recompute.records("findings", entities.get(Finding, set()))
        await self._recompute.cooks(operators)
        await self._recompute.rebind(operators)
        merged = await self._remember(state.progress, joined.progress)
        return state._replace(progress=state.progress | merged)

    async def _settle(self, model: type[EventData], touched: Touched) -> list[tuple[Touched, frozenset[Any]]]:
        """Settles identities, and returns the touched places in portions, with those of rivals, and these apart."""
        found = []
        for places in portions(touched.places, _PLACES_AT_ONCE):
            portion = touched._replace(places=frozenset(places))
            rivals = await settle_identities(self._store, model, portion)
            found.append((portion._replace(places=portion.places | rivals), rivals))
        return found

    async def _remember(
        self, known: dict[tuple[str, int], PartitionProgress], progress: dict[tuple[str, int], PartitionProgress]
    ) -> dict[tuple[str, int], PartitionProgress]:
        merged = {
            key: PartitionProgress(max(one.next_offset, known[key].next_offset), max(one.max_time, known[key].max_time))
            if key in known
            else one
            for key, one in progress.items()
        }
        await write_progress(self._store, merged)
        return merged

    async def advance(self, streams: Collection[str], state: State | None = None) -> dict[str, datetime]:
        """Moves the watermarks of these streams, and returns those that came into another minute: nothing that is
        shown depends on less, so nothing is written for less.

        :param state: what `apply` has just returned."""
        clock = now()
        target = as_of(clock - self._clock.lateness)
        if self._clock.mode == "wall" and all(self._marked.get(stream) == target for stream in streams):
            return {}  # no watermark can come into another minute
        extents = {stream: await self._extents(stream) for stream in streams}
        state = state or await read_state(self._store)
        progress, previous = state.progress, state.watermarks
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
            self._recompute.begin(state)
            for stream, mark in moved.items():
                await self._recompute.pass_time(stream, mark)
            await write_watermarks(self._store, moved, used, self._clock.mode, self._clock.lateness)
            await self._recompute.passed(moved)
            self._marked |= {stream: as_of(mark) for stream, mark in moved.items()}
            await self._drop_older(moved)
        return moved

    async def _drop_older(self, moved: Mapping[str, datetime]) -> None:
        """Drops raw rows that are older than they have to be kept, once a month of the stream's watermark."""
        for model, kept in self._kept.items():
            if model.stream in moved:
                clock = moved[model.stream]
                month = model, floor_at(clock, kept)
                if month not in self._dropped:
                    if dropped := await drop_older(self._store, model, clock, kept):
                        log.info("raw rows of %s are dropped: partitions %s", model.type, ", ".join(dropped))
                    self._dropped.add(month)
