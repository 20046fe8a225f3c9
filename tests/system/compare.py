"""Every row that analysts can read against what the oracle says, exactly; each difference is one sentence."""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.system.oracle import (
    DAY,
    HOUR,
    MINUTE,
    Event,
    Oracle,
    Rate,
    shown,
    wilson,
)
from tests.system.records import FINDING, HEARTBEAT, KITCHEN, OPERATOR, ORDER, RECORD, STREAM_OF, VILLAGE, Place, Record
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


def differences(stack: Stack, oracle: Oracle, rejects: Mapping[Place, Record]) -> list[str]:
    """All differences between the tables and the oracle."""
    return [
        *_zones(stack),
        *_watermark(stack, oracle),
        *_events(stack, oracle),
        *_rejected(stack, rejects),
        *_records(stack, oracle),
        *_conflicts(stack, oracle),
        *_rates_now(stack, oracle),
        *_history(stack, oracle),
    ]


def _differ(what: str, expected: Mapping[Any, Any], actual: Mapping[Any, Any]) -> Iterable[str]:
    for key in sorted(expected.keys() | actual.keys(), key=str):
        if key not in actual:
            yield f"{what} {key} is missing: {expected[key]}"
        elif key not in expected:
            yield f"{what} {key} should not be there: {actual[key]}"
        elif not _equal(expected[key], actual[key]):
            yield f"{what} {key} " + "; ".join(_unequal(expected[key], actual[key]))


