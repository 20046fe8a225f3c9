"""The catalogue says what the contract says: written out here once more, entry by entry."""

import re
from datetime import date, timedelta
from typing import Final, NamedTuple

import pytest

from schemas.indicator import ALWAYS, Indicator
from schemas.indicators import CATALOGUE, INDICATORS

TODAY: Final = date(2026, 11, 23)
YEAR_END: Final = date(2026, 12, 31)

NOW: Final = ("now",)
FLOW: Final = ("1h", "24h", "7d", "30d")
LONG: Final = ("7d", "30d", "365d")


class Expected(NamedTuple):
    """A row of the contract's table of rates."""

    code: str
    kind: str
    unit: str
    """What is counted: a share of it, or its number."""
    target: str
    windows: tuple[str, ...]
    streams: str
    """Of units and conditions, that of the units first."""


TABLE: Final = (
    Expected("kitchen_build", "stock", "share of operators", ">= 0.90", NOW, "registry camera seal"),
    Expected("kitchen_build_loose", "stock", "share of operators", "shown only", NOW, "registry camera seal"),
    Expected("camera_online", "availability", "share of slots of a camera", ">= 0.95 local", FLOW, "camera registry"),
    Expected("seal_coverage", "flow", "share of orders", ">= 0.90 local", FLOW, "seal"),
    Expected("seal_evidence", "flow", "share of orders", "shown only", FLOW, "seal"),
    Expected("eldercare_kitchens", "stock", "number of operators", ">= 14", NOW, "registry camera"),
    Expected("eldercare_grade_ab", "stock", "number of operators", ">= 14", NOW, "registry"),
    Expected("caring_canteen_villages", "stock", "share of villages", ">= 0.75", NOW, "registry"),
    Expected("school_grade_c", "stock", "number of operators", "<= 0", NOW, "registry"),
    Expected("supplier_certified", "stock", "share of operators", ">= 1.00", NOW, "registry"),
    Expected("school_6h", "stock", "number of operators", ">= 40", NOW, "registry"),
    Expected("school_model", "stock", "number of operators", ">= 5", NOW, "registry"),
    Expected("nutrition_canteens", "stock", "number of operators", ">= 1", NOW, "registry"),
    Expected("dining_streets", "stock", "number of operators", ">= 3", NOW, "registry"),
    Expected("cook_companies", "stock", "number of operators", "shown only", NOW, "registry"),
    Expected("delivery_unit_grade_b", "stock", "share of operators", ">= 0.80", NOW, "registry"),
    Expected("delivery_unit_certified", "stock", "share of operators", ">= 0.70", NOW, "registry"),
    Expected("staffing", "stock", "share of operators", ">= 1.00", NOW, "registry"),
    Expected("cook_certified", "stock", "share of operators", ">= 1.00 local", NOW, "registry"),
    Expected("banquet_filed", "flow", "share of banquets", ">= 0.95 local", LONG, "banquet"),
    Expected("banquet_guided", "flow", "share of banquets", ">= 0.95 local", LONG, "banquet"),
    Expected("banquet_cook_certified", "flow", "share of banquets", ">= 0.95 local", LONG, "banquet registry"),
    Expected("banquet_samples", "flow", "share of banquets", ">= 0.95 local", LONG, "banquet"),
    Expected("finding_closure", "flow", "share of findings", ">= 0.90 local", FLOW, "camera"),
    # Clause 2 of the work points; the contract's table does not have these yet.
    Expected("guarantee_relations", "stock", "share of duties", ">= 1.00", NOW, "registry"),
    Expected("pledges_signed", "stock", "share of duties", ">= 1.00", NOW, "registry"),
    Expected("supervision_visits", "flow", "share of duties", ">= 1.00", LONG, "registry"),
)
EVERY: Final = pytest.mark.parametrize("expected", TABLE, ids=lambda one: one.code)
ENTRIES: Final = pytest.mark.parametrize("entry", INDICATORS, ids=lambda one: one.code)

BY_PLATFORM_TOO: Final = {"kitchen_build", "kitchen_build_loose", "seal_coverage", "seal_evidence"}
BY_THE_END_OF_THE_YEAR: Final = {
    "eldercare_kitchens", "eldercare_grade_ab", "school_6h", "school_model", "nutrition_canteens", "dining_streets",
    "caring_canteen_villages",
}  # fmt: skip
SECONDS: Final = {"lead": 72 * 3600, "grace": 0}


def test_the_catalogue_has_the_entries_of_the_contract_each_once() -> None:
    assert [entry.code for entry in INDICATORS] == [expected.code for expected in TABLE]
    assert list(CATALOGUE) == [expected.code for expected in TABLE]


