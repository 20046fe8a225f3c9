"""Names and phones of people: in clear only where events come in and on the topic of rejected events, nowhere else."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.system.broken import MAX_BYTES, dump
from tests.system.records import OPERATOR, RECORD, SEAL, STREAM_OF, Place, Record
from tests.system.stack import Stack

StackMaker = Callable[..., Stack]
Json = dict[str, Any]

KINDS: Final = (
    "takeaway", "school_canteen", "eldercare_canteen", "workplace_canteen", "caring_canteen", "delivery_unit",
    "school_supplier", "banquet_centre", "banquet_cook", "cook_company", "dining_street",
)  # fmt: skip
MARK: Final = "犇羴鱻小吃"
"""The name of a business, which is no secret: a search that does not find it finds nothing."""

REFUSED_DINERS: Final = 19_999
TOWN: Final = "330681001"


class People:
    """Makes persons whom nobody else is, and remembers them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.phones: list[str] = []

    def name(self) -> str:
        """A name whose characters are rare."""
        count = len(self.names)
        self.names.append("闻" + chr(0x7280 + count) + chr(0x8C80 + count))
        return self.names[-1]

    def phone(self) -> str:
        """A mobile number."""
        self.phones.append(f"139{57_310_000 + 137 * len(self.phones)}")
        return self.phones[-1]

    def person(self) -> Json:
        """Both."""
        return {"name": self.name(), "phone": self.phone()}

    def traces(self) -> list[bytes]:
        """What is left of none of them when they are masked: given names, and numbers without their first digit."""
        given = [name[1:] for name in self.names]
        escaped = [json.dumps(one).strip('"') for one in given]
        return [one.encode() for one in (*given, *escaped, *(phone[1:] for phone in self.phones))]


def found(traces: Iterable[bytes], content: bytes) -> list[str]:
    """Which of them stand there."""
    return [one.decode() for one in traces if one in content]


class Events:
    """Makes events with ids of their own."""

    def __init__(self) -> None:
        self._count = 0

    def event(self, kind: str, data: Any) -> Json:
        """One event."""
        self._count += 1
        return {
            "specversion": "1.0", "id": f"e-{self._count}", "source": "/office", "type": kind,
            "time": f"2025-11-20T10:00:00.{self._count:06d}+08:00", "data": data,
        }  # fmt: skip

    def operator(self, **change: Any) -> Json:
        """Of a takeaway shop, with changes."""
        data = {"operator_id": f"op-{self._count}", "kind": "takeaway", "name": MARK, "town_code": TOWN}
        return self.event(OPERATOR, data | {"status": "active", "platforms": ["jd"]} | change)

    def banquet(self, **change: Any) -> Json:
        """Of a banquet, with changes."""
        data = {
            "banquet_id": f"b-{self._count}", "town_code": TOWN, "venue": "home", "status": "filed",
            "declared_at": "2025-11-01T10:00:00+08:00", "held_at": "2025-11-21T18:00:00+08:00", "diners": 120,
            "host": {},
        }  # fmt: skip
        return self.event(RECORD, data | change)


def accepted(events: Events, people: People) -> Iterator[Json]:
    for kind in KINDS:
        name = people.name() if kind == "banquet_cook" else MARK
        yield events.operator(kind=kind, name=name, person=people.person())
        yield events.operator(kind=kind, name=name, person={"name": f" {people.name()} "})
    yield events.operator(kind="banquet_cook", name=people.name(), training_valid_until="2026-01-01")
    for _ in range(3):
        yield events.banquet(host=people.person())
    yield events.banquet(host={"phone": f"+86 {people.phone()}"})
    yield events.banquet(host={"name": people.name()}, status="held", cook_id="op-1")