def _unequal(expected: Any, actual: Any) -> Iterable[str]:
    """What of a row is not as it should be."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name in sorted(expected.keys() | actual.keys()):
            if not _equal(expected.get(name), actual.get(name)):
                yield f"{name} is {actual.get(name)}, should be {expected.get(name)}"
    else:
        yield f"is {actual}, should be {expected}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=1e-12)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))


def _keyed(what: str, rows: Iterable[tuple[Any, Any]]) -> tuple[dict[Any, Any], list[str]]:
    """Rows by key, and a difference for each key that stands twice."""
    found: dict[Any, Any] = {}
    twice = []
    for key, value in rows:
        if key in found:
            twice.append(f"{what} {key} stands twice: {found[key]} and {value}")
        found[key] = value
    return found, twice


def _zones(stack: Stack) -> Iterable[str]:
    """Every moment that a view shows is in Asia/Shanghai."""
    for view in ("operators", "villages", "kitchens", "cameras", "findings", "banquets", "orders", "order_conflicts",
                 "events", "rejected", "rates_now", "rates_history", "alerts", "alert_transitions"):  # fmt: skip
        for row in stack.rows(f"DESCRIBE yangguang.{view}"):
            if "DateTime" in row["type"] and "'Asia/Shanghai'" not in row["type"]:
                yield f"{view}.{row['name']} is {row['type']}, which is not in Asia/Shanghai"
    for row in stack.rows("SELECT time FROM yangguang.events LIMIT 1"):
        if row["time"].utcoffset() != datetime(2020, 1, 1, tzinfo=SHANGHAI).utcoffset():
            yield f"events.time is read as {row['time']!r}, which is not in Asia/Shanghai"


def _watermark(stack: Stack, oracle: Oracle) -> Iterable[str]:
    for row in stack.rows(
        "SELECT indicator, any(as_of) AS shown_as_of, count(DISTINCT as_of) AS c "
        "FROM yangguang.rates_now GROUP BY indicator"
    ):
        if row["indicator"] in (*STOCK, *FLOW) and (row["shown_as_of"] != shown(oracle.as_of) or row["c"] != 1):
            yield f"as_of of {row['indicator']} is {row['shown_as_of']} ({row['c']}), should be {shown(oracle.as_of)}"


def _events(stack: Stack, oracle: Oracle) -> Iterable[str]:
    expected = {
        (one.type, one.source, one.id): (STREAM_OF[one.type], one.subject, shown(one.time)) for one in oracle.events
    }
    rows = stack.rows("SELECT stream, type, source, id, subject, time FROM yangguang.events")
    actual, twice = _keyed(
        "event",
        (((row["type"], row["source"], row["id"]), (row["stream"], row["subject"], row["time"])) for row in rows),
    )
    return [*twice, *_differ("event", expected, actual)]


def _rejected(stack: Stack, rejects: Mapping[Place, Record]) -> Iterable[str]:
    rows = stack.rows(
        "SELECT topic, partition, offset, reason, raw_partition, raw_offset, replayed_at FROM yangguang.rejected"
    )
    expected = {tuple(place): record.reason for place, record in rejects.items()}
    actual, twice = _keyed(
        "rejected", (((row["topic"], row["partition"], row["offset"]), row["reason"]) for row in rows)
    )
    yield from twice
    yield from _differ("rejected", expected, actual)
    for row in rows[:20]:
        record = rejects.get(Place(row["topic"], row["partition"], row["offset"]))
        if record is not None:
            raw = stack.raw("yangguang.rejected", row["raw_partition"], row["raw_offset"])
            if (raw or b"") != (record.value or b""):
                yield f"rejected {record.reason}: the raw bytes are {raw!r}, should be {record.value!r}"


# current records

_PERSONS: Final = {OPERATOR: "person", RECORD: "host"}
_FIELDS: Final = {
    OPERATOR: ("operator_id", "kind", "name", "town_code", "status", "license_kind", "license_no", "uscc", "grade",
               "director", "officers", "training_valid_until", "health_valid_until"),
    VILLAGE: ("village_id", "name", "town_code", "served_by"),
    HEARTBEAT: ("camera_id", "operator_id", "town_code", "online", "advancing", "picture"),
    FINDING: ("finding_id", "camera_id", "operator_id", "town_code", "finding", "vendor", "vendor_code", "confidence",
              "review", "found_at", "due_at", "closed_at", "zone", "snapshot_uri"),
    KITCHEN: ("operator_id", "town_code", "state", "reason"),
    RECORD: ("banquet_id", "town_code", "village_id", "venue", "status", "declared_at", "held_at", "diners", "tables",
             "cook_id", "guided_at", "samples_retained"),
    ORDER: ("order_id", "operator_id", "platform", "town_code", "delivered_at", "fulfilment", "packages",
            "sealed_packages", "seal_state", "evidence_level", "code", "photo_uri"),
}  # fmt: skip
VIEWS: Final = {
    OPERATOR: "operators", VILLAGE: "villages", HEARTBEAT: "cameras", FINDING: "findings", KITCHEN: "kitchens",
    RECORD: "banquets", ORDER: "orders",
}  # fmt: skip
_LISTS: Final = ("platforms", "accepted", "certificates", "open_hours")
_ALIASES: Final = {"CHEF_HAT": "NO_CHEF_HAT", "605": "NO_CHEF_HAT", "MICE": "RODENT", "INTRUSION": "STRANGER"}
_FINDINGS: Final = {"NO_CHEF_HAT", "NO_MASK", "SMOKING", "RODENT", "STRANGER", "UNKNOWN"}


def _records(stack: Stack, oracle: Oracle) -> Iterable[str]:
    for kind, view in VIEWS.items():
        current = oracle.current(kind)
        unsure = oracle.conflicts() if kind == ORDER else {}
        key = _FIELDS[kind][0]
        expected = {
            entity: _row(kind, event, oracle.orders[entity] if kind == ORDER else event.data)
            for entity, event in current.items()
            if entity not in unsure
        }
        rows = [row for row in stack.rows(f"SELECT * FROM yangguang.{view}") if row[key] not in unsure]
        actual, twice = _keyed(view, ((row[key], _read(kind, row)) for row in rows))
        yield from twice
        yield from _differ(view, expected, actual)
        yield from _tokens(kind, view, current, {row[key]: row for row in rows})


def _row(kind: str, event: Event, data: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: _value(name, data.get(name)) for name in _FIELDS[kind]}
    row |= {"event_id": event.id, "event_time": shown(event.time), "source": event.source}
    if kind == OPERATOR:
        row |= {name: _set(data.get(name) or []) for name in _LISTS}
        if data["kind"] == "banquet_cook":
            row["name"] = masked_name(data["name"])
    if kind != ORDER:
        row["extensions"] = data.get("extensions")
    if prefix := _PERSONS.get(kind):
        person = data.get(prefix, {})
        row[f"{prefix}_name_masked"] = masked_name(person["name"]) if "name" in person else None
        row[f"{prefix}_phone_masked"] = masked_phone(person["phone"]) if "phone" in person else None
    return row


def masked_name(name: str) -> str:
    """张三 as 张*."""
    return name[0] + "*"


def masked_phone(phone: str) -> str:
    """13812345678 as 138****5678."""
    return f"{phone[:3]}****{phone[-4:]}"


def _value(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, int):
        return shown(value)
    if name.endswith("_until") and isinstance(value, str):
        return date.fromisoformat(value)
    if name == "finding":
        resolved = _ALIASES.get(value, value)
        return resolved if resolved in _FINDINGS else "UNKNOWN"
    if name == "confidence" and value is not None:
        return float(value)
    return value


def _set(values: Iterable[Any]) -> frozenset[Any]:
    return frozenset(
        tuple(str(one[name]) for name in sorted(one))
        if isinstance(one, Mapping)
        else tuple(str(inner) for inner in one)
        if isinstance(one, tuple)
        else one
        for one in values
    )


def _read(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that the oracle knows."""
    names = [*_FIELDS[kind], "event_id", "event_time", "source"]
    if prefix := _PERSONS.get(kind):
        names += [f"{prefix}_name_masked", f"{prefix}_phone_masked"]
    read = {name: row[name] for name in names}
    if kind == OPERATOR:
        read |= {name: _set(row[name]) for name in _LISTS}
        for name in _LISTS:
            if len(read[name]) != len(row[name]):
                read[name] = row[name]  # a member that stands twice is a difference
    if kind != ORDER:
        read["extensions"] = json.loads(row["extensions"]) if row["extensions"] is not None else None
    return read


