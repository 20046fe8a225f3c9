"""Between which moments an event alert's condition holds by one record."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.event_alerts import (
    EVENT_CODES,
    EVENT_ENTRIES,
    GUIDED_DINERS,
    banquet_cook_uncertified,
    banquet_unguided,
    finding_critical,
    supplier_certificate_ending,
)

HELD = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


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
    assert (finding_critical({"review": review, "finding": finding}, None) is not None) is holds


def test_guidance_is_due_in_the_last_24_hours() -> None:
    assert banquet_unguided(banquet(), None) == (HELD - timedelta(hours=24), HELD)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "draft"},
        {"status": "cancelled"},
        {"status": "returned"},
        {"status": "held"},
        {"diners": GUIDED_DINERS - 1},
        {"guided_at": HELD - timedelta(microseconds=1)},
    ],
)
def test_some_banquets_need_no_guidance_any_more(fields: dict[str, Any]) -> None:
    assert banquet_unguided(banquet(**fields), None) is None


def test_guidance_at_the_meal_is_too_late() -> None:
    assert banquet_unguided(banquet(guided_at=HELD), None) is not None


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
    assert (banquet_cook_uncertified(banquet(), cook) is None) is certified


def test_the_day_of_the_meal_is_shanghais() -> None:
    late = banquet(held_at=datetime(2026, 11, 20, 16, 30, tzinfo=UTC))
    cook = dict.fromkeys(("training_valid_until", "health_valid_until"), date(2026, 11, 20))
    assert banquet_cook_uncertified(late, cook) is not None


def test_a_great_banquet_without_a_known_cook_is_told_and_a_small_one_is_not() -> None:
    assert banquet_cook_uncertified(banquet(), None) is not None
    assert banquet_cook_uncertified(banquet(diners=299), None) is None


def test_the_last_certificate_counts_from_30_days_before_and_after_its_end() -> None:
    supplier = {
        "kind": "school_supplier",
        "status": "active",
        "certificates": [("HACCP", date(2026, 12, 31)), ("ISO22000", date(2026, 1, 1))],
    }
    bounds = supplier_certificate_ending(supplier, None)
    assert bounds is not None
    assert bounds.begin == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert bounds.end > datetime(2099, 1, 1, tzinfo=UTC)
    assert supplier_certificate_ending({**supplier, "status": "closed"}, None) is None
    assert supplier_certificate_ending({**supplier, "kind": "takeaway"}, None) is None
    assert supplier_certificate_ending({**supplier, "certificates": []}, None) is None