@EVERY
def test_kind_and_unit_are_the_contracts(expected: Expected) -> None:
    entry = CATALOGUE[expected.code]
    measure = "number" if entry.counts else "share"
    plural = {"duty": "duties", "slot of a camera": "slots of a camera"}.get(entry.units.unit, f"{entry.units.unit}s")
    assert (entry.kind, f"{measure} of {plural}") == (expected.kind, expected.unit)


@EVERY
def test_comparator_and_target_are_the_contracts_since_the_document(expected: Expected) -> None:
    entry = CATALOGUE[expected.code]
    if expected.target == "shown only":
        assert (entry.comparator, entry.target, entry.local_target) == (None, (), False)
        return
    comparator, number, *local = expected.target.split()
    assert (entry.comparator, entry.target_on(TODAY)) == (comparator, float(number))
    assert entry.local_target == (local == ["local"])
    assert [one.from_ for one in entry.target] == [date(2023, 1, 1)]


@EVERY
def test_stock_is_of_now_banquets_and_visits_have_long_windows_all_else_the_four(expected: Expected) -> None:
    assert CATALOGUE[expected.code].windows == expected.windows


@EVERY
def test_streams_are_those_of_the_units_and_of_what_the_conditions_speak_of(expected: Expected) -> None:
    assert [one.removeprefix("yangguang.") for one in CATALOGUE[expected.code].streams] == expected.streams.split()


@ENTRIES
def test_only_the_evidence_of_seals_needs_time_to_arrive(entry: Indicator) -> None:
    assert entry.settle == timedelta(minutes=15 if entry.code.startswith("seal_") else 0)


@ENTRIES
def test_all_are_shown_by_city_and_town_and_takeaway_by_platform_too(entry: Indicator) -> None:
    platform = ("platform",) if entry.code in BY_PLATFORM_TOO else ()
    assert entry.scopes == ("city", "town", *platform)


@ENTRIES
def test_alerts_are_judged_on_now_banquets_and_visits_on_30d_findings_on_7d_all_else_on_1h(entry: Indicator) -> None:
    special = {"banquets": "30d", "duties_due": "30d", "findings": "7d"}
    expected = "now" if entry.kind == "stock" else special.get(entry.relation, "1h")
    assert entry.alert_windows == (expected,)
    assert set(entry.alert_windows) <= set(entry.windows)


@ENTRIES
def test_a_breach_has_to_hold_for_10_minutes(entry: Indicator) -> None:
    assert entry.for_ == timedelta(minutes=10)


@ENTRIES
def test_the_floor_is_30_units_of_a_flow_and_1_of_all_else_on_every_day(entry: Indicator) -> None:
    floor = 30 if entry.kind == "flow" else 1
    assert [entry.floor_on(day) for day in (ALWAYS, TODAY)] == [floor, floor]


@ENTRIES
def test_the_numbers_that_the_document_wants_by_the_end_of_the_year_have_that_deadline_and_no_others(
    entry: Indicator,
) -> None:
    assert entry.deadline == (YEAR_END if entry.code in BY_THE_END_OF_THE_YEAR else None)


@ENTRIES
def test_the_recovery_level_is_not_set_and_so_follows_the_target(entry: Indicator) -> None:
    assert entry.recovery == ()
    target = entry.target_on(TODAY)
    share = target is not None and not entry.counts and target < 1
    assert entry.recovery_on(TODAY) == (round(target + 0.02, 2) if share and target is not None else target)


@ENTRIES
def test_banquets_count_from_100_diners_are_filed_72_hours_ahead_and_due_times_have_no_grace(entry: Indicator) -> None:
    expected = {
        "banquet_filed": {"diners", "lead"},
        "finding_closure": {"grace"},
        "supervision_visits": {"grace"},
    }.get(entry.code, {"diners"} if entry.relation == "banquets" else set())
    assert entry.parameters.keys() == expected
    assert entry.configured == {}
    for name, several in entry.parameters.items():
        ((day, value),) = ((one.from_, one.value) for one in several)
        assert day == ALWAYS
        assert value == (100 if name == "diners" else timedelta(seconds=SECONDS[name]))


@ENTRIES
def test_every_parameter_is_used_in_a_condition_and_none_is_missing(entry: Indicator) -> None:
    conditions = " ".join((entry.where, entry.numerator, entry.unknown))
    assert set(re.findall(r"\{(\w+)\}", conditions)) == entry.parameters.keys()


@ENTRIES
def test_every_definition_has_its_words_clause_version_and_one_phase(entry: Indicator) -> None:
    assert all((entry.name_zh, entry.name_en, entry.words, entry.definition))
    assert entry.clause in {"2", "5", "12", "18", "20"}
    assert not entry.local_target or "local" in entry.assumption
    ((begin, version),) = ((phase.begin, phase.version) for phase in entry.phases())
    assert (begin, version) == (0, entry.definition)
    assert "{" not in "".join(entry.phases()[0][3:])
