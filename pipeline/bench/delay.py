"""The delay from a producer's send to the row being visible to a query, at a steady rate, with the whole worker.

The producer writes the wall clock, in microseconds, into the event's `time` just before it hands the event to its Kafka
client (acks=all, linger 5 ms), and paces itself by a monotonic clock: a late tick sends all that is due, so the rate
holds. ClickHouse shows a block all at once and `landed_at` is one value a block, so it is enough to ask, again and
again, which values of `landed_at` there are: the moment when an answer first names one is the moment when its block was
visible to somebody, and it is late by at most the time between two answers (some 25 ms), never early. At the end each
row's `time` is subtracted from the moment of its block. Producer and poller share one machine and one clock. The first
seconds, in which the worker joins its group and everything warms up, do not count.
"""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from pipeline.bench.events import seal_event
from pipeline.bench.measure import PARTITIONS, started
from pipeline.bench.report import Delay, quantile
from pipeline.bench.runner import WHOLE, Task
from pipeline.bench.services import BenchError, Services, last_line
from schemas.seal import Order
from sinks.clickhouse.client import Store, connect
from sinks.clickhouse.migrate import Migrator
from streams.topics import ensure_topics

_TICK_SECONDS: Final = 0.01
_POLL_SECONDS: Final = 0.02
_WARM_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 60.0


def measure_delay(services: Services, home: Path, rate: float, seconds: float, seed: int) -> Delay:
    """Measures for so many seconds at so many events/s. Writes the product's own topics and tables, so the services
    must be own ones. Raises BenchError where the worker ends or falls behind for good."""
    ensure_topics(services.kafka, PARTITIONS)
    client = connect(services.clickhouse, None)
    try:
        migrator = Migrator(client)
        migrator.prepare()
        migrator.apply(migrator.plan())
    finally:
        client.close()
    task = Task(WHOLE, services.kafka, services.clickhouse, "yangguang_bench_delay", str(home))
    log = home / "delay.log"
    with started(task, log) as process:
        try:
            return asyncio.run(_measure(services, rate, seconds, seed))
        except TimeoutError:
            ended = process.poll()
            state = "lives" if ended is None else f"ended with status {ended}"
            raise BenchError(
                f"the worker ({state}: {last_line(log)}) has not landed all events at {rate:.0f} events/s; "
                "mend that or ask for a lower rate"
            ) from None


async def _measure(services: Services, rate: float, seconds: float, seed: int) -> Delay:
    store = await Store.open(services.clickhouse)
    rng = Random(seed)
    seen: dict[int, float] = {}
    watching = asyncio.create_task(_watch(store, seen))
    producer = AIOKafkaProducer(**services.kafka.for_aiokafka(), acks="all", linger_ms=5)
    await producer.start()
    try:
        first = await _produce(producer, rng, 0, rate, 1 / rate)  # the worker is up when it has landed something
        await _until(store, first)
        warm = await _produce(producer, rng, first, rate, _WARM_SECONDS)
        begin = time.time_ns() // 1000
        last = await _produce(producer, rng, warm, rate, seconds)
        await _until(store, last)
        await asyncio.sleep(_POLL_SECONDS * 5)  # one more answer of the poller
    finally:
        watching.cancel()
        await producer.stop()
    rows = await store.rows(
        "SELECT toUnixTimestamp64Micro(event_time), toUnixTimestamp64Micro(landed_at) FROM yangguang.raw_orders "
        "WHERE toUnixTimestamp64Micro(event_time) >= {begin:Int64}",
        {"begin": begin},
    )
    await store.close()
    delays = sorted((seen[landed_at] * 1000) - stamp / 1000 for stamp, landed_at in rows)
    return Delay(rate, seconds, len(delays), quantile(delays, 0.5), quantile(delays, 0.99), delays[-1])


async def _produce(producer: AIOKafkaProducer, rng: Random, sent: int, rate: float, seconds: float) -> int:
    """Sends at the rate for so many seconds, and returns how many were sent in all."""
    futures: list[Any] = []
    begun, count = time.monotonic(), 0
    total = max(1, round(rate * seconds))
    while count < total:
        due = min(total, int((time.monotonic() - begun) * rate) + 1)
        while count < due:
            key, value = seal_event(rng, sent + count, datetime.now(UTC))
            futures.append(await producer.send(Order.stream, value, key))
            count += 1
        await asyncio.sleep(_TICK_SECONDS)
    await asyncio.gather(*futures)
    return sent + count


async def _watch(store: Store, seen: dict[int, float]) -> None:
    """Notes when each block was first seen, in seconds since 1970."""
    latest = 0
    while True:
        rows = await store.rows(
            "SELECT DISTINCT toUnixTimestamp64Micro(landed_at) AS at FROM yangguang.raw_orders "
            "WHERE at > {latest:Int64}",
            {"latest": latest},
        )
        moment = time.time()
        for (landed_at,) in rows:
            seen[landed_at] = moment
        latest = max(seen, default=0)
        await asyncio.sleep(_POLL_SECONDS)


async def _until(store: Store, count: int) -> None:
    """Waits until so many rows are visible."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        visible = 0
        while visible < count:
            await asyncio.sleep(_POLL_SECONDS)
            ((visible,),) = await store.rows("SELECT count() FROM yangguang.raw_orders")
