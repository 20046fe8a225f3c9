"""One entry more is one indicator more, everywhere; numbers of another definition are never mixed with the old ones."""

import importlib.util
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.indicator import SHANGHAI, Dated, Definition, Indicator, Number
from schemas.indicators import CATALOGUE, FLOW_WINDOWS, INDICATORS
from sinks.clickhouse import alerts
from sinks.clickhouse.client import Store
from streams.alert import Alerter
from tests.streams.city import AS_OF, FilledCity

THREE_PACKAGES: Final = Indicator(
    code="three_packages",
    name_zh="三件及以上订单占比",
    name_en="Orders with at least three packages",
    clause="20",
    relation="orders",
    where="fulfilment = 'delivered'",
    numerator="packages >= 3",
    words="Delivered orders with at least three packages, of all delivered orders.",
    target=(Dated[Number].model_validate({"from": "2023-01-01", "value": 0.5}),),
    windows=FLOW_WINDOWS,
    alert_windows=("1h",),
    settle=timedelta(minutes=15),
    scopes=("city", "town", "platform"),
    floor=30,
)
GRADED_A: Final = Indicator(
    code="graded_a", name_zh="A级占比", name_en="Operators graded A", clause="20", relation="operators",
    where="status = 'active'", numerator="grade = 'A'", words="Active operators graded A, of all.",
)  # fmt: skip
SUSPENDED_DARK: Final = Indicator(
    code="camera_sharp", name_zh="画面清晰率", name_en="Cameras with a sharp picture", clause="20",
    relation="camera_slots", where="status = 'active' AND kind = 'takeaway'", numerator="picture = 'ok' AND NOT online",
    words="Slots with a sharp picture of a camera that is offline.", windows=FLOW_WINDOWS, alert_windows=("1h",),
)  # fmt: skip
NEW: Final = (THREE_PACKAGES, GRADED_A, SUSPENDED_DARK)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledCity]:
    """A city that is counted by the catalogue, and then by one with three entries more."""
    city = FilledCity(tmp_path_factory.mktemp("city"))
    city.prepare((*INDICATORS, *NEW))
    yield city
    city.stop()


def statuses(city: FilledCity) -> dict[str, set[str]]:
    """All statuses of each indicator."""
    found: dict[str, set[str]] = {}
    for code, status in city.rows("SELECT DISTINCT indicator, status FROM yangguang.rates_now"):
        found.setdefault(code, set()).add(status)
    return found


async def judged(store: Store) -> bool:
    """Whether the alert stage judges the new entry now."""

    async def publish(_: Any) -> None:
        """Nobody listens."""

    await Alerter(store, [THREE_PACKAGES], publish, event_clock=True).evaluate()
    return THREE_PACKAGES.code in await alerts.evaluated_until(store)


def test_until_it_is_computed_a_new_entry_is_an_error_and_nothing_else_is(city: FilledCity) -> None:
    found = statuses(city)
    assert found.keys() == CATALOGUE.keys() | {one.code for one in NEW}
    assert {code for code, several in found.items() if several == {"error"}} == {one.code for one in NEW}
    assert not city.run(judged), "an alert of numbers that are not those of the definition"
    city.run(city.adopt)
    assert all("error" not in several for several in statuses(city).values())
    assert city.run(judged)