def _tokens(kind: str, view: str, current: Mapping[str, Event], rows: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """One token a person: equal for equal phones, different for different ones, and no plain hash."""
    prefix = _PERSONS.get(kind)
    if prefix is None:
        return
    owners: dict[str, str] = {}
    for entity, event in current.items():
        person = event.data.get(prefix) or {}
        who = person.get("phone") or person.get("name") or ""
        token = rows.get(entity, {}).get(f"{prefix}_token") or ""
        if bool(who) != bool(token):
            yield f"{view} {entity} has token {token!r} for a person {sorted(person)}"
        elif who:
            plain = {hashlib.new(one, who.encode()).hexdigest() for one in ("md5", "sha1", "sha256")}
            if token in plain or owners.setdefault(who, token) != token:
                yield f"{view} {entity} has token {token}, which is a plain hash or not the person's"
    if len(set(owners.values())) != len(owners):
        yield f"{view}: two persons have one token"


def _conflicts(stack: Stack, oracle: Oracle) -> Iterable[str]:
    expected = {order: {shown(one) for one in times} for order, times in oracle.conflicts().items()}
    rows = stack.rows("SELECT order_id, delivered_at FROM yangguang.order_conflicts")
    actual, twice = _keyed("order_conflicts", ((row["order_id"], set(row["delivered_at"])) for row in rows))
    return [*twice, *_differ("order_conflicts", expected, actual)]


# rates


def _rates_now(stack: Stack, oracle: Oracle) -> Iterable[str]:
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
    actual, twice = _keyed(
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
    return [*twice, *_differ("rates_now", expected, actual)]


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


def _history(stack: Stack, oracle: Oracle) -> Iterable[str]:
    listed = ", ".join(f"'{one}'" for one in (*STOCK, *FLOW))
    rows = stack.rows(
        "SELECT indicator, scope, scope_id, minute, numerator, denominator, unknown, rate FROM yangguang.rates_history "
        f"WHERE indicator IN ({listed})"
    )
    actual, twice = _keyed(
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
        if not _equal(share, rate.share):
            yield f"rates_history {key} has rate {share}, should be {rate.share}"
    flow = {(*place, minute): rate for minute, of_minute in oracle.flow().items() for place, rate in of_minute.items()}
    shown_flow = {key: rate for key, (rate, _) in actual.items() if key[0] in FLOW and rate != Rate()}
    yield from _differ("rates_history", _readable(flow), _readable(shown_flow))
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
            yield from _differ(f"rates_history at {shown(minute).astimezone(SHANGHAI)}", expected, there)


def _readable(rates: Mapping[tuple[Any, ...], Rate]) -> dict[tuple[Any, ...], Rate]:
    return {(*key[:-1], str(shown(key[-1]).astimezone(SHANGHAI))): rate for key, rate in rates.items()}


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
