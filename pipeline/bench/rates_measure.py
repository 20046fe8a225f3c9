"""What rates cost: asking for all of them, mending one minute, computing a day anew, and keeping up with a stream."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from pipeline.bench.filled_city import MERCHANTS, Filling, fillings
from pipeline.bench.metered import Cost, Meter, MeteredStore
from pipeline.bench.services import OwnClickHouse, own_clickhouse
from schemas.camera import Heartbeat
from schemas.catalogue import STREAMS
from schemas.fields import microseconds
from schemas.indicator import Indicator
from schemas.indicators import INDICATORS
from schemas.seal import Order
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store, connect, now
from sinks.clickhouse.migrate import Migrator
from sinks.clickhouse.progress import write_watermarks
from sinks.clickhouse.raw import DATABASE
from streams.aggregate import Aggregator, Clock
from streams.land import Landed
from streams.rebuild import Rebuilder, adopt
from streams.topics import Extent
from streams.worker import AGGREGATE_SECONDS

END: Final = datetime(2026, 11, 20, 4, 12, tzinfo=UTC)
"""The moment of the city: noon in Shanghai. In the five minutes after it a slot of cameras ends, and no hour does."""
LATENESS: Final = timedelta(seconds=60)
ACTIVE_DAYS: Final = 30
REPEATS: Final = 15
_WARM_SECONDS: Final = 16
_HEARTBEATS_IN_TEN: Final = 7
"""Of ten events of the steady stream so many are heartbeats, as in a county, and the rest orders."""

_DELIVERED: Final = f"fulfilment = 'delivered' AND delivered_at >= toDateTime64('{END:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
_SEALED: Final = "seal_state = 'intact' AND evidence_level >= 2 AND sealed_packages >= packages"
_COUNTS: Final = ", ".join(
    f"countIf({_DELIVERED} - {seconds}), countIf({_DELIVERED} - {seconds} AND {_SEALED})"
    for seconds in (3_600, 86_400, 604_800, 2_592_000)
)
FROM_RAW: Final = f"SELECT town_code, platform, {_COUNTS} FROM {DATABASE}.raw_orders FINAL GROUP BY town_code, platform"
"""The peer: one of the 27 indicators, all its windows, counted from the raw rows at every question."""

Say = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


class Measured(NamedTuple):
    """All that was measured with one number of orders; `steady` is what a second of the steady stream costs."""

    orders: int
    filled_seconds: float
    rebuilt: Cost
    rates_now: Cost
    from_raw: Cost
    late_event: Cost
    late_heartbeat: Cost
    day: Cost
    steady: Cost
    steady_events: int


def measure(home: Path, orders: int, cameras: int, rate: int, seconds: int, say: Say) -> Measured:
    """Fills a database of its own and measures. Raises BenchError and ClickHouseError.

    :param cameras: cameras that send a heartbeat a minute, for a day.
    :param rate: events/s of the steady stream.
    :param seconds: how long it lasts; every second's events are landed, aggregated, and time moves on."""
    with own_clickhouse(home) as own:
        client = connect(own.address, None)
        try:
            prepare(client, INDICATORS)
            begun = now()
            fill(client, fillings(orders, END, cameras), f"filling raw tables, {orders:,} orders", say)
            filled = (now() - begun).total_seconds()
            return asyncio.run(_measure(own, client, orders, cameras, filled, rate, seconds, say))
        finally:
            client.close()


