"""What one tick of the alert stage costs: a minute of as_of for all indicators, places and conditions of a city."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.bench.alerts.city import compute, fill, move
from pipeline.bench.filled_city import fillings
from pipeline.bench.metered import Cost, Meter, MeteredStore
from pipeline.bench.rates_measure import END, LATENESS, Say
from pipeline.bench.services import OwnClickHouse, own_clickhouse, own_kafka
from schemas.indicators import INDICATORS
from sinks.clickhouse.client import Store
from streams.alert import MINUTE, Alerter, PublishTransitions
from streams.backlog import Backlog
from streams.conditions import ConditionWatch
from streams.event_alerts import EventAlerter
from streams.judging import Judging
from streams.options import GROUP
from streams.rejects_condition import RejectsWatch
from streams.rejects_rule import RejectsRule
from streams.silences import Silences
from streams.topics import ensure_topics

WARM: Final = 3
"""Ticks that are not counted: the first reads the log, and ClickHouse its files."""


class Ticks(NamedTuple):
    """What each counted tick took, by stage and for all of them (`all`), and how many transitions there were."""

    costs: dict[str, list[Cost]]
    transitions: int


def measure_ticks(home: Path, orders: int, cameras: int, ticks: int, say: Say) -> Ticks:
    """Fills a database of its own and moves as_of on minute by minute. Raises BenchError and ClickHouseError."""
    with own_kafka(home) as kafka, own_clickhouse(home) as own:
        ensure_topics(kafka.address, 4)
        fill(own.address, INDICATORS, fillings(orders, END, cameras), say)
        return asyncio.run(_measure(own, Backlog(kafka.address, GROUP), ticks, say))


async def _measure(own: OwnClickHouse, backlog: Backlog, ticks: int, say: Say) -> Ticks:
    store = await MeteredStore.open(own.address)
    published = 0

    async def publish(transitions: Sequence[Mapping[str, Any]]) -> None:
        nonlocal published
        published += sum(1 for one in transitions if orjson.dumps(one))

    try:
        begin = END - LATENESS - (ticks + WARM) * MINUTE  # the minutes that are judged are those that were filled
        await compute(store, INDICATORS, begin, say)
        moment = begin + LATENESS
        stages = stages_of(store, backlog, publish, lambda: moment)
        meter = Meter(store, own.pid)
        costs: dict[str, list[Cost]] = {name: [] for name in (*stages, "all")}
        for number in range(ticks + WARM):
            moment += MINUTE
            await move(store, moment - LATENESS)
            several = []
            for stage in stages.values():
                meter.start()
                await stage.evaluate()
                several.append(meter.stop())
            if number >= WARM:
                for name, cost in zip(stages, several, strict=True):
                    costs[name].append(cost)
                costs["all"].append(Cost(*(sum(values) for values in zip(*several, strict=True))))
            say("ticks", max(number + 1 - WARM, 0), ticks)
        return Ticks(costs, published)
    finally:
        backlog.close()
        await store.close()


def stages_of(
    store: Store, backlog: Backlog, publish: PublishTransitions, clock: Callable[[], datetime]
) -> dict[str, Judging]:
    """What a worker judges at a tick, by a name for people."""
    silences = Silences()
    return {
        "conditions": ConditionWatch(store, INDICATORS, publish, event_clock=False, silences=silences, clock=clock),
        "rates": Alerter(store, INDICATORS, publish, event_clock=False, silences=silences),
        "rejects": RejectsWatch(store, RejectsRule(), backlog, publish, clock),
        "events": EventAlerter(store, publish, event_clock=False),
    }
