"""Asking with parameters: every number of `rates_now` is the sum of the units that `why` names, and what `rate_between`
says of the same span; analysts may ask, and cannot reach further by it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.durations import window_length
from schemas.indicator import SHANGHAI
from schemas.indicators import CATALOGUE
from sinks.clickhouse.client import Store
from streams.rebuild import Rebuilder
from tests.streams.city import ACTIVE_DAYS, AS_OF, FilledCity

PLACES: Final = (("city", "330681"), ("town", "330681001"), ("platform", "meituan"))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledCity]:
    """A city with a month behind it."""
    city = FilledCity(tmp_path_factory.mktemp("city"))
    yield city
    city.stop()


@pytest.fixture(scope="module")
def analyst(city: FilledCity) -> Iterator[Client]:
    """The analyst's client."""
    client = city.server.client("analyst", "")
    client.database = "yangguang"
    yield client
    client.close()


def shown(city: FilledCity, code: str) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """(numerator, denominator, unknown, window_end) of an indicator by (scope, scope_id, window)."""
    rows = city.rows(
        "SELECT scope, scope_id, window, numerator, denominator, unknown, window_end FROM yangguang.rates_now "
        f"WHERE indicator = '{code}'"
    )
    return {row[:3]: row[3:] for row in rows}


@pytest.mark.parametrize("code", CATALOGUE)
def test_the_units_that_are_named_add_up_to_the_number(city: FilledCity, analyst: Client, code: str) -> None:
    rows = shown(city, code)
    for scope, scope_id in PLACES[: len(CATALOGUE[code].scopes)]:
        for window in CATALOGUE[code].windows:
            *number, end = rows[scope, scope_id, window]
            asked = f"indicator='{code}', scope='{scope}', scope_id='{scope_id}', window='{window}'"
            units = analyst.query(
                f"SELECT unit_id, numerator, denominator, unknown, events FROM why({asked}, at='{end.isoformat()}')"
            ).result_rows
            assert [sum(row[place] for row in units) for place in (1, 2, 3)] == number
            assert len({row[0] for row in units}) == len(units)
            assert all(row[4] for row in units), "a unit without a deciding event"


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_rate_between_the_ends_of_a_window_is_the_windows(city: FilledCity, analyst: Client, code: str) -> None:
    rows = shown(city, code)
    for window in CATALOGUE[code].windows:
        *_, end = rows["city", "330681", window]
        begin = end - window_length(window)
        between = analyst.query(
            f"SELECT scope, scope_id, numerator, denominator, unknown FROM rate_between(indicator='{code}', "
            f"start='{begin.isoformat()}', end='{end.isoformat()}')"
        ).result_rows
        expected = {(scope, place): values[:3] for (scope, place, one), values in rows.items() if one == window}
        assert {tuple(row[:2]): tuple(row[2:]) for row in between} == expected


def test_a_moment_without_an_offset_is_of_shanghai(analyst: Client) -> None:
    local = AS_OF.astimezone(SHANGHAI)
    texts = [f"{local:%Y-%m-%d %H:%M:%S}", f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}", local.isoformat()]
    found = [
        analyst.query(
            f"SELECT * FROM rate_between(indicator='seal_coverage', start='2026-11-20 00:00:00', end='{text}')"
        ).result_rows
        for text in texts
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][0][3] > 0


def test_stock_after_as_of_is_that_of_as_of_and_slots_after_it_are_not_counted(analyst: Client) -> None:
    far = "2027-06-01 00:00:00"
    now = f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"
    for code in ("kitchen_build", "camera_online"):
        rows = [
            analyst.query(
                f"SELECT * FROM rate_between(indicator='{code}', start='2026-11-01 00:00:00', end='{end}') ORDER BY ALL"
            ).result_rows
            for end in (far, now)
        ]
        assert rows[0] == rows[1]


def test_an_indicator_that_there_is_not_has_no_rows(analyst: Client) -> None:
    for name in ("nothing", "x' OR '1'='1", "seal_coverage'); DROP TABLE raw_orders; --"):
        parameters = {"name": name}
        asked = "SELECT * FROM rate_between(indicator={name:String}, start='2026-11-01', end='2026-11-20')"
        assert analyst.query(asked, parameters).result_rows == []
    assert analyst.query("SELECT count() FROM rates_now").result_rows[0][0] > 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM flow_minutes",
        "SELECT * FROM stock_spans",
        "SELECT * FROM raw_orders",
        "SELECT * FROM indicator_marks",
        "SELECT * FROM settings",
        "SELECT * FROM viewIfPermitted(SELECT * FROM raw_orders ELSE null('x Int8'))",
        "SELECT * FROM why(indicator=(SELECT any(name) FROM raw_operators), scope='', scope_id='', window='', at='')",
        "SELECT * FROM rate_between(indicator='staffing', start=(SELECT any(order_id) FROM raw_orders), end='')",
        "CREATE VIEW mine AS SELECT * FROM why(indicator='', scope='', scope_id='', window='', at='2026-01-01')",
    ],
)
def test_what_stands_beneath_the_questions_is_closed(analyst: Client, sql: str) -> None:
    with pytest.raises(ClickHouseError):
        analyst.query(sql)


def test_the_history_ends_where_the_rates_are(city: FilledCity) -> None:
    latest = city.rows(
        "SELECT kind, max(minute) FROM yangguang.rates_history AS h INNER JOIN yangguang.indicators AS i "
        "ON i.code = h.indicator GROUP BY kind"
    )
    found: dict[str, datetime] = dict(latest)
    assert found["stock"] <= AS_OF
    assert found["availability"] <= AS_OF


def test_rebuilding_one_indicator_changes_no_other(city: FilledCity) -> None:
    rates = "SELECT * FROM yangguang.rates_now ORDER BY indicator, scope, scope_id, window"
    before = city.rows(rates)

    async def rebuild(store: Store) -> None:
        for code in ("staffing", "seal_coverage", "camera_online", "pledges_signed"):
            async for _ in Rebuilder(store, city.catalogue, ACTIVE_DAYS, [code]).run(identities=False):
                pass

    city.run(rebuild)
    assert city.rows(rates) == before