async def _measure(
    own: OwnClickHouse, client: Client, orders: int, cameras: int, filled: float, rate: int, seconds: int, say: Say
) -> Measured:
    store = await MeteredStore.open(own.address)
    try:
        meter = Meter(store, own.pid)
        marks = dict.fromkeys(STREAMS, END - LATENESS)
        await write_watermarks(store, marks, END, "event", LATENESS)
        await adopt(store, INDICATORS, ACTIVE_DAYS)
        meter.start()
        async for step in Rebuilder(store, INDICATORS, ACTIVE_DAYS).run():
            say(f"rebuild of everything: {step.what}", step.done, step.of)
        rebuilt = meter.stop()
        await merged(store, say)
        say("asking for all rates", 0, 1)
        asked = await _asked(store, meter, f"SELECT * FROM {DATABASE}.rates_now", REPEATS)
        raw = await _asked(store, meter, FROM_RAW, 5)
        aggregator = Aggregator(
            store, _Landing(client, 0, cameras).extents, Clock("event", LATENESS), INDICATORS, ACTIVE_DAYS
        )
        say("late events", 0, 1)
        late_event = await _late(aggregator, meter, _Landing(client, 10_000_000, cameras), Order.type)
        late_heartbeat = await _late(aggregator, meter, _Landing(client, 20_000_000, cameras), Heartbeat.type)
        day_end = int((END - timedelta(days=3)).replace(hour=16).timestamp())
        meter.start()
        async for _ in Rebuilder(store, INDICATORS, ACTIVE_DAYS).run(day_end - 86_400, day_end, identities=False):
            pass
        day = meter.stop()
        await merged(store, say)
        steady = await _steady(aggregator, meter, _Landing(client, 30_000_000, cameras), rate, seconds, say)
        return Measured(orders, filled, rebuilt, asked, raw, late_event, late_heartbeat, day, steady, rate)
    finally:
        await store.close()


def prepare(client: Client, catalogue: Sequence[Indicator]) -> None:
    """Does what `yangguang migrate` does. Raises ClickHouseError."""
    migrator = Migrator(client, catalogue=catalogue)
    migrator.prepare()
    migrator.apply(migrator.plan())
    sync_catalogue(client, catalogue)


def fill(client: Client, fillings: Iterable[Filling], what: str, say: Say) -> None:
    """Writes raw rows. Raises ClickHouseError.

    :param what: is said while it goes on."""
    statements = list(fillings)
    for number, filling in enumerate(statements, 1):
        client.command(filling.statement)
        say(what, number, len(statements))


async def merged(store: Store, say: Say) -> None:
    """Waits until ClickHouse has merged what filling left behind, which is none of the measured work's doing."""
    while running := len(await store.rows("SELECT * FROM system.merges")):
        say("waiting for merges", 0, running)
        await asyncio.sleep(0.5)


def _middle(costs: Sequence[Cost]) -> Cost:
    """The median of each part."""
    return Cost(*(median(values) for values in zip(*costs, strict=True)))


async def _asked(store: MeteredStore, meter: Meter, sql: str, repeats: int) -> Cost:
    costs = []
    for _ in range(repeats):
        meter.start()
        await store.rows(sql)
        costs.append(meter.stop())
    return _middle(costs)


