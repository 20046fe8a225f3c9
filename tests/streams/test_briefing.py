"""What a message knows beyond its transition agrees with what the rates and `why` say, and costs little."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any, Final

import pytest

from schemas.indicators import CATALOGUE
from sinks.clickhouse.alerts import record
from sinks.clickhouse.briefing import Briefing, brief_on
from sinks.clickhouse.client import Store
from tests.streams.city import AS_OF, FilledCity

TOWN: Final = "330681001"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledCity]:
    """A city with a month behind it."""
    city = FilledCity(tmp_path_factory.mktemp("city"))
    yield city
    city.stop()


def transition(code: str, scope: str = "city", scope_id: str = "330681", **fields: Any) -> dict[str, Any]:
    entry = CATALOGUE.get(code)
    window = entry.alert_windows[0] if entry else "2h"
    return {
        "alert_id": f"{code}.{scope}.{scope_id}.{window}",
        "transition_id": f"{code}-{scope_id}-firing",
        "kind": "rate" if entry else "condition",
        "indicator": code,
        "scope": scope,
        "scope_id": scope_id,
        "window": window,
        "subject": "",
        "from_state": "pending",
        "to_state": "firing",
        "since": AS_OF.isoformat(),
        "held": 0,
        "as_of": AS_OF.isoformat(),
        "recorded_at": AS_OF.isoformat(),
        "numerator": 0,
        "denominator": 0,
        "unknown": 0,
        "rate": None,
        "target": 0.9,
        "worst": [],
        "reason": "",
        "step": 0,
        "inhibited_by": "",
        "facts": "",
        **fields,
    }


def briefed(city: FilledCity, one: dict[str, Any]) -> Briefing:
    return city.run(lambda store: brief_on(store, one))


@pytest.mark.parametrize("code", CATALOGUE)
@pytest.mark.parametrize(("scope", "scope_id"), [("city", "330681"), ("town", TOWN)])
def test_the_trend_ends_with_the_rate_that_is_shown(city: FilledCity, code: str, scope: str, scope_id: str) -> None:
    entry = CATALOGUE[code]
    ((as_of, rate),) = city.rows(
        f"SELECT as_of, rate FROM yangguang.rates_now WHERE indicator = '{code}' AND scope = '{scope}' "
        f"AND scope_id = '{scope_id}' AND window = '{entry.alert_windows[0]}'"
    )
    one = transition(code, scope, scope_id, as_of=as_of.astimezone(UTC).isoformat())
    trend = briefed(city, one).trend
    assert [point.at for point in trend] == sorted({point.at for point in trend})
    if rate is None or (entry.counts and not rate):
        assert not trend or trend[-1].at < as_of or trend[-1].rate == 0
    else:
        assert trend[-1].at == as_of
        # longer windows are read by whole hours
        assert trend[-1].rate == pytest.approx(rate, abs=1e-9 if entry.alert_windows[0] in ("now", "1h") else 0.05)


@pytest.mark.parametrize(
    "code", ["seal_coverage", "kitchen_build", "staffing", "finding_closure", "supplier_certified", "camera_online"]
)
def test_the_worst_operators_are_those_that_why_names(city: FilledCity, code: str) -> None:
    entry = CATALOGUE[code]
    settle = entry.settle
    operators = briefed(city, transition(code)).operators
    window = entry.alert_windows[0]
    asked = f"indicator='{code}', scope='city', scope_id='330681', window='{window}', at='{AS_OF - settle}'"
    units = city.rows(f"SELECT unit_id, numerator, denominator FROM yangguang.why({asked})")
    lacking = sum(denominator - numerator for _, numerator, denominator in units)
    assert (len(operators) > 0) is (lacking > 0)
    assert len(operators) <= 5
    missing = [one.denominator - one.numerator for one in operators]
    assert missing == sorted(missing, reverse=True)
    assert all(missing)
    if entry.kind == "availability":
        owners = dict(city.rows("SELECT camera_id, operator_id FROM yangguang.camera_bindings FINAL"))
        dark: Counter[str] = Counter()
        for unit, numerator, denominator in units:
            dark[owners[unit]] += denominator - numerator
        assert missing == sorted(dark.values(), reverse=True)[: len(missing)]
        assert all(dark[one.operator_id] == one.denominator - one.numerator for one in operators)
    if entry.kind == "stock":
        assert {one.operator_id for one in operators} <= {unit for unit, n, d in units if n < d}
    names = {one.operator_id: one.name for one in operators}
    ids = ", ".join(f"'{one}'" for one in names) or "''"
    assert dict(city.rows(f"SELECT operator_id, name FROM yangguang.operators WHERE operator_id IN ({ids})")) == names


@pytest.mark.parametrize("code", ["cook_certified", "finding_closure"])
def test_banquet_cooks_are_people_and_are_not_named(city: FilledCity, code: str) -> None:
    cooks = {one for (one,) in city.rows("SELECT operator_id FROM yangguang.operators WHERE kind = 'banquet_cook'")}
    city.writer.command(  # nobody leaves more findings open than this cook
        "INSERT INTO yangguang.raw_findings SELECT * REPLACE (concat('cook-', finding_id) AS finding_id, "
        f"concat('cook-', event_id) AS event_id, '{min(cooks)}' AS operator_id) FROM yangguang.raw_findings "
        f"WHERE town_code = '{TOWN}' AND review = 'confirmed'"
    )
    asked = f"indicator='{code}', scope='city', scope_id='330681', window='{CATALOGUE[code].alert_windows[0]}'"
    units = city.rows(f"SELECT unit_id FROM yangguang.why({asked}, at='{AS_OF}') WHERE numerator < denominator")
    owners = dict(city.rows("SELECT finding_id, operator_id FROM yangguang.findings"))
    assert cooks & {owners.get(unit, unit) for (unit,) in units}
    named = {one.operator_id for one in briefed(city, transition(code)).operators}
    assert not cooks & named
    assert bool(named) is (code != "cook_certified")


def test_a_resolved_alert_knows_when_it_fired_and_which_towns_still_do(city: FilledCity) -> None:
    fired, hour = AS_OF - timedelta(hours=3), timedelta(hours=1)

    def row(one: dict[str, Any], at: Any) -> dict[str, Any]:
        return {**one, "as_of": at, "since": at, "recorded_at": at}

    town = transition("seal_coverage", "town", TOWN)
    other = transition("seal_coverage", "town", "330681002")
    rows = [
        row(transition("seal_coverage"), fired),
        row(town, fired),
        row(other, fired),
        row({**other, "to_state": "resolved", "from_state": "firing", "transition_id": "r"}, fired + hour),
    ]
    resolved = transition("seal_coverage", to_state="resolved", from_state="firing", transition_id="c")

    async def recorded(store: Store) -> Briefing:
        await record(store, rows)
        return await brief_on(store, resolved)

    briefing = city.run(recorded)
    assert briefing.fired_at == fired
    assert briefing.still_firing == (("town", TOWN),)
    assert briefing.operators == ()
    assert briefed(city, transition("seal_coverage")).fired_at is None


def test_a_condition_is_told_of_without_rates(city: FilledCity) -> None:
    assert briefed(city, transition("no_data", subject="yangguang.seal")) == Briefing()


@pytest.mark.parametrize("code", ["seal_coverage", "kitchen_build", "camera_online", "banquet_filed"])
def test_it_is_cheap(city: FilledCity, code: str) -> None:
    async def timed(store: Store) -> float:
        spent = []
        for _ in range(4):
            began = time.perf_counter()
            await brief_on(store, transition(code))
            spent.append(time.perf_counter() - began)
            await asyncio.sleep(0)
        return min(spent)

    assert city.run(timed) < 0.5  # a quiet machine needs 20 to 80 ms
