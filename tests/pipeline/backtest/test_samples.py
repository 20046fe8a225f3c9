"""How large a sample has to be before a drop can be seen in it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backtest.drawing import MEAL_HOUR
from pipeline.backtest.samples import power, proves, units_needed
from streams.alert_machine import Rule, Value, breaches

TARGET = 0.9


def judged(numerator: int, units: int) -> bool:
    return breaches(Rule(TARGET, 0.92, ">=", 1, 10, True, False), Value(numerator, units, 0))


@given(st.integers(1, 600))
def test_one_more_than_what_proves_a_breach_does_not(units: int) -> None:
    most = proves(units, TARGET)
    assert most < 0 or judged(most, units)
    assert most == units or not judged(most + 1, units)


@given(st.integers(1, 300), st.floats(0.05, 0.85))
def test_the_deeper_the_drop_the_likelier_it_is_seen(units: int, share: float) -> None:
    assert power(units, share - 0.05, TARGET) >= power(units, share, TARGET) - 1e-9


@pytest.mark.parametrize(("left", "units"), [(0.5, 30), (0.65, 31), (0.7, 45), (0.75, 74), (0.8, 158)])
def test_a_shallow_drop_needs_a_larger_sample(left: float, units: int) -> None:
    assert units_needed(left, TARGET, floor=30) == units
    assert power(units, left, TARGET) >= 0.95


def test_the_table_of_the_docs_is_the_one_that_is_drawn_by() -> None:
    text = (Path(__file__).parents[3] / "docs" / "backtest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) % \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert len(rows) == 6
    for left, *told in rows:
        needed = [units_needed(int(left) / 100, TARGET, floor) or 0 for floor in (30, 60)]
        assert [int(one) for one in told] == [one for units in needed for one in (units, round(units / MEAL_HOUR))]


def test_chance_alone_looks_like_a_drop_in_a_thousandth_of_the_small_samples() -> None:
    assert 0.001 < power(30, 0.945, TARGET) < 0.002
    assert power(200, 0.945, TARGET) < 0.00001