def test_a_new_entry_has_a_row_for_every_window_and_place_with_what_a_recount_gives(city: FilledCity) -> None:
    end = AS_OF - timedelta(minutes=15)
    for window, hours in (("1h", 1), ("24h", 24), ("7d", 168), ("30d", 720)):
        moment = f"toDateTime64('{end:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
        recount = city.rows(
            f"SELECT town_code, countIf(packages >= 3), count() FROM yangguang.orders WHERE fulfilment = 'delivered' "
            f"AND delivered_at >= {moment} - INTERVAL {hours} HOUR AND delivered_at < {moment} GROUP BY town_code"
        )
        shown = city.rows(
            "SELECT scope_id, numerator, denominator FROM yangguang.rates_now WHERE indicator = 'three_packages' "
            f"AND window = '{window}' AND scope = 'town' AND denominator > 0"
        )
        assert sorted(shown) == sorted(recount)
    assert city.rows("SELECT count() FROM yangguang.rates_now WHERE indicator = 'three_packages'") == [(29 * 4,)]
    (graded,) = city.rows(
        "SELECT numerator, denominator FROM yangguang.rates_now WHERE indicator = 'graded_a' AND scope = 'city'"
    )
    active = "FROM yangguang.operators WHERE status = 'active'"
    assert city.rows(f"SELECT countIf(grade = 'A'), count() {active}") == [graded]
    dark = city.rows(
        "SELECT numerator, denominator FROM yangguang.rates_now WHERE indicator = 'camera_sharp' "
        "AND scope = 'city' AND window = '1h'"
    )
    assert 0 < dark[0][0] < dark[0][1]


def test_a_new_entry_with_a_target_is_an_alert_rule(city: FilledCity) -> None:
    async def work(store: Store) -> tuple[list[str], list[Any]]:
        alerter = Alerter(store, city.catalogue, publish, event_clock=True)
        series = await alerts.series(store, [THREE_PACKAGES], AS_OF - timedelta(hours=2), AS_OF)
        return [one.code for one in alerter._judged], series["three_packages"]

    async def publish(_: Any) -> None:
        raise AssertionError("nothing is judged here")

    judged, series = city.run(work)
    assert "three_packages" in judged
    assert "graded_a" not in judged, "it has no target"
    (last,) = city.rows(
        "SELECT numerator, denominator FROM yangguang.rates_now WHERE indicator = 'three_packages' "
        "AND scope = 'city' AND window = '1h'"
    )
    of_city = [point for point in series if point.scope == "city"]
    assert (of_city[-1].numerator, of_city[-1].denominator) == last


def test_a_new_entry_is_explained_and_documented(city: FilledCity) -> None:
    (why,) = city.rows(
        "SELECT sum(numerator), sum(denominator) FROM yangguang.why(indicator='three_packages', scope='city', "
        f"scope_id='330681', window='24h', at='{AS_OF - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}')"
    )
    (shown,) = city.rows(
        "SELECT numerator, denominator FROM yangguang.rates_now WHERE indicator = 'three_packages' "
        "AND scope = 'city' AND window = '24h'"
    )
    assert why == shown
    path = Path(__file__).parents[2] / "docs/tables.py"
    spec = importlib.util.spec_from_file_location("docs_tables", path)
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for page in (tables.indicators((THREE_PACKAGES,)), tables.catalogue((THREE_PACKAGES,))):
        assert "three_packages" in page
        assert "三件及以上订单占比" in page


def test_another_definition_counts_from_its_day_on_and_leaves_the_past(city: FilledCity) -> None:
    day = date(2026, 11, 10)
    later = THREE_PACKAGES.model_copy(
        update={
            "numerator": "packages >= 2",
            "definition": "2",
            "definition_from": day,
            "former": (
                Definition.model_validate(
                    {
                        "version": "1",
                        "from": date(2023, 1, 1),
                        "where": THREE_PACKAGES.where,
                        "numerator": THREE_PACKAGES.numerator,
                    }
                ),
            ),
        }
    )
    city.prepare((*INDICATORS, later, *NEW[1:]))
    assert statuses(city)["three_packages"] == {"error"}
    city.run(city.adopt)
    midnight = datetime.combine(day, datetime.min.time(), SHANGHAI)
    found = city.rows(
        f"SELECT minute < toDateTime64('{midnight:%Y-%m-%d %H:%M:%S}', 0, 'Asia/Shanghai') AS before, definition, "
        "sum(numerator) / sum(denominator) AS share FROM yangguang.rates_history "
        "WHERE indicator = 'three_packages' AND scope = 'city' GROUP BY before, definition ORDER BY before"
    )
    assert [(bool(before), definition) for before, definition, _ in found] == [(False, "2"), (True, "1")]
    assert found[0][2] == pytest.approx(2 / 3, abs=0.03)
    assert found[1][2] == pytest.approx(1 / 3, abs=0.03)
