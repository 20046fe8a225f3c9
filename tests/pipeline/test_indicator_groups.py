"""Under which headings indicators are shown."""

import pytest

from pipeline.indicator_groups import groups, main_window
from schemas.indicators import CATALOGUE


def test_every_indicator_is_in_one_group_and_no_group_is_empty() -> None:
    assert sorted(one.code for group in groups() for one in group.indicators) == sorted(CATALOGUE)
    assert all(group.indicators for group in groups())


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("kitchen_build", "takeaway"), ("camera_online", "takeaway"), ("seal_evidence", "takeaway"),
        ("finding_closure", "takeaway"), ("school_6h", "canteens"), ("caring_canteen_villages", "canteens"),
        ("supplier_certified", "canteens"), ("dining_streets", "canteens"), ("staffing", "canteens"),
        ("cook_companies", "banquets"), ("cook_certified", "banquets"), ("banquet_filed", "banquets"),
        ("pledges_signed", "duties"), ("supervision_visits", "duties"),
    ],
)  # fmt: skip
def test_an_indicator_is_shown_with_what_it_counts(code: str, group: str) -> None:
    assert [one.code for one in groups() if CATALOGUE[code] in one.indicators] == [group]


def test_an_indicator_that_is_new_needs_no_other_code() -> None:
    new = CATALOGUE["school_6h"].model_copy(update={"code": "new", "where": "kind = 'workplace_canteen'"})
    assert [one.code for one in groups([new]) if one.indicators] == ["canteens"]


def test_where_there_is_room_for_one_window_it_is_that_of_the_alerts() -> None:
    assert {main_window(CATALOGUE[code]) for code in ("kitchen_build", "staffing")} == {"now"}
    assert main_window(CATALOGUE["seal_coverage"]) == "1h"
    assert main_window(CATALOGUE["banquet_filed"]) == "30d"
    assert main_window(CATALOGUE["finding_closure"]) == "7d"
