"""An operator's timeline against a reference that asks, minute by minute, what was true before that minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.indicator import END
from streams.timeline import SPAN_FIELDS, duty_spans, first_minute, operator_spans, village_spans

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
MINUTE: Final = timedelta(minutes=1)
START: Final = datetime(2026, 11, 23, 15, 40, tzinfo=UTC)
"""20 minutes before midnight in Shanghai, so that a day ends within the span."""
SPAN: Final = 45
DAYS: Final = timedelta(days=30)

RECORD: Final[dict[str, Any]] = {
    "kind": "takeaway",
    "town_code": "330681001",
    "status": "active",
    "platforms": ["meituan"],
    "grade": None,
    "director": None,
    "officers": None,
    "accepted": [],
    "certified_until": None,
    "training_valid_until": None,
    "health_valid_until": None,
}

_EDGES = st.sampled_from([0, 1, 20_000_000, 59_999_999, 60_000_000])
MOMENTS = st.builds(
    lambda minute, rest: START + timedelta(minutes=minute, microseconds=rest), st.integers(-5, SPAN), _EDGES
)
DAY = st.none() | st.sampled_from([date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24), date(2299, 12, 31)])
RECORDS = st.builds(
    lambda **changes: RECORD | changes,
    status=st.sampled_from(["active", "closed"]),
    grade=st.sampled_from([None, "A", "ungraded"]),
    director=st.sampled_from([None, True, False]),
    officers=st.sampled_from([None, 0, 2]),
    town_code=st.sampled_from(["330681001", "330681002"]),
    certified_until=DAY,
    training_valid_until=DAY,
    health_valid_until=DAY,
)
EVENT_IDS = st.integers(0, 3).map(str)
REGISTRY = st.lists(st.tuples(MOMENTS, EVENT_IDS, RECORDS), max_size=5)
KITCHENS = st.lists(st.tuples(MOMENTS, EVENT_IDS, st.sampled_from(["none", "active", "degraded"])), max_size=4)
ORDERS = st.lists(MOMENTS | MOMENTS.map(lambda moment: moment - DAYS), max_size=3)


def _current(events: list[tuple[datetime, str, Any]], minute: datetime) -> Any:
    before = [event for event in events if event[0] < minute]
    return max(before, key=lambda event: event[:2])[2] if before else None


def _truth(
    registry: list[tuple[datetime, str, Any]],
    kitchens: list[tuple[datetime, str, Any]],
    orders: list[datetime],
    minute: datetime,
) -> dict[str, Any] | None:
    """What holds at a minute by the definitions: events with time < minute, orders of the last 30 days."""
    record = _current(registry, minute)
    if record is None:
        return None
    day = minute.astimezone(SHANGHAI).date()
    valid = {
        name: record[field] is not None and day <= record[field]
        for name, field in (
            ("certified", "certified_until"),
            ("trained", "training_valid_until"),
            ("healthy", "health_valid_until"),
        )
    }
    return valid | {
        "kind": record["kind"],
        "town_code": record["town_code"],
        "status": record["status"],
        "platforms": record["platforms"],
        "accepted": record["accepted"],
        "grade": record["grade"] or "ungraded",
        "director": record["director"] is True,
        "officers": record["officers"] or 0,
        "kitchen": _current(kitchens, minute) or "",
        "ordered": any(minute - DAYS <= order < minute for order in orders),
    }


def _ordered(orders: list[datetime]) -> list[tuple[datetime, datetime]]:
    """The runs of minutes [from, until) that have an order in [minute - 30 d, minute)."""
    runs = []
    for order in orders:
        first = datetime.fromtimestamp(first_minute(order), UTC)
        last = (order + DAYS).replace(second=0, microsecond=0)
        runs.append((first, last + MINUTE))
    return sorted(runs)


@settings(max_examples=300)
@given(REGISTRY, KITCHENS, ORDERS)
@example([(START, "0", RECORD)], [(START + MINUTE, "0", "active")], [START - DAYS])
@example([(START, "1", RECORD | {"status": "closed"}), (START, "0", RECORD)], [], [])
def test_at_every_minute_the_spans_say_what_the_definitions_say(
    registry: list[tuple[datetime, str, Any]], kitchens: list[tuple[datetime, str, Any]], orders: list[datetime]
) -> None:
    registry = list({event[:2]: event for event in registry}.values())
    kitchens = list({event[:2]: event for event in kitchens}.values())
    spans = operator_spans(
        [(time, record) for time, _, record in sorted(registry, key=lambda event: event[:2])],
        [(time, state) for time, _, state in sorted(kitchens, key=lambda event: event[:2])],
        _ordered(orders),
    )
    for number in range(-6, SPAN + 3):
        minute = START + number * MINUTE
        at = int(minute.timestamp())
        found = [dict(zip(SPAN_FIELDS, span[2:], strict=True)) for span in spans if span[0] <= at < span[1]]
        truth = _truth(registry, kitchens, orders, minute)
        assert found == ([] if truth is None else [truth]), minute


@given(REGISTRY, KITCHENS, ORDERS)
def test_spans_follow_each_other_without_gap_and_each_differs_from_the_one_before(
    registry: list[tuple[datetime, str, Any]], kitchens: list[tuple[datetime, str, Any]], orders: list[datetime]
) -> None:
    spans = operator_spans(
        [(time, record) for time, _, record in sorted(registry, key=lambda event: event[:2])],
        [(time, state) for time, _, state in sorted(kitchens, key=lambda event: event[:2])],
        _ordered(orders),
    )
    assert bool(spans) is bool(registry)
    for one, following in pairwise(spans):
        assert one[0] < one[1] == following[0]
        assert one[2:] != following[2:]
        assert one[0] % 60 == 0
    assert not spans or spans[-1][1] == END


def test_an_event_counts_from_the_first_minute_after_it() -> None:
    noon = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    for after, minutes in ((0, 1), (1, 1), (59_999_999, 1), (60_000_000, 2), (-1, 0)):
        moment = noon + timedelta(microseconds=after)
        assert first_minute(moment) == int((noon + minutes * MINUTE).timestamp()), after


def test_a_certificate_is_valid_until_its_last_day_has_ended_in_shanghai() -> None:
    spans = operator_spans([(START, RECORD | {"certified_until": date(2026, 11, 23)})], [], [])
    midnight = int(datetime(2026, 11, 23, 16, 0, tzinfo=UTC).timestamp())
    certified = SPAN_FIELDS.index("certified") + 2
    assert [(span[0], span[1], span[certified]) for span in spans] == [
        (first_minute(START), midnight, True),
        (midnight, END, False),
    ]


def test_without_asking_for_orders_every_minute_is_ordered() -> None:
    (span,) = operator_spans([(START, RECORD)], [], [], always_ordered=True)
    assert span[2 + SPAN_FIELDS.index("ordered")] is True


def test_without_a_registry_record_there_is_nothing() -> None:
    assert operator_spans([], [(START, "active")], [(START, START + MINUTE)]) == []


KINDS = st.sampled_from(["caring_canteen", "school_canteen"])
STATUSES = st.sampled_from(["active", "closed"])
CANTEENS = st.fixed_dictionaries(
    {
        name: st.lists(
            st.tuples(MOMENTS, st.builds(lambda k, s: {"kind": k, "status": s}, KINDS, STATUSES)), max_size=4
        ).map(lambda events: sorted(events, key=lambda one: one[0]))
        for name in ("a", "b")
    }
)
VILLAGES = st.lists(
    st.tuples(
        MOMENTS,
        st.builds(
            lambda town, by: {"town_code": town, "served_by": by},
            st.sampled_from(["330681001", "330681002"]),
            st.sampled_from(["a", "b", "unknown", None]),
        ),
    ),
    max_size=4,
).map(lambda events: sorted(events, key=lambda one: one[0]))


def _before(events: Any, minute: int) -> Any:
    """What the last event before a minute says."""
    said = [value for moment, value in events if moment < datetime.fromtimestamp(minute, UTC)]
    return said[-1] if said else None


@given(VILLAGES, CANTEENS)
def test_a_village_is_served_while_the_operator_it_names_is_an_active_caring_canteen(
    records: list[tuple[datetime, Any]], canteens: dict[str, list[tuple[datetime, Any]]]
) -> None:
    spans = village_spans(records, canteens)
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    for number in range(-6, SPAN + 3):
        at = int((START + number * MINUTE).timestamp())
        record = _before(records, at)
        found = [span[2:] for span in spans if span[0] <= at < span[1]]
        if record is None:
            assert found == []
            continue
        canteen = _before(canteens.get(record["served_by"], []), at)
        served = canteen == {"kind": "caring_canteen", "status": "active"}
        assert found == [(record["town_code"], served)]


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(["due", "done", "void"])), max_size=5))
def test_a_duty_is_what_its_last_record_before_the_minute_says(said: list[tuple[datetime, str]]) -> None:
    records = [
        (moment, {"measure": "pledge", "town_code": "330681001", "status": status})
        for moment, status in sorted(said, key=lambda one: one[0])
    ]
    spans = duty_spans(records)
    for number in range(-6, SPAN + 3):
        at = int((START + number * MINUTE).timestamp())
        record = _before(records, at)
        found = [span[2:] for span in spans if span[0] <= at < span[1]]
        assert found == ([] if record is None else [("pledge", "330681001", record["status"])])
