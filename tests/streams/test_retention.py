"""Raw rows go a month at a time; what was computed from them stays, whatever comes later and whatever is rebuilt."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.camera import Heartbeat
from schemas.fields import microseconds
from schemas.seal import Order
from sinks.clickhouse.client import Store
from sinks.clickhouse.retention import drop_older, floor_at
from streams.aggregate import Aggregator, Clock
from streams.land import Landed
from streams.topics import Extent
from tests.streams.city import ACTIVE_DAYS, AS_OF, END, LATENESS, FilledCity

KEPT = timedelta(days=5)
FLOOR = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledCity]:
    """A city with orders of October and November."""
    city = FilledCity(tmp_path_factory.mktemp("city"))
    yield city
    city.stop()


def rates(city: FilledCity) -> list[tuple[Any, ...]]:
    """Every rate, now and of every minute."""
    now = city.rows("SELECT * FROM yangguang.rates_now ORDER BY indicator, scope, scope_id, window")
    history = city.rows("SELECT * FROM yangguang.rates_history ORDER BY indicator, scope, scope_id, minute")
    return [*now, *history]


def of_orders(city: FilledCity, what: str) -> int:
    """A count over the raw orders."""
    ((count,),) = city.rows(f"SELECT {what} FROM yangguang.raw_orders")
    return int(count)


@pytest.mark.parametrize(
    ("clock", "kept", "floor"),
    [
        (datetime(2026, 11, 20, tzinfo=UTC), timedelta(days=5), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 20, tzinfo=UTC), timedelta(days=20), datetime(2026, 10, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), timedelta(days=31), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), timedelta(0), datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_is_kept_as_long_as_any_of_it_has_to_be(clock: datetime, kept: timedelta, floor: datetime) -> None:
    assert floor_at(clock, kept) == floor


def test_dropping_raw_rows_and_rebuilding_changes_no_rate(city: FilledCity) -> None:
    before = rates(city)
    old = of_orders(city, f"countIf(delivered_at < toDateTime64('{FLOOR:%Y-%m-%d}', 6, 'UTC'))")
    new = of_orders(city, "count()") - old
    assert old > 1000
    assert new > 1000

    async def drop(store: Store) -> list[list[str]]:
        return [await drop_older(store, model, END, KEPT) for model in (Order, Heartbeat)]

    dropped, of_cameras = city.run(drop)
    assert dropped[0] == "202610"
    assert of_cameras == [], "all heartbeats are of November"
    assert city.run(drop) == [[], []], "what is gone is gone"
    assert of_orders(city, "count()") == new
    assert rates(city) == before
    city.run(city.rebuild)
    assert rates(city) == before


def test_an_event_for_a_dropped_month_is_stored_and_spoils_no_bucket(city: FilledCity) -> None:
    before = rates(city)
    late = datetime(2026, 10, 25, 4, 0, 30, tzinfo=UTC)
    landed_at = datetime.now(UTC)
    columns = (
        "order_id", "operator_id", "platform", "town_code", "delivered_at", "fulfilment", "packages", "sealed_packages",
        "seal_state", "evidence_level", "event_id", "source", "event_time", "landed_at",
    )  # fmt: skip
    city.writer.insert(
        "yangguang.raw_orders",
        [["late", "op-1", "jd", "330681001", late, "delivered", 1, 1, "intact", 2, "late", "/late", late, landed_at]],
        column_names=columns,
    )

    async def extents(stream: str) -> dict[int, Extent]:
        del stream
        return {0: Extent(0, 1)}

    async def apply(store: Store) -> None:
        aggregator = Aggregator(store, extents, Clock("event", LATENESS), city.catalogue, ACTIVE_DAYS)
        minute = int(late.timestamp()) // 60 * 60
        landed = Landed(Order.stream, microseconds(landed_at), {0: (1, microseconds(late))}, {Order.type: [minute]})
        await aggregator.apply([landed])

    city.run(apply)
    assert rates(city) == before
    assert city.rows("SELECT count() FROM yangguang.events WHERE id = 'late'") == [(1,)]
    assert city.rows("SELECT max(as_of) FROM yangguang.rates_now") == [(AS_OF,)]
