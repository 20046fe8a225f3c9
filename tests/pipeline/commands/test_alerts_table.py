"""What `yangguang alerts list` shows of an alert: enough to act on it, and no share of nothing."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from pipeline.commands.tables import alerts_table


def shown(width: int, **fields: Any) -> str:
    row = {
        "alert_id": "no_data.town.330681109.2h.yangguang.seal", "indicator": "no_data", "scope": "town",
        "scope_id": "330681109", "window": "2h", "state": "firing", "since": datetime(2026, 11, 23, 4, tzinfo=UTC),
        "rate": None, "numerator": 0, "denominator": 0, "target": None, **fields,
    }  # fmt: skip
    console = Console(width=width)
    with console.capture() as captured:
        console.print(alerts_table([row], named=True))
    return captured.get()


def test_the_id_that_ack_and_silence_want_is_shown() -> None:
    assert "no_data.town.330681109.2h.yangguang.seal" in shown(200)


def test_on_a_narrow_screen_the_id_is_folded_and_not_cut() -> None:
    assert "…" not in shown(100).splitlines()[-1]
    assert "seal" in "".join(shown(100).split())


def test_a_silence_has_no_share_of_nothing() -> None:
    assert "0/0" not in shown(200)
    rate = {"indicator": "seal_coverage", "rate": 0.5, "numerator": 30, "denominator": 60, "target": 0.9}
    assert "30/60" in shown(200, **rate)
    none_of_them = {"indicator": "school_grade_c", "rate": 0.0, "target": 0.0}
    assert "0, at most 0" in shown(200, **none_of_them)
