"""A city's raw rows for `bench rates`, made inside ClickHouse: what would have landed in a month, without landing it.

Everything is drawn from hashes of row numbers, so two runs have the same rows. Times end at a moment that is given.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from schemas.places import PLATFORMS
from schemas.towns import TOWNS
from sinks.clickhouse.raw import DATABASE

OPERATORS: Final = 5_000
MERCHANTS: Final = 3_800
CAMERAS: Final = 10_000
DAYS: Final = 30
_ORDERS_AT_ONCE: Final = 1_000_000
_KINDS: Final = (
    "school_canteen", "eldercare_canteen", "workplace_canteen", "caring_canteen", "delivery_unit", "school_supplier",
    "banquet_centre", "banquet_cook", "cook_company", "dining_street",
)  # fmt: skip


class Filling(NamedTuple):
    """One statement and how many rows it makes."""

    table: str
    statement: str
    rows: int


def _pick(values: tuple[str, ...], seed: str) -> str:
    listed = ", ".join(f"'{one}'" for one in values)
    return f"[{listed}][1 + {seed} % {len(values)}]"


def _hash(salt: str, number: str = "number") -> str:
    return f"cityHash64({number}, '{salt}')"


def _town(number: str) -> str:
    return _pick(tuple(TOWNS), _hash("town", number))


def fillings(orders: int, end: datetime, cameras: int = CAMERAS) -> Iterator[Filling]:
    """The statements that fill the raw tables with what came until `end`; orders in portions, by time of delivery.

    :param cameras: at most `CAMERAS`."""
    second = int(end.timestamp())
    yield _operators(second)
    yield _kitchens(second)
    yield _villages(second)
    yield _duties(second)
    yield _banquets(second)
    yield _findings(second)
    for hour in range(24):
        yield _heartbeats(second, hour, cameras)
    for first in range(0, orders, _ORDERS_AT_ONCE):
        yield _orders(second, first, min(_ORDERS_AT_ONCE, orders - first), orders)


def _insert(table: str, columns: dict[str, str], rows: int, first: int = 0) -> Filling:
    columns = {
        **columns,
        "event_id": f"concat('{table}-', toString(number))",
        "source": "'/bench'",
        "landed_at": "now64(6)",
    }
    return Filling(
        table,
        f"INSERT INTO {DATABASE}.raw_{table} ({', '.join(f'`{one}`' for one in columns)})\n"
        f"SELECT {', '.join(columns.values())} FROM numbers({first}, {rows})",
        rows,
    )


def _moment(second: int, back: str) -> str:
    """A moment some seconds before the end."""
    return f"toDateTime64({second}, 6, 'UTC') - toIntervalSecond({back})"


def _operators(second: int) -> Filling:
    kind = f"if(number < {MERCHANTS}, 'takeaway', {_pick(_KINDS, _hash('kind'))})"
    platforms = ", ".join(f"'{one}'" for one in PLATFORMS)
    return _insert(
        "operators",
        {
            "operator_id": "concat('op-', toString(number))",
            "kind": kind,
            "name": "concat('店', toString(number))",
            "town_code": _town("number"),
            "status": f"if({_hash('status')} % 50 = 0, 'suspended', 'active')",
            "platforms": f"if(number < {MERCHANTS}, arraySlice([{platforms}], 1 + {_hash('platform')} % 4, 2), [])",
            "grade": _pick(("A", "B", "B", "C", "ungraded"), _hash("grade")),
            "certificates": f"if({_hash('certificate')} % 5 = 0, [], [('HACCP', toDate32('2030-01-01'))])",
            "director": f"{_hash('director')} % 20 != 0",
            "officers": f"{_hash('officers')} % 3",
            "accepted": f"if({_hash('accepted')} % 4 = 0, ['6H', 'nutrition'], [])",
            "open_hours": "if(number % 10 = 0, [('00:00', '00:00')], [('09:30', '21:00')])",
            "training_valid_until": "toDate32('2030-01-01')",
            "health_valid_until": f"if({_hash('health')} % 9 = 0, NULL, toDate32('2030-01-01'))",
            "event_time": _moment(second, f"{40 * 86_400} + number"),
        },
        OPERATORS,
    )


def _kitchens(second: int) -> Filling:
    return _insert(
        "kitchens",
        {
            "operator_id": f"concat('op-', toString({_hash('kitchen')} % {OPERATORS}))",
            "town_code": _town("number"),
            "state": _pick(("active",) * 8 + ("degraded", "pending"), _hash("state")),
            "event_time": _moment(second, f"{_hash('since')} % {35 * 86_400}"),
        },
        2 * OPERATORS,
    )


def _villages(second: int) -> Filling:
    return _insert(
        "villages",
        {
            "village_id": "concat('v-', toString(number))",
            "name": "concat('村', toString(number))",
            "town_code": _town("number"),
            "served_by": f"if(number % 4 = 0, NULL, concat('op-', toString({MERCHANTS} + {_hash('served')} % 1200)))",
            "event_time": _moment(second, f"{39 * 86_400}"),
        },
        500,
    )


def _duties(second: int) -> Filling:
    return _insert(
        "measures",
        {
            "measure_id": "concat('m-', toString(number))",
            "measure": _pick(("guarantee_relation", "pledge", "supervision_visit"), "number"),
            "town_code": _town("number"),
            "status": f"if({_hash('done')} % 10 = 0, 'due', 'done')",
            "due_at": _moment(second, f"{_hash('due')} % {DAYS * 86_400}"),
            "done_at": _moment(second, f"{_hash('due')} % {DAYS * 86_400} + {_hash('early')} % 90000"),
            "event_time": _moment(second, f"{_hash('due')} % {DAYS * 86_400}"),
        },
        3 * OPERATORS,
    )


def _banquets(second: int) -> Filling:
    held = f"{_hash('held')} % {DAYS * 86_400}"
    return _insert(
        "banquets",
        {
            "banquet_id": "concat('b-', toString(number))",
            "town_code": _town("number"),
            "venue": "'home'",
            "status": _pick(("held", "closed", "guided", "cancelled"), _hash("status")),
            "declared_at": _moment(second, f"{held} + 200000 + {_hash('declared')} % 400000"),
            "held_at": _moment(second, held),
            "diners": f"50 + {_hash('diners')} % 400",
            "cook_id": f"if(number % 9 = 0, NULL, concat('op-', toString({MERCHANTS} + {_hash('cook')} % 1200)))",
            "guided_at": _moment(second, f"{held} + {_hash('guided')} % 100000"),
            "samples_retained": f"if(number % 7 = 0, NULL, {_hash('samples')} % 20 != 0)",
            "event_time": _moment(second, held),
        },
        400,
    )


def _findings(second: int) -> Filling:
    due = f"{_hash('due')} % {DAYS * 86_400}"
    return _insert(
        "findings",
        {
            "finding_id": "concat('f-', toString(number))",
            "camera_id": f"concat('cam-', toString({_hash('camera')} % {CAMERAS}))",
            "operator_id": f"concat('op-', toString({_hash('operator')} % {OPERATORS}))",
            "town_code": _town("number"),
            "finding": "'NO_MASK'",
            "finding_reported": "'NO_MASK'",
            "vendor": "'bench'",
            "review": _pick(("confirmed", "closed", "closed", "raw", "false_positive"), _hash("review")),
            "found_at": _moment(second, f"{due} + 86400"),
            "due_at": _moment(second, due),
            "closed_at": _moment(second, f"{due} - 10000 + {_hash('closed')} % 100000"),
            "event_time": _moment(second, due),
        },
        300 * DAYS,
    )


def _heartbeats(second: int, hour: int, cameras: int) -> Filling:
    """An hour of the last day: each camera once a minute."""
    camera, minute = f"(number % {cameras})", f"intDiv(number, {cameras})"
    rows = cameras * 60
    return _insert(
        "cameras",
        {
            "camera_id": f"concat('cam-', toString({camera}))",
            "operator_id": f"concat('op-', toString({camera} % {OPERATORS}))",
            "town_code": _town(f"{camera} % {OPERATORS}"),
            "online": f"{_hash('online', f'({camera}, {minute})')} % 30 != 0",
            "advancing": "true",
            "picture": "'ok'",
            "event_time": _moment(second, f"86400 - {minute} * 60 - {_hash('second', camera)} % 60"),
        },
        rows,
        hour * rows,
    )


def _orders(second: int, first: int, rows: int, orders: int) -> Filling:
    """Orders at even distances, but none at night; the same merchant never has two neighbouring ones."""
    operator = f"({_hash('operator')} % {MERCHANTS})"
    back = f"toUInt64((1 - number / {orders}) * {DAYS * 86_400})"
    delivered = _moment(second, back)
    return _insert(
        "orders",
        {
            "order_id": "concat('o-', toString(number))",
            "operator_id": f"concat('op-', toString({operator}))",
            "platform": _pick(tuple(PLATFORMS), _hash("platform")),
            "town_code": _town(operator),
            "delivered_at": delivered,
            "fulfilment": _pick(("delivered",) * 8 + ("pickup", "cancelled"), _hash("fulfilment")),
            "packages": f"1 + {_hash('packages')} % 3",
            "sealed_packages": f"1 + {_hash('packages')} % 3",
            "seal_state": _pick(("intact",) * 9 + ("unknown",), _hash("seal")),
            "evidence_level": f"{_hash('evidence')} % 4",
            "event_time": f"{delivered} + toIntervalSecond({_hash('late')} % 900)",
        },
        rows,
        first,
    )
