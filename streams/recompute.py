"""What is computed anew when events of a kind have landed, when time passes, and when everything is asked for.

Each method reads raw rows and writes newer versions of buckets and spans; to call one twice changes nothing. What lies
beyond the watermark is not summed before time has passed it.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from schemas.camera import Heartbeat
from schemas.event import EventData
from schemas.indicator import END, Indicator
from schemas.relations import RELATIONS, RelationName
from schemas.seal import Order
from sinks.clickhouse import activity, buckets, slots, timelines
from sinks.clickhouse.activity import Ordered
from sinks.clickhouse.client import Store, now
from sinks.clickhouse.identity import Touched, superseded_entities
from sinks.clickhouse.progress import State, read_state
from sinks.clickhouse.rates import SLOT_SECONDS, by_relation, of_kind
from sinks.clickhouse.slots import HOUR, Binding, Head
from sinks.clickhouse.timelines import Span
from streams.slots import bind
from streams.timeline import duty_spans, operator_spans, village_spans
from streams.watermark import as_of

Value = TypeVar("Value", int, str)

_DAY: Final = 86_400
_AT_ONCE: Final = 1_000
"""A statement of ClickHouse has at most 256 KiB."""
_HOURS_AT_ONCE: Final = 48


def portions(values: Collection[Value], size: int = _AT_ONCE) -> Iterator[list[Value]]:
    """The values in order, in lists of at most `size`."""
    ordered = sorted(values)
    for first in range(0, len(ordered), size):
        yield ordered[first : first + size]


def hours_of(minutes: Collection[int]) -> set[int]:
    """The hours of minutes or moments, Unix seconds."""
    return {minute // HOUR * HOUR for minute in minutes}


class Recomputer:
    """Recomputes.

    `watermarks` are those that were written last, by stream; `floors` say from which moment on (Unix seconds) the raw
    rows of a model are all there: what is older is not computed anew, as it could only be lost.

    :param catalogue: indicators with the configuration applied.
    :param active_days: days for which an order makes a takeaway operator active; 0 does not ask for orders.
    """

    def __init__(self, store: Store, catalogue: Sequence[Indicator], active_days: int) -> None:
        self._store = store
        self._active_days = active_days
        self._flow = by_relation(catalogue, "flow")
        self._stock = by_relation(catalogue, "stock")
        self._cameras = of_kind(catalogue, "availability")
        self.watermarks: Mapping[str, datetime] = {}
        self.floors: Mapping[str, int] = {}
        self._bound_at: datetime | None = None
        self._heads: dict[str, Head] | None = None
        """What all heartbeats of each camera say together; None before it was asked. Only the owner of the stream of
        cameras changes it."""
        self._covered: dict[str, tuple[int, int]] = {}
        """The last span of recent orders of operators, Unix seconds, as this process has computed it. Only the owner of
        the stream of orders changes such spans, so it holds until another one takes over."""

    def forget(self) -> None:
        """Another owner may take over a stream: what only an owner can know is known no longer."""
        self._covered.clear()
        self._heads = None
        self._bound_at = None

    def begin(self, state: State) -> None:
        """What follows goes by this state."""
        self.watermarks, self.floors = state.watermarks, state.floors

    def _mark(self, model: type[EventData]) -> int:
        """The as_of of the model's stream, Unix seconds; 0 before there is a watermark."""
        mark = self.watermarks.get(model.stream)
        return int(as_of(mark).timestamp()) if mark else 0

    def _kept(self, model: type[EventData], moments: Collection[int]) -> set[int]:
        """Those of the moments (Unix seconds) whose raw rows are all there."""
        floor = self.floors.get(model.type, 0)
        return {moment for moment in moments if moment >= floor}

    # flow

    async def minutes(self, relation: RelationName, minutes: Collection[int], until: int | None = None) -> None:
        """Buckets of these minutes, and the hours of them that time has passed.

        :param until: hours that end by this moment (Unix seconds) are summed; None: all."""
        indicators = self._flow.get(relation, [])
        kept = self._kept(RELATIONS[relation].model, minutes)
        for portion in portions(kept):
            await buckets.recompute_minutes(self._store, relation, indicators, portion)
        ended = {hour for hour in hours_of(kept) if until is None or hour + HOUR <= until}
        for hours in portions(ended):
            await buckets.sum_hours(self._store, indicators, hours)

    async def orders(self, touched: Touched, *, rivals: bool) -> None:
        """Buckets and timelines that orders with new rows touch.

        :param rivals: whether an order has lost its identity."""
        await asyncio.gather(
            self.minutes("orders", touched.places, self._mark(Order)), self._ordered(touched, rivals=rivals)
        )

    async def _ordered(self, touched: Touched, *, rivals: bool) -> None:
        """Activity is kept for hours that time has passed; that of later ones is computed when a timeline needs it."""
        if not self._active_days:
            return
        mark = self._mark(Order)
        operators = await activity.ordered_operators(self._store, touched, rivals=rivals)
        passed = {hour for hour in hours_of(touched.places) if hour + HOUR <= mark}
        await self.activity(passed, operators)
        await self.timelines({name for name, orders in operators.items() if not self._is_covered(name, orders)})

    def _is_covered(self, operator: str, orders: Ordered) -> bool:
        """Whether new orders change nothing about when the operator has recent ones, as far as a rate can ask: a day
        beyond the watermark. What lies further on is computed when time comes near it (`pass_time`)."""
        horizon = self._mark(Order) + _DAY
        begin, end = self._covered.get(operator, (END, 0))
        return not orders.corrected and begin <= orders.first and orders.last <= horizon <= end

    async def activity(self, hours: Collection[int], operators: Collection[str] | None) -> None:
        """When operators (None: all) had a recent order, for these hours of delivery."""
        kept = self._kept(Order, hours)
        for some in [None] if operators is None else portions(operators):
            for portion in portions(kept, _HOURS_AT_ONCE):
                await activity.recompute_activity(self._store, portion, some, self._active_days)

    async def records(self, relation: RelationName, entities: Collection[str]) -> None:
        """Buckets of all minutes in which these entities count or once counted."""
        mark = self._mark(RELATIONS[relation].model)
        for portion in portions(entities):
            await self.minutes(relation, await buckets.minutes_of(self._store, relation, portion), mark)

    async def cooks(self, operators: Collection[str]) -> None:
        """Buckets of the banquets that name these operators as their cook. Another stage may be passing the time of
        banquets just now, so hours are summed whether time has passed them or not."""
        for portion in portions(operators):
            await self.minutes("banquets", await buckets.minutes_of_cooks(self._store, portion))

    # stock

    async def timelines(self, operators: Collection[str]) -> None:
        """Timelines of these operators."""
        if operators and self._active_days:
            await self.activity(await activity.order_hours(self._store, self._mark(Order) // HOUR * HOUR), operators)
        for portion in portions(operators):
            version = now()
            inputs = await timelines.operator_inputs(self._store, portion)
            spans = {
                operator: operator_spans(
                    inputs.registry.get(operator, ()),
                    inputs.kitchens.get(operator, ()),
                    inputs.ordered.get(operator, ()),
                    always_ordered=not self._active_days,
                )
                for operator in portion  # also one whose only record lost its identity: it has no spans now
            }
            await self._write("operators", spans, version)
            for operator in portion:
                last = inputs.ordered.get(operator, [])[-1:]
                self._covered[operator] = (
                    (int(last[0][0].timestamp()), int(last[0][1].timestamp())) if last else (END, 0)
                )

    async def _write(self, relation: RelationName, spans: Mapping[str, Sequence[Span]], version: datetime) -> None:
        await timelines.write_timelines(self._store, relation, self._stock.get(relation, []), spans, version)

    async def villages(self, villages: Collection[str], operators: Collection[str] = ()) -> None:
        """Timelines of these villages, and of those that these operators serve or once served."""
        wanted = set(villages)
        for served in portions(operators):
            wanted |= await timelines.villages_served_by(self._store, served)
        for portion in portions(wanted):
            version = now()
            records, canteens = await timelines.village_inputs(self._store, portion)
            spans = {}
            for village in portion:
                named = {record["served_by"] for _, record in records.get(village, ())}
                spans[village] = village_spans(
                    records.get(village, ()), {one: canteens[one] for one in named if one in canteens}
                )
            await self._write("villages", spans, version)

    async def duties(self, duties: Collection[str]) -> None:
        """Timelines of these duties, and buckets of the minutes by which they are due."""
        await self.duty_timelines(duties)
        await self.records("duties_due", duties)

    async def duty_timelines(self, duties: Collection[str]) -> None:
        """Timelines of these duties."""
        for portion in portions(duties):
            version = now()
            records = await timelines.duty_inputs(self._store, portion)
            spans = {duty: duty_spans(records.get(duty, ())) for duty in portion}
            await self._write("duties", spans, version)

    # availability

    async def heartbeats(self, touched: Touched, rivals: Collection[int]) -> None:
        """Slots that time has passed, and bindings of cameras that say something new."""
        if not self._cameras:
            return
        mark = self._mark(Heartbeat) // SLOT_SECONDS * SLOT_SECONDS
        late = frozenset(minute for minute in self._kept(Heartbeat, touched.places) if minute < mark)
        late_hours: dict[int, frozenset[str]] = {}
        if late:
            late_hours = await slots.touched_cameras(self._store, touched._replace(places=late))
        for hour, cameras in late_hours.items():
            for portion in portions(cameras):
                await slots.recompute_camera_hours(self._store, self._cameras, [hour], portion)
        strayed = await self._strayed(touched)
        await self.bind(strayed | await superseded_entities(self._store, Heartbeat, rivals))
        await slots.recompute_slots(self._store, self._cameras, late_hours, None)

    async def _strayed(self, touched: Touched) -> set[str]:
        """Cameras whose new heartbeats say something else than their binding: another operator or town, or an earlier
        first one; or that are not bound."""
        if self._heads is None:
            self._heads = await slots.bound_heads(self._store)
        strayed = set()
        for camera, (first, said) in (await slots.new_heads(self._store, touched)).items():
            head = self._heads.get(camera)
            if head is None or first < head.first_time or said != [(head.operator_id, head.town_code)]:
                strayed.add(camera)
        return strayed

    async def condense(self, hours: Collection[int]) -> None:
        """Condensed heartbeats of all cameras in these hours."""
        for portion in portions(self._kept(Heartbeat, hours), _HOURS_AT_ONCE):
            await slots.recompute_camera_hours(self._store, self._cameras, portion, None)

    async def rebind(self, operators: Collection[str]) -> None:
        """Bindings of the cameras of these operators."""
        for portion in portions(operators) if self._cameras else ():
            await self.bind(await slots.cameras_of(self._store, portion))

    async def bind(self, cameras: Collection[str]) -> None:
        """Computes bindings anew; where one has changed, the buckets of its towns follow, from where it matters on."""
        condensed = self._mark(Heartbeat) // HOUR * HOUR
        for portion in portions(cameras):
            begun = now()
            heads = await slots.heads(self._store, portion, condensed)
            if self._heads is not None:
                for camera in portion:
                    self._heads.pop(camera, None)
                self._heads |= heads
            openings = await slots.openings(self._store, self._cameras, {head.operator_id for head in heads.values()})
            stored = await slots.read_bindings(self._store, portion)
            changed: dict[tuple[str, str], Binding] = {}
            for one in self._cameras:
                for camera in portion:
                    head = heads.get(camera)
                    wanted = bind(one.code, head, openings.get(head.operator_id) if head else None)
                    known = stored.get((one.code, camera))
                    if known is None or not known.settled or known.binding != wanted:
                        changed[one.code, camera] = wanted
            if not changed:
                continue
            await slots.write_bindings(self._store, changed, begun, settled=False)
            await self._follow(changed, {key: known.binding for key, known in stored.items()})
            # a rebuild or another owner may have bound them otherwise meanwhile, and knows nothing of the towns of ours
            stored = await slots.read_bindings(self._store, portion)
            overtaken = {key for key, one in changed.items() if stored[key].binding != one}
            await self._follow({key: changed[key] for key in overtaken}, {})
            mine = {key: one for key, one in changed.items() if key not in overtaken}
            await slots.write_bindings(self._store, mine, begun, settled=True)

    async def _follow(
        self, changed: Mapping[tuple[str, str], Binding], before: Mapping[tuple[str, str], Binding]
    ) -> None:
        """Buckets of the towns of bindings that changed, from the first heartbeat on to the watermark."""
        if not changed:
            return
        self.begin(await read_state(self._store))  # anew: another owner moves that of the heartbeats
        versions = [*changed.values(), *(before[key] for key in changed if key in before)]
        towns = {one.town_code for one in versions} - {""}
        end = self._mark(Heartbeat)
        if towns and end:
            begin = min(int(one.first_time.timestamp()) for one in versions if one.town_code)
            hours = range(begin // HOUR * HOUR, end, HOUR)
            await slots.recompute_slots(self._store, self._cameras, hours, towns)

    # time

    async def pass_time(self, stream: str, mark: datetime) -> None:
        """What a watermark that moves to `mark` completes: sums of hours, slots, and orders that lapse."""
        before = self.watermarks.get(stream)
        begin = int(as_of(before).timestamp()) if before else 0
        end = int(as_of(mark).timestamp())
        if begin // HOUR < end // HOUR:
            for relation, indicators in self._flow.items():
                if RELATIONS[relation].model.stream == stream:
                    span = begin // HOUR * HOUR, end // HOUR * HOUR
                    hours = await buckets.hours_with_minutes(self._store, indicators, *span)
                    for portion in portions(hours):
                        await buckets.sum_hours(self._store, indicators, portion)
            if stream == Order.stream and self._active_days:
                await self.activity(await self._order_hours_until(begin, end), None)
                await self.timelines(await activity.lapsing_operators(self._store, begin, end + 2 * _DAY))
        if stream == Heartbeat.stream and begin // SLOT_SECONDS < end // SLOT_SECONDS:
            await self._pass_slots(begin, end // SLOT_SECONDS * SLOT_SECONDS)

    async def _order_hours_until(self, begin: int, end: int) -> list[int]:
        """Hours with orders that have ended between two watermarks, Unix seconds."""
        hours = await activity.order_hours(self._store, begin // HOUR * HOUR)
        return [hour for hour in hours if hour + HOUR <= end]

    async def _pass_slots(self, begin: int, end: int) -> None:
        if not self._cameras:
            return
        if self._bound_at is None:  # after a start: the hour before may have been passed while a binding changed
            begin = max(begin - HOUR, 0)
        self._bound_at = now()
        first = begin // HOUR * HOUR
        found = await slots.heartbeat_hours(self._store, first, end)
        await self.condense(found)
        if begin == 0:
            first = found[0] if found else end
        await slots.recompute_slots(self._store, self._cameras, range(first, end, HOUR), None)

    async def passed(self, moved: Mapping[str, datetime]) -> None:
        """After watermarks were written: slots of towns whose bindings another owner changed meanwhile."""
        if Heartbeat.stream in moved and self._bound_at is not None:
            towns = await slots.towns_bound_since(self._store, self._bound_at)
            end = int(as_of(moved[Heartbeat.stream]).timestamp())
            begin = self._mark(Heartbeat) // HOUR * HOUR
            if towns and begin:
                await slots.recompute_slots(self._store, self._cameras, range(begin, end, HOUR), towns)
