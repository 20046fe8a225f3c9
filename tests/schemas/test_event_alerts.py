"""Between which moments an event alert's condition holds by one record."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.event_alerts import EVENT_CODES, EVENT_ENTRIES, Bounds, event_rules
from schemas.indicator import Dated, DatedParameter

HELD = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


def bounds(code: str, record: dict[str, Any], other: dict[str, Any] | None = None, **given: Any) -> Bounds | None:
    """When an alert holds by a record, with what is set of it."""
    rules = event_rules({code: {name: several(value) for name, value in given.items()}})
    entry = next(one for one in rules.entries if one.code == code)
    return entry.holds(record, other, entry.parameters)


def several(value: Any) -> tuple[Dated[Any], ...]:
    found: tuple[Dated[Any], ...] = TypeAdapter(DatedParameter).validate_python(value)
    return found


def banquet(**fields: Any) -> dict[str, Any]:
    return {"status": "filed", "diners": 300, "held_at": HELD, "guided_at": None, "cook_id": "c", **fields}


def test_every_entry_reads_fields_that_its_model_has() -> None:
    assert len(set(EVENT_CODES)) == len(EVENT_CODES) == 5
    for entry in EVENT_ENTRIES:
        assert set(entry.fields) <= set(entry.model.model_fields)
        assert "town_code" in entry.fields
        assert not entry.refers_to or entry.refers_to in entry.fields


@pytest.mark.parametrize(
    ("review", "finding", "holds"),
    [
        ("confirmed", "RODENT", True),
        ("confirmed", "NO_MASK", False),
        ("raw", "RODENT", False),
        ("closed", "OPEN_FIRE", False),
        ("false_positive", "FLAME_UNATTENDED", False),
    ],
)
def test_only_a_confirmed_acute_danger_is_told(review: str, finding: str, holds: bool) -> None:
    assert (bounds("finding_critical", {"review": review, "finding": finding}) is not None) is holds


def test_guidance_is_due_in_the_last_24_hours() -> None:
    assert bounds("banquet_unguided", banquet()) == (HELD - timedelta(hours=24), HELD)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "draft"},
        {"status": "cancelled"},
        {"status": "held"},
        {"diners": 99},
        {"guided_at": HELD - timedelta(microseconds=1)},
    ],
)
def test_some_banquets_need_no_guidance_any_more(fields: dict[str, Any]) -> None:
    assert bounds("banquet_unguided", banquet(**fields)) is None


@pytest.mark.parametrize("status", ["declared", "returned", "filed", "assigned", "guided", "rectifying"])
@pytest.mark.parametrize("code", ["banquet_unguided", "banquet_cook_uncertified"])
def test_a_banquet_that_is_going_to_be_held_is_told_also_when_its_declaration_was_returned(
    code: str, status: str
) -> None:
    assert bounds(code, banquet(status=status)) is not None


def test_guidance_at_the_meal_is_too_late() -> None:
    assert bounds("banquet_unguided", banquet(guided_at=HELD)) is not None


@pytest.mark.parametrize(
    ("training", "health", "certified"),
    [
        (date(2026, 11, 20), date(2026, 11, 20), True),
        (date(2026, 11, 19), date(2027, 1, 1), False),
        (date(2027, 1, 1), date(2026, 11, 19), False),
        (None, date(2027, 1, 1), False),
    ],
)
def test_a_cook_is_certified_on_the_meals_day(training: date | None, health: date | None, certified: bool) -> None:
    cook = {"training_valid_until": training, "health_valid_until": health}
    assert (bounds("banquet_cook_uncertified", banquet(), cook) is None) is certified


def test_the_day_of_the_meal_is_shanghais() -> None:
    late = banquet(held_at=datetime(2026, 11, 20, 16, 30, tzinfo=UTC))
    cook = dict.fromkeys(("training_valid_until", "health_valid_until"), date(2026, 11, 20))
    assert bounds("banquet_cook_uncertified", late, cook) is not None


def test_a_great_banquet_without_a_known_cook_is_told_and_a_small_one_is_not() -> None:
    assert bounds("banquet_cook_uncertified", banquet()) is not None
    assert bounds("banquet_cook_uncertified", banquet(diners=299)) is None


def test_the_last_certificate_counts_from_30_days_before_and_after_its_end() -> None:
    supplier = {
        "kind": "school_supplier",
        "status": "active",
        "certificates": [("HACCP", date(2026, 12, 31)), ("ISO22000", date(2026, 1, 1))],
    }
    ending = bounds("supplier_certificate_ending", supplier)
    assert ending is not None
    assert ending.begin == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert ending.end > datetime(2099, 1, 1, tzinfo=UTC)
    assert bounds("supplier_certificate_ending", {**supplier, "status": "closed"}) is None
    assert bounds("supplier_certificate_ending", {**supplier, "kind": "takeaway"}) is None
    assert bounds("supplier_certificate_ending", {**supplier, "certificates": []}) is None


def test_what_is_set_locally_counts_by_the_day_of_what_the_alert_is_about() -> None:
    hours = timedelta(hours=1)
    lead = [{"from": "2026-11-20", "value": "48h"}, {"from": "2026-11-21", "value": "72h"}]
    for day, length in ((19, 24), (20, 48), (21, 72)):
        held = HELD.replace(day=day)
        assert bounds("banquet_unguided", banquet(held_at=held), lead=lead) == (held - length * hours, held)
    late = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)  # half past midnight in Shanghai
    assert bounds("banquet_unguided", banquet(held_at=late), lead=lead) == (late - 72 * hours, late)
    diners = [{"from": "2026-11-21", "value": 50}]
    for code, usual in (("banquet_unguided", 100), ("banquet_cook_uncertified", 300)):
        for held, least in ((HELD, usual), (late, 50)):
            assert bounds(code, banquet(diners=least, held_at=held), diners=diners) is not None
            assert bounds(code, banquet(diners=least - 1, held_at=held), diners=diners) is None
    supplier = {"kind": "school_supplier", "status": "active", "certificates": [("HACCP", date(2026, 12, 31))]}
    ending = bounds("supplier_certificate_ending", supplier, notice=timedelta(days=10))
    assert ending is not None
    assert ending.begin == datetime(2026, 12, 20, 16, 0, tzinfo=UTC)


def test_who_may_matter_on_any_day_is_looked_at() -> None:
    given = {"diners": several([{"from": "2027-01-01", "value": 50}]), "lead": several(timedelta(hours=12))}
    entry = event_rules({"banquet_unguided": given}).entries[1]
    assert entry.candidates("FIRST", "LAST") == (
        "diners >= 50 AND held_at > FIRST AND held_at <= LAST + INTERVAL 43200 SECOND"
    )
