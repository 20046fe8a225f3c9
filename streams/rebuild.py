"""Rebuild: computes stored aggregates anew from the raw tables, whole or in part, while the pipeline runs.

The pipeline and a rebuild write the same pure functions of the same raw rows, and of two computations the one that
began later wins, so neither can spoil the other. What raw rows no longer support stays as it is.
"""

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final, NamedTuple

from schemas.camera import Heartbeat
from schemas.catalogue import MODELS
from schemas.indicator import END, Indicator
from schemas.relations import RELATIONS, RelationName
from sinks.clickhouse import activity, buckets, slots, timelines
from sinks.clickhouse.client import Store
from sinks.clickhouse.computed import COMPUTED_AS, computed_as
from sinks.clickhouse.identity import settle_all_identities
from sinks.clickhouse.progress import read_settings, read_state, write_settings
from sinks.clickhouse.rates import by_relation, of_kind
from sinks.clickhouse.slots import HOUR
from streams.recompute import Recomputer, portions
from streams.watermark import as_of

log: Final = logging.getLogger(__name__)

_ACTIVE_DAYS: Final = "takeaway_active_days"
_MINUTES_AT_ONCE: Final = 720


class Step(NamedTuple):
    """What a rebuild has just done: `done` of `of` portions of something."""

    what: str
    done: int
    of: int


def with_companions(catalogue: Sequence[Indicator], codes: Collection[str] | None) -> list[Indicator]:
    """The entries of these codes (None: all), and all others that count the same stock: a unit's span says of every
    indicator at once how it counts."""
    chosen = [one for one in catalogue if codes is None or one.code in codes]
    stock = {one.relation for one in chosen if one.kind == "stock"}
    return [one for one in catalogue if one in chosen or one.relation in stock]


class Rebuilder:
    """Computes anew.

    :param catalogue: all indicators, with the configuration applied.
    :param active_days: days for which an order makes a takeaway operator active; 0 does not ask for orders.
    :param codes: of those that are to be rebuilt; None for all.
    """

    def __init__(
        self, store: Store, catalogue: Sequence[Indicator], active_days: int, codes: Collection[str] | None = None
    ) -> None:
        self._store = store
        self._catalogue = with_companions(catalogue, codes)
        self._active_days = active_days
        self._recompute = Recomputer(store, self._catalogue, active_days)

    async def run(self, begin: int = 0, end: int = END, *, identities: bool = True) -> AsyncIterator[Step]:
        """Computes buckets of the span [begin, end), Unix seconds, and whole timelines, and tells of each portion.

        :param identities: whether events that claim one identity are settled anew first."""
        self._recompute.begin(await read_state(self._store))
        if identities:
            for number, model in enumerate(MODELS, 1):
                await settle_all_identities(self._store, model)
                yield Step("identities", number, len(MODELS))
        for relation in by_relation(self._catalogue, "flow"):
            async for step in self._flow(relation, begin, end):
                yield step
        for relation in by_relation(self._catalogue, "stock"):
            async for step in self._stock(relation):
                yield step
        if of_kind(self._catalogue, "availability"):
            async for step in self._availability(begin, end):
                yield step

    async def _flow(self, relation: RelationName, begin: int, end: int) -> AsyncIterator[Step]:
        codes = by_relation(self._catalogue, "flow")[relation]
        raw = await buckets.minutes_of(self._store, relation, None)
        stored = await buckets.stored_minutes(self._store, codes)
        listed = list(portions([one for one in raw | stored if begin <= one < end], _MINUTES_AT_ONCE))
        for number, portion in enumerate(listed, 1):
            await self._recompute.minutes(relation, portion)
            yield Step(f"buckets of {relation}", number, len(listed))

    async def _stock(self, relation: RelationName) -> AsyncIterator[Step]:
        if relation == "operators" and self._active_days:
            hours = list(portions(await activity.order_hours(self._store), 24))
            for number, portion in enumerate(hours, 1):
                await self._recompute.activity(portion, None)
                yield Step("hours of orders", number, len(hours))
        entities = list(portions(await timelines.all_entities(self._store, RELATIONS[relation].model)))
        for number, several in enumerate(entities, 1):
            await self._timelines(relation, several)
            yield Step(f"timelines of {relation}", number, len(entities))

    async def _timelines(self, relation: RelationName, entities: Collection[str]) -> None:
        if relation == "operators":
            await self._recompute.timelines(entities)
        elif relation == "villages":
            await self._recompute.villages(entities)
        else:
            await self._recompute.duty_timelines(entities)

    async def _availability(self, begin: int, end: int) -> AsyncIterator[Step]:
        marks = (await read_state(self._store)).watermarks
        mark = int(as_of(marks[Heartbeat.stream]).timestamp()) if Heartbeat.stream in marks else 0
        end = min(end, mark)
        hours = list(portions(await slots.heartbeat_hours(self._store, begin // HOUR * HOUR, max(end, begin)), 24))
        for number, portion in enumerate(hours, 1):
            await self._recompute.condense(portion)
            yield Step("hours of cameras", number, len(hours))
        cameras = list(portions(await slots.all_cameras(self._store)))
        for number, several in enumerate(cameras, 1):
            await self._recompute.bind(several)
            yield Step("bindings of cameras", number, len(cameras))
        first = await slots.first_hour(self._store)
        if first is None:
            return
        wanted = range(max(first, begin // HOUR * HOUR), end, HOUR)
        days = [wanted[start : start + 24] for start in range(0, len(wanted), 24)]
        for number, day in enumerate(days, 1):
            await slots.recompute_slots(self._store, of_kind(self._catalogue, "availability"), day, None)
            yield Step("slots of cameras", number, len(days))


async def adopt(store: Store, catalogue: Sequence[Indicator], active_days: int) -> None:
    """Rebuilds what was computed by a layout, settings or definitions that are others now, and remembers these."""
    stored = await read_settings(store)
    wanted = {COMPUTED_AS + one.code: computed_as(one) for one in catalogue}
    wanted[_ACTIVE_DAYS] = str(active_days)
    changed = {name for name, value in wanted.items() if stored.get(name) != value}
    if not changed:
        return
    if stored:
        codes = {one.code for one in catalogue if COMPUTED_AS + one.code in changed}
        if _ACTIVE_DAYS in changed:
            codes |= {one.code for one in catalogue if one.relation == "operators"}
        names = ", ".join(sorted(one.removeprefix(COMPUTED_AS) for one in changed))
        log.warning("stored rates were computed otherwise (%s): they are computed anew, which takes a while", names)
        async for step in Rebuilder(store, catalogue, active_days, codes).run(identities=False):
            log.info("%s: %d of %d", *step)
    await write_settings(store, {name: wanted[name] for name in changed})
