"""What `up` shows of 27 indicators: what is not ok is never crowded out by what is."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from pipeline.commands.screen import fitting, in_one_line, main_rows
from pipeline.commands.tables import grouped_rates
from pipeline.indicator_groups import groups, main_window
from schemas.indicators import INDICATORS


def rows(**statuses: str) -> list[dict[str, Any]]:
    """The city's rates of every indicator and window; all are ok but those that are named."""
    return [
        {
            "indicator": one.code, "scope": "city", "scope_id": "330681", "window": window,
            "numerator": 999 if one.counts else 99_999, "denominator": 0 if one.counts else 100_000,
            "unknown": 99_999, "rate": 999 if one.counts else 0.99999,
            "target": one.target_on(datetime(2026, 11, 20, tzinfo=UTC).date()), "comparator": one.comparator or "",
            "status": statuses.get(one.code, "ok"), "as_of": datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
        }
        for one in INDICATORS
        for window in one.windows
    ]  # fmt: skip


def codes(parts: list[tuple[str | None, list[Any]]]) -> list[str]:
    return [row["indicator"] for _, several in parts for row in several]


def test_each_indicator_is_shown_once_in_the_window_of_its_alerts_under_its_heading() -> None:
    parts = main_rows(rows())
    assert [heading for heading, _ in parts] == [group.name_en for group in groups()]
    assert sorted(codes(parts)) == sorted(one.code for one in INDICATORS)
    shown = {row["indicator"]: row["window"] for _, several in parts for row in several}
    assert shown == {one.code: main_window(one) for one in INDICATORS}


def test_the_table_fits_80_columns() -> None:
    paper = io.StringIO()
    Console(file=paper, width=80).print(grouped_rates(main_rows(rows(staffing="no_activity")), "诸暨市"))
    text = paper.getvalue()
    assert "…" not in text
    assert "no_activity" in text


@pytest.mark.parametrize("height", range(1, 40))
def test_what_is_not_ok_goes_last_when_there_is_less_room(height: int) -> None:
    bad = {"school_6h": "below", "pledges_signed": "error", "camera_online": "stale"}
    parts, left_out = fitting(main_rows(rows(**bad)), height)
    shown = codes(parts)
    assert len(shown) + sum(heading is not None for heading, _ in parts) <= height
    assert len(bad.keys() & set(shown)) == min(len(bad), height)
    assert bool(left_out) is (len(shown) < len(INDICATORS))
    if left_out:
        assert f"{len(INDICATORS) - len(shown)} more rates" in left_out


def test_headings_are_left_out_before_any_rate_is() -> None:
    parts, left_out = fitting(main_rows(rows()), len(INDICATORS))
    assert [heading for heading, _ in parts] == [None]
    assert len(codes(parts)) == len(INDICATORS)
    assert not left_out


def test_a_line_of_the_log_has_the_kitchens_and_whatever_is_not_ok() -> None:
    words = in_one_line(rows(school_6h="below"))
    assert words[0] == "kitchen_build now 99.9% (99999/100000) ok"
    assert "school_6h now 999 of 40 below" in words
    assert not [word for word in words if word.startswith("school_model")]
    assert words[-1].endswith("more ok")


def test_without_an_answer_nothing_is_said_of_rates() -> None:
    assert in_one_line([]) == []
    assert codes(main_rows([])) == []
