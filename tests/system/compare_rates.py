"""Build and seal rates, now and at every minute, against the oracle."""

import csv
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.system.differing import differ, equal, keyed
from tests.system.oracle import (
    DAY,
    HOUR,
    MINUTE,
    Oracle,
    Rate,
    shown,
    wilson,
)
from tests.system.stack import ROOT, Stack

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
WINDOWS: Final = {"1h": HOUR, "24h": 24 * HOUR, "7d": 7 * DAY, "30d": 30 * DAY}
STOCK: Final = ("kitchen_build", "kitchen_build_loose")
FLOW: Final = ("seal_coverage", "seal_evidence")
TARGETS: Final = {"kitchen_build": 0.9, "seal_coverage": 0.9}
FLOORS: Final = {"kitchen_build": 1, "kitchen_build_loose": 1, "seal_coverage": 30, "seal_evidence": 30}
PLATFORMS: Final = ("meituan", "eleme", "jd", "douyin", "other")


def towns() -> list[str]:
    """The codes of the 23 towns."""
    with Path(ROOT / "schemas/data/towns.csv").open(encoding="utf-8") as file:
        return [row["town_code"] for row in csv.DictReader(file)]


def places() -> list[tuple[str, str]]:
    """Every scope of a seal or build rate."""
    return [("city", "330681"), *(("town", one) for one in towns()), *(("platform", one) for one in PLATFORMS)]


def rate_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the rates as they are now."""
    expected = {}
    stock = oracle.stock(oracle.as_of)
    for code in STOCK:
        for scope in places():
            expected[code, *scope, "now"] = _expected_rate(oracle, code, stock.get((code, *scope), Rate()), 0)
    for window, length in WINDOWS.items():
        flow = oracle.flow_now(length)
        for code in FLOW:
            for scope in places():
                rate = flow.get((code, *scope), Rate())
                expected[code, *scope, window] = _expected_rate(oracle, code, rate, 15 * MINUTE)
    names = "numerator, denominator, unknown, rate, lower, upper, target, comparator, as_of, window_end, status"
    listed = ", ".join(f"'{one}'" for one in (*STOCK, *FLOW))
    rows = stack.rows(
        f"SELECT indicator, scope, scope_id, window, {names} FROM yangguang.rates_now WHERE indicator IN ({listed})"
    )
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
        if key in expected and row["denominator"] == 0 and row["status"] in {"no_activity", "no_data"}:
            expected[key]["status"] = row["status"]
    return [*twice, *differ("rates_now", expected, actual)]


def _expected_rate(oracle: Oracle, code: str, rate: Rate, settle: int) -> dict[str, Any]:
    bounds = code in FLOW and rate.denominator > 0
    target = TARGETS.get(code)
    if not rate.denominator:
        status = "no_activity or no_data"
    elif rate.denominator < FLOORS[code]:
        status = "low_sample"
    else:
        status = "ok" if target is None or (rate.share or 0) >= target else "below"
    return {
        **rate._asdict(),
        "rate": rate.share,
        "lower": wilson(rate.numerator, rate.denominator, -1) if bounds else None,
        "upper": wilson(rate.numerator, rate.denominator, 1) if bounds else None,
        "target": target,
        "comparator": ">=" if target else "",
        "as_of": shown(oracle.as_of),
        "window_end": shown(oracle.as_of - settle),
        "status": status,
    }


def history_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the rates of every minute."""
    listed = ", ".join(f"'{one}'" for one in (*STOCK, *FLOW))
    rows = stack.rows(
        "SELECT indicator, scope, scope_id, minute, numerator, denominator, unknown, rate FROM yangguang.rates_history "
        f"WHERE indicator IN ({listed})"
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
    for key, (rate, share) in actual.items():
        if not equal(share, rate.share):
            yield f"rates_history {key} has rate {share}, should be {rate.share}"
    flow = {(*place, minute): rate for minute, of_minute in oracle.flow().items() for place, rate in of_minute.items()}
    shown_flow = {key: rate for key, (rate, _) in actual.items() if key[0] in FLOW and rate != Rate()}
    yield from differ("rates_history", _readable(flow), _readable(shown_flow))
    yield from _stock_history(oracle, {key: rate for key, (rate, _) in actual.items() if key[0] in STOCK})


def _stock_history(oracle: Oracle, actual: Mapping[tuple[str, str, str, int], Rate]) -> Iterable[str]:
    """At every minute at which something may change, before it, and at every minute that is shown."""
    changes: dict[int, list[tuple[tuple[str, str, str], Rate]]] = {}
    for (*place, minute), rate in actual.items():
        changes.setdefault(int(minute), []).append(((place[0], place[1], place[2]), rate))
    late = [minute for minute in changes if minute > oracle.as_of]
    if late:
        yield f"rates_history shows stock at {shown(max(late))}, after as_of {shown(oracle.as_of)}"
    candidates = oracle.stock_minutes()
    minutes = sorted({*candidates, *(one - MINUTE for one in candidates), *changes, oracle.as_of} - set(late))
    held: dict[tuple[str, str, str], Rate] = {}
    for minute in minutes:
        held.update(changes.get(minute, ()))
        expected = oracle.stock(minute)
        there = {place: rate for place, rate in held.items() if rate != Rate()}
        if expected != there:
            yield from differ(f"rates_history at {shown(minute).astimezone(SHANGHAI)}", expected, there)


def _readable(rates: Mapping[tuple[Any, ...], Rate]) -> dict[tuple[Any, ...], Rate]:
    return {(*key[:-1], str(shown(key[-1]).astimezone(SHANGHAI))): rate for key, rate in rates.items()}


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
