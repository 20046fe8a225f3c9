"""The rates of every indicator, now and at every minute, against the oracle."""

import csv
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.system.differing import differ, equal, keyed
from tests.system.oracle import Oracle, shown
from tests.system.oracle_events import MINUTE
from tests.system.oracle_indicators import (
    CITY,
    FLOW,
    INDICATORS,
    LENGTHS,
    PLATFORMS,
    STOCK,
    Indicator,
    Rate,
    Scope,
    status,
    wilson,
)
from tests.system.stack import ROOT, Stack

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NOTHING: Final = Rate()
_NO_UNITS: Final = frozenset({"no_activity", "no_data"})


def places(indicator: Indicator) -> list[Scope]:
    """Every scope of an indicator: the city, the 23 towns, and the platforms where it has them."""
    with Path(ROOT / "schemas/data/towns.csv").open(encoding="utf-8") as file:
        towns = [("town", row["town_code"]) for row in csv.DictReader(file)]
    return [CITY, *towns, *(("platform", one) for one in PLATFORMS if indicator.platforms)]


def rate_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the rates as they are now."""
    expected = {}
    for code, indicator in INDICATORS.items():
        end = oracle.as_of - indicator.settle
        for window in indicator.windows:
            rates = oracle.between(code, end - LENGTHS.get(window, 0), end)
            for scope in places(indicator):
                rate = rates.get((code, *scope), NOTHING)
                expected[code, *scope, window] = _expected_rate(oracle, indicator, rate)
    names = "numerator, denominator, unknown, rate, lower, upper, target, comparator, as_of, window_end, status"
    rows = stack.rows(f"SELECT indicator, scope, scope_id, window, {names} FROM yangguang.rates_now")
    actual, twice = keyed(
        "rates_now",
        (
            (
                (row["indicator"], row["scope"], row["scope_id"], row["window"]),
                {name: row[name] for name in names.split(", ")},
            )
            for row in rows
        ),
    )
    for key, row in actual.items():
        if key in expected and not expected[key]["status"] and row["status"] in _NO_UNITS:
            expected[key]["status"] = row["status"]
    return [*twice, *differ("rates_now", expected, actual)]


def _expected_rate(oracle: Oracle, indicator: Indicator, rate: Rate) -> dict[str, Any]:
    """The status is empty where either word for nothing to count will do."""
    bounds = indicator.kind == FLOW and rate.denominator > 0
    return {
        **rate._asdict(),
        "rate": rate.value(indicator),
        "lower": wilson(rate.numerator, rate.denominator, -1) if bounds else None,
        "upper": wilson(rate.numerator, rate.denominator, 1) if bounds else None,
        "target": indicator.target,
        "comparator": indicator.comparator,
        "as_of": shown(oracle.as_of),
        "window_end": shown(oracle.as_of - indicator.settle),
        "status": status(indicator, rate),
    }


def history_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the rates of every minute."""
    rows = stack.rows(
        "SELECT indicator, scope, scope_id, minute, numerator, denominator, unknown, rate FROM yangguang.rates_history"
    )
    actual, twice = keyed(
        "rates_history",
        (
            (
                (row["indicator"], row["scope"], row["scope_id"], _microseconds(row["minute"])),
                (Rate(row["numerator"], row["denominator"], row["unknown"]), row["rate"]),
            )
            for row in rows
        ),
    )
    yield from twice
    stock: dict[tuple[str, str, str, int], Rate] = {}
    others: dict[tuple[str, str, str, int], Rate] = {}
    for key, (rate, value) in actual.items():
        if key[0] not in INDICATORS:
            yield f"rates_history {key} is of no indicator"
            continue
        indicator = INDICATORS[key[0]]
        if not equal(value, rate.value(indicator)):
            yield f"rates_history {key} has rate {value}, should be {rate.value(indicator)}"
        (stock if indicator.kind == STOCK else others)[key] = rate
    shown_others = {key: rate for key, rate in others.items() if rate != NOTHING}
    yield from differ("rates_history", _readable(oracle.history()), _readable(shown_others))
    yield from _stock_history(oracle, stock)


def _stock_history(oracle: Oracle, actual: Mapping[tuple[str, str, str, int], Rate]) -> Iterable[str]:
    """At every minute at which something may change, before it, and at every minute that is shown."""
    changes: dict[int, list[tuple[tuple[str, str, str], Rate]]] = {}
    for (*place, minute), rate in actual.items():
        changes.setdefault(int(minute), []).append(((place[0], place[1], place[2]), rate))
    late = [minute for minute in changes if minute > oracle.as_of]
    if late:
        yield f"rates_history shows stock at {shown(max(late))}, after as_of {shown(oracle.as_of)}"
    candidates = oracle.stock_minutes
    minutes = sorted({*candidates, *(one - MINUTE for one in candidates), *changes, oracle.as_of} - set(late))
    held: dict[tuple[str, str, str], Rate] = {}
    for minute in minutes:
        held.update(changes.get(minute, ()))
        expected = oracle.stock(minute)
        there = {place: rate for place, rate in held.items() if rate != NOTHING}
        if expected != there:
            yield from differ(f"rates_history at {shown(minute).astimezone(SHANGHAI)}", expected, there)


def _readable(rates: Mapping[tuple[Any, ...], Rate]) -> dict[tuple[Any, ...], Rate]:
    return {(*key[:-1], str(shown(key[-1]).astimezone(SHANGHAI))): rate for key, rate in rates.items()}


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