def rejected(events: Events, people: People) -> Iterator[Record]:
    """Persons in their places of events that are at fault elsewhere, and persons where none belongs."""
    name, phone, person, banquet, operator = people.name, people.phone, people.person, events.banquet, events.operator
    faults: list[tuple[str, Json]] = [
        ("bad_value", banquet(host=person(), diners="many")),
        ("bad_value", banquet(host=[person()])),
        ("bad_value", banquet(host=f"{name()} {phone()}")),
        ("bad_value", banquet(host={"name": [name()], "phone": phone()})),
        ("bad_value", banquet(host={"name": name(), "phone": int(phone())})),
        ("bad_value", banquet(host={"name": {"family": name()}})),
        ("bad_value", banquet(host={"name": name() * 100})),
        ("unknown_field", banquet(host=person() | {"mobile": phone()})),
        ("unknown_field", banquet(host={name(): phone()})),
        ("unknown_field", banquet(host={phone(): {"name": name()}})),
        ("unknown_field", banquet(host=person(), host_name=name(), host_phone=phone())),
        ("unknown_field", banquet(host=person(), person=person())),
        ("bad_value", banquet(status=name())),
        ("bad_value", banquet(held_at=phone())),
        ("bad_value", banquet(diners=phone())),
        ("bad_value", banquet(samples_retained=name())),
        ("bad_value", banquet(extensions=f"{name()} {phone()}")),
        ("bad_identifier", banquet(cook_id=name())),
        ("bad_identifier", banquet(banquet_id=f"{name()}家")),
        ("bad_identifier", banquet(town_code=phone())),
        ("missing_field", events.event(RECORD, {"host": person()})),
        ("bad_value", events.event(RECORD, [person()])),
        ("bad_value", events.event(RECORD, name())),
        ("bad_value", banquet(host=person()) | {"time": name()}),
        ("future_time", banquet(host=person()) | {"time": "2094-01-01T00:00:00Z"}),
        ("unknown_type", events.event("yangguang.banquet.record.v9", {"host": person()})),
        ("not_cloudevent", banquet(host=person()) | {"specversion": name()}),
        ("not_cloudevent", {"name": name(), "phone": phone()}),
        ("bad_value", operator(kind="banquet_cook", name=name(), status=name())),
        ("bad_value", operator(kind="banquet_cook", name=[name()])),
        ("bad_value", operator(kind=name(), person=person())),
        ("bad_value", operator(platforms=[name()], person=person())),
        ("bad_value", operator(open_hours=[{"from": phone(), "to": name()}])),
        ("bad_value", operator(certificates=[{"scheme": name(), "valid_until": phone()}])),
        ("bad_value", operator(person=name())),
        ("bad_value", operator(director=phone(), person=person())),
        ("unknown_field", operator(person=person() | {"names": [name(), {"phone": phone()}]})),
        ("unknown_field", operator(kind="banquet_cook", name=name(), cook_phone=phone())),
        ("bad_identifier", operator(license_kind="food_license", license_no=phone(), person=person())),
        ("bad_identifier", operator(uscc=phone(), person=person())),
        ("sink_refused", banquet(diners=REFUSED_DINERS, host=person())),
    ]
    yield from (Record(STREAM_OF.get(one.get("type", ""), STREAM_OF[RECORD]), dump(one), why) for why, one in faults)
    whole = dump(banquet(host=person()))
    raw = [
        ("wrong_topic", SEAL, whole),
        ("not_json", STREAM_OF[RECORD], whole[:-3]),
        ("not_json", STREAM_OF[RECORD], whole + b"\xff"),
        ("not_json", STREAM_OF[RECORD], b"\xef\xbb\xbf" + whole),
        ("not_json", STREAM_OF[RECORD], f"{name()},{phone()}\n".encode()),
        ("not_json", STREAM_OF[RECORD], dump(banquet(host=person(), diners=0.5)).replace(b"0.5", b"NaN")),
        ("not_cloudevent", STREAM_OF[RECORD], dump(f"{name()} {phone()}")),
        ("too_large", STREAM_OF[RECORD], dump(banquet(host=person())).ljust(MAX_BYTES + 1)),
    ]
    yield from (Record(topic, value, why, key=name().encode()) for why, topic, value in raw)


def push(stack: Stack, people: People, faults: Iterable[Record]) -> dict[Place, Record]:
    """Pushes accepted and rejected events, and returns the rejected ones when all tables are written."""
    events = Events()
    stack.push(Record(STREAM_OF[one["type"]], dump(one)) for one in accepted(events, people))
    wrong = list(faults)
    places = stack.push(wrong)
    stack.wait_committed()
    return dict(zip(places, wrong, strict=True))


