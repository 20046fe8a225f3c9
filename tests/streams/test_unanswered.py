"""Who is told next: what fires and nobody has answered, in words, and the city for its towns."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from schemas.indicator import SHANGHAI
from sinks.clickhouse.alerts import log_row, record, record_delivery
from sinks.clickhouse.client import Store, utc
from sinks.clickhouse.duty import Unanswered, told_and_firing, unacknowledged
from sinks.notify.message import compose
from tests.streams.city import City

AT: Final = datetime(2026, 11, 20, 3, 36, tzinfo=UTC)
CITY: Final = ("city", "330681")
TOWN: Final = ("town", "330681001")
SHOP: Final = ("platform", "jd")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A small city in which people have been told of some alerts."""
    city = City(tmp_path_factory.mktemp("city"))
    city.run(_tell)
    yield city
    city.stop()


def _firing(code: str, scope: str, scope_id: str, **fields: Any) -> dict[str, Any]:
    identity = f"{code}.{scope}.{scope_id}.1h"
    worst = [(*TOWN, "暨阳街道", 78, 120, 0.65)] if scope == "city" else []
    return log_row(
        alert_id=identity, transition_id=f"{identity}-firing", kind="rate", indicator=code, scope=scope,
        scope_id=scope_id, window="1h", from_state="pending", to_state="firing", since=AT, as_of=AT, target=0.9,
        rate=0.8, numerator=80, denominator=100, step=0, **{"worst": worst, **fields},
    )  # fmt: skip


async def _tell(store: Store) -> None:
    rows = [_firing("seal_coverage", *place) for place in (CITY, TOWN, SHOP)]
    rows.append(_firing("camera_online", *TOWN))
    await record(store, rows)
    for row in rows:
        await record_delivery(store, row["transition_id"], "duty", 1, "delivered", "HTTP 200")


def test_while_the_city_fires_nobody_is_called_for_its_towns_and_platforms(city: City) -> None:
    found: list[Unanswered] = city.run(unacknowledged)
    assert {one.transition["alert_id"] for one in found} == {
        "seal_coverage.city.330681.1h",
        "camera_online.town.330681001.1h",
    }


def test_what_is_told_again_from_the_table_names_the_worst_places_as_it_did_at_first(city: City) -> None:
    again = [one.transition for one in city.run(unacknowledged)]
    again += city.run(lambda store: told_and_firing(store, ["duty"]))
    messages = [compose(one) for one in again if one["scope"] == "city"]
    assert len(messages) == 2
    for message in messages:
        assert "较差：暨阳街道65.0%（78/120）" in message.text
        assert message.body["worst"][0]["scope_id"] == TOWN[1]


def test_a_moment_is_asked_for_as_it_is_whatever_its_zone_and_to_the_microsecond(city: City) -> None:
    moment = AT.astimezone(SHANGHAI) + timedelta(microseconds=123_456)

    async def asked(store: Store) -> datetime:
        rows = await store.rows("SELECT {at:DateTime64(6, 'UTC')}", {"at": moment})
        return utc(rows[0][0])

    assert city.run(asked) == moment