class _Landing:
    """Lands made events of orders and heartbeats, as the land stage's last step: rows, then what it says of them.

    :param first: number of the first event, so that no two landings make the same ones."""

    def __init__(self, client: Client, first: int, cameras: int) -> None:
        self._client = client
        self._landed = first
        self._cameras = cameras

    async def extents(self, stream: str) -> dict[int, Extent]:
        """Everything that was landed is all there is."""
        del stream
        return {0: Extent(0, 0)}

    def orders(self, times: Sequence[datetime], step: int = 7) -> Landed:
        """Orders that were delivered at these moments.

        :param step: from one order's operator to the next one's; 0 for one operator."""
        first = self._landed
        self._landed += len(times)
        columns = {
            "order_id": [f"new-{first + number}" for number in range(len(times))],
            "operator_id": [f"op-{(first + number) * step % MERCHANTS}" for number in range(len(times))],
            "platform": ["meituan"] * len(times),
            "town_code": ["330681001"] * len(times),
            "delivered_at": times,
            "fulfilment": ["delivered"] * len(times),
            "packages": [1] * len(times),
            "sealed_packages": [1] * len(times),
            "seal_state": ["intact"] * len(times),
            "evidence_level": [2] * len(times),
        }
        return self._land(Order.type, "orders", columns, times, first)

    def heartbeats(self, times: Sequence[datetime]) -> Landed:
        """Heartbeats at these moments, of one camera after the other."""
        first = self._landed
        self._landed += len(times)
        cameras = [(first + number) % self._cameras for number in range(len(times))]
        # operator and town as the city has them, or every camera would seem to have moved
        rows = self._client.query(
            "SELECT camera_id, any(operator_id), any(toString(town_code)) FROM yangguang.camera_bindings FINAL "
            "WHERE camera_id IN {cameras:Array(String)} GROUP BY camera_id",
            {"cameras": [f"cam-{one}" for one in cameras]},
        ).result_rows
        known = {camera: (operator, town) for camera, operator, town in rows}
        columns = {
            "camera_id": [f"cam-{one}" for one in cameras],
            "operator_id": [known[f"cam-{one}"][0] for one in cameras],
            "town_code": [known[f"cam-{one}"][1] for one in cameras],
            "online": [True] * len(times),
            "advancing": [True] * len(times),
            "picture": ["ok"] * len(times),
        }
        return self._land(Heartbeat.type, "cameras", columns, times, first)

    def _land(
        self, kind: str, table: str, columns: Mapping[str, Sequence[Any]], times: Sequence[datetime], first: int
    ) -> Landed:
        landed_at = now()
        columns = {
            **columns,
            "event_id": [f"new-{first + number}" for number in range(len(times))],
            "source": ["/bench/new"] * len(times),
            "event_time": times,
            "landed_at": [landed_at] * len(times),
        }
        self._client.insert(f"{DATABASE}.raw_{table}", list(columns.values()), list(columns), column_oriented=True)
        minutes = sorted({microseconds(time) // 60_000_000 * 60 for time in times})
        stream = "yangguang.seal" if kind == Order.type else "yangguang.camera"
        return Landed(stream, microseconds(landed_at), {0: (0, microseconds(max(times)))}, {kind: minutes})


async def _late(aggregator: Aggregator, meter: Meter, landing: _Landing, kind: str) -> Cost:
    """One event that comes hours late: all that the aggregate stage does for it. The stage knows the operator, as it
    does after an order or two; the first order of an operator that it does not know costs its timeline besides."""
    costs = []
    for number in range(-3, REPEATS):
        moment = [END - timedelta(hours=3, minutes=7 * number)]
        landed = landing.orders(moment, step=0) if kind == Order.type else landing.heartbeats(moment)
        meter.start()
        await aggregator.apply([landed])
        costs.append(meter.stop())
    return _middle(costs[3:])


async def _steady(aggregator: Aggregator, meter: Meter, landing: _Landing, rate: int, seconds: int, say: Say) -> Cost:
    """The mean cost of one second: what came is joined as the worker joins it, aggregated, and the watermark follows.
    Not counted: landing, and the time in which the stage meets its operators."""
    costs = []
    join = int(AGGREGATE_SECONDS)
    beats = rate * join * _HEARTBEATS_IN_TEN // 10
    orders = rate * join - beats
    spread = timedelta(seconds=join) / (rate * join)
    for second in range(0, _WARM_SECONDS + seconds, join):
        start = END + timedelta(seconds=second)
        landed = [
            landing.heartbeats([start + spread * number for number in range(beats)]),
            landing.orders([start + spread * number for number in range(orders)]),
        ]
        meter.start()
        await aggregator.advance(STREAMS, await aggregator.apply(landed))
        if second >= _WARM_SECONDS:
            costs.append(meter.stop())
        say(f"{rate} events/s", max(second + join - _WARM_SECONDS, 0), seconds)
    per_second = len(costs) * join
    total = Cost(*(sum(values) / per_second for values in zip(*costs, strict=True)))
    return total._replace(milliseconds=total.milliseconds * join)