def columns(stack: Stack) -> Mapping[str, list[str]]:
    """The columns of every table and view of the database, computed ones too."""
    tables: dict[str, list[str]] = {}
    for row in stack.rows("SELECT table, name FROM system.columns WHERE database = 'yangguang'", "writer"):
        tables.setdefault(row["table"], []).append(row["name"])
    return tables


def in_tables(stack: Stack, traces: list[bytes]) -> tuple[dict[str, list[str]], set[str]]:
    """What stands in which column, and where the mark does. Values are read as the bytes that they are."""
    leaks, marked = {}, set()
    client = stack.client("writer")
    try:
        for table, names in columns(stack).items():
            if table == "rate_between":  # it wants parameters, and shows what rates_history does
                continue
            for name in names:
                content = client.raw_query(f"SELECT `{name}` FROM yangguang.`{table}`", fmt="RowBinary")
                if several := found(traces, content):
                    leaks[f"{table}.{name}"] = several
                if MARK.encode() in content:
                    marked.add(table)
    finally:
        client.close()
    return leaks, marked


def in_files(root: Path, traces: list[bytes], but: Path) -> tuple[dict[str, list[str]], set[str]]:
    """What stands in which file below `root` and not below `but`, and the suffixes of files with the mark."""
    leaks, marked = {}, set()
    for path in root.rglob("*"):
        if path.is_file() and but not in path.parents:
            content = path.read_bytes()
            if several := found(traces, content):
                leaks[str(path.relative_to(root))] = several
            if MARK.encode() in content:
                marked.add(path.suffix)
    return leaks, marked


def check_nothing_leaks(stack: Stack, people: People) -> None:
    traces = people.traces()
    leaks, marked = in_tables(stack, traces)
    assert not leaks
    assert {"raw_operators", "operators"} <= marked
    leaks, marked = in_files(stack.home, traces, but=stack.home / "kafka")
    assert not leaks
    assert ".bin" in marked, "a search of files that does not find what is there"
    for topic in ("yangguang.landed", "yangguang.aggregated", "yangguang.alerts"):
        for place, one in stack.records(topic).items():
            assert not found(traces, repr(one).encode() + (one.value or b"") + (one.key or b"")), place
    for place, one in stack.records("yangguang.rejected").items():
        assert not found(traces, b" ".join(value for _, value in one.headers)), place


def test_persons_are_in_clear_nowhere_but_in_the_events_that_came(make_stack: StackMaker) -> None:
    stack = make_stack()
    stack.command(f"ALTER TABLE yangguang.raw_banquets ADD CONSTRAINT few CHECK diners != {REFUSED_DINERS}")
    people = People()
    wrong = push(stack, people, rejected(Events(), people))
    reasons = stack.rows("SELECT topic, partition, offset, reason, detail FROM rejected")
    assert {Place(row["topic"], row["partition"], row["offset"]): row["reason"] for row in reasons} == {
        place: record.reason for place, record in wrong.items()
    }, reasons
    kept = [one.value for one in stack.records("yangguang.rejected").values()]
    assert sorted(value or b"" for value in kept) == sorted(one.value or b"" for one in wrong.values())
    check_nothing_leaks(stack, people)


def test_a_field_that_is_named_like_a_person_does_not_tell_the_name(make_stack: StackMaker) -> None:
    stack = make_stack()
    people = People()
    events = Events()
    named = [
        events.banquet(**{people.name(): 1}),
        events.banquet(**{people.phone(): people.name()}),
        events.operator(certificates=[{"scheme": "HACCP", "valid_until": "2026-01-01", people.name(): 1}]),
    ]
    wrong = [Record(STREAM_OF[one["type"]], dump(one), "unknown_field") for one in named]
    push(stack, people, wrong)
    assert stack.rows("SELECT reason, count() AS count FROM rejected GROUP BY reason") == [
        {"reason": "unknown_field", "count": len(wrong)}
    ]
    check_nothing_leaks(stack, people)
