"""The tables of current records against the oracle: every column, and persons as masked forms and tokens only."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from tests.system.differing import differ, keyed
from tests.system.oracle import Event, Oracle, shown
from tests.system.records import FINDING, HEARTBEAT, KITCHEN, MEASURE, OPERATOR, ORDER, RECORD, VILLAGE
from tests.system.stack import Stack

_PERSONS: Final = {OPERATOR: "person", RECORD: "host"}
_FIELDS: Final = {
    OPERATOR: ("operator_id", "kind", "name", "town_code", "status", "license_kind", "license_no", "uscc", "grade",
               "director", "officers", "training_valid_until", "health_valid_until"),
    VILLAGE: ("village_id", "name", "town_code", "served_by"),
    MEASURE: ("measure_id", "measure", "town_code", "operator_id", "status", "due_at", "done_at"),
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
    OPERATOR: "operators", VILLAGE: "villages", MEASURE: "measures", HEARTBEAT: "cameras", FINDING: "findings",
    KITCHEN: "kitchens", RECORD: "banquets", ORDER: "orders",
}  # fmt: skip
_LISTS: Final = ("platforms", "accepted", "certificates", "open_hours")
_ALIASES: Final = {"CHEF_HAT": "NO_CHEF_HAT", "605": "NO_CHEF_HAT", "MICE": "RODENT", "INTRUSION": "STRANGER"}
_FINDINGS: Final = {"NO_CHEF_HAT", "NO_MASK", "SMOKING", "RODENT", "STRANGER", "UNKNOWN"}


def record_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the tables of current records."""
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
        actual, twice = keyed(view, ((row[key], _read(kind, row)) for row in rows))
        yield from twice
        yield from differ(view, expected, actual)
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


def conflict_differences(stack: Stack, oracle: Oracle) -> Iterable[str]:
    """Of the orders whose events disagree on the delivery."""
    expected = {order: {shown(one) for one in times} for order, times in oracle.conflicts().items()}
    rows = stack.rows("SELECT order_id, delivered_at FROM yangguang.order_conflicts")
    actual, twice = keyed("order_conflicts", ((row["order_id"], set(row["delivered_at"])) for row in rows))
    return [*twice, *differ("order_conflicts", expected, actual)]
