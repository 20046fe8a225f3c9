"""A source of which too much is refused: when it is pending, fires and resolves, and what a restart does to that."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse import alerts
from sinks.clickhouse.address import Address
from sinks.clickhouse.arrivals import MOST_SOURCES, Arrivals, arrivals
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Store
from sinks.clickhouse.migrate import Migrator
from streams.backlog import Backlog, Ends
from streams.conditions import ConditionWatch
from streams.judging import Judges, Judging
from streams.kafka_address import KafkaAddress
from streams.rejects_condition import RejectsWatch, Source, States, judged
from streams.rejects_rule import RejectsRule
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server

MINUTE: Final = timedelta(minutes=1)
START: Final = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
RULE: Final = RejectsRule()
JD: Final = "/platform/jd"
BAD: Final = Arrivals(60, 40, "bad_value")
GOOD: Final = Arrivals(1, 99, "bad_value")


def run(
    courses: Sequence[Mapping[str, Arrivals]], rule: RejectsRule = RULE, states: States | None = None, first: int = 0
) -> tuple[list[dict[str, Any]], States]:
    """The rows of consecutive minutes, and the states after them."""
    rows, known = [], states or {}
    for number, seen in enumerate(courses, first):
        known, made = judged(rule, known, seen, START + number * MINUTE)
        rows += made
    return rows, known


def changes(rows: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """(minute, source, new state) of the transitions."""
    return [
        ((row["as_of"] - START) // MINUTE, row["scope_id"], row["to_state"]) for row in rows if row["transition_id"]
    ]


# the rule


@pytest.mark.parametrize(
    ("refused", "accepted", "breached"),
    [
        (1, 18, False),  # fewer than the floor
        (1, 19, False),  # 5 % is not more than 5 %
        (2, 19, True),
        (20, 0, True),
        (19, 0, False),
        (1000, 10**6, False),  # 100 a minute is not more than 100
        (1001, 10**6, True),
        (0, 0, False),
    ],
)
def test_a_share_above_the_floor_or_a_rate_is_too_much(refused: int, accepted: int, breached: bool) -> None:
    assert RULE.breached(refused, accepted) is breached


def test_it_fires_when_it_has_held_for_the_time_and_for_that_source_only() -> None:
    rows, states = run([{JD: BAD, "/platform/eleme": GOOD}] * 8)
    assert changes(rows) == [(0, JD, "pending"), (5, JD, "firing")]
    assert [one.source for one in states] == [JD]


def test_it_resolves_when_it_has_been_over_for_as_long_though_the_source_sends_nothing_more() -> None:
    rows, states = run([{JD: BAD}] * 6 + [{}] * 8)
    assert changes(rows) == [(0, JD, "pending"), (5, JD, "firing"), (11, JD, "resolved")]
    assert states == {}


def test_what_does_not_hold_is_ok_again() -> None:
    rows, states = run([{JD: BAD}] * 3 + [{JD: GOOD}] * 3)
    assert changes(rows) == [(0, JD, "pending"), (3, JD, "ok")]
    assert states == {}


def test_a_row_says_what_was_counted_and_why_it_was_refused() -> None:
    rows, _ = run([{JD: BAD}] * 6)
    firing = rows[-3]
    assert (firing["kind"], firing["indicator"], firing["scope"], firing["scope_id"], firing["window"]) == (
        "condition", "rejects_high", "source", JD, "10m"
    )  # fmt: skip
    assert (firing["numerator"], firing["denominator"], firing["rate"], firing["target"]) == (60, 100, 0.6, 0.05)
    assert firing["reason"] == "has held for 5 min: 60 of 100 events refused in 10 min, mostly bad_value"
    assert firing["alert_id"] == "rejects_high.source./platform/jd.10m"


def test_judging_a_minute_again_repeats_its_ids() -> None:
    once, _ = run([{JD: BAD}] * 8)
    again, _ = run([{JD: BAD}] * 8)
    assert [row["transition_id"] for row in once] == [row["transition_id"] for row in again]


def test_minutes_that_are_not_judged_stop_the_time() -> None:
    rows, states = run([{JD: BAD}] * 4)
    later, _ = run([{JD: BAD}] * 3, states=states, first=60)
    assert changes([*rows, *later]) == [(0, JD, "pending"), (61, JD, "firing")]


def test_another_window_ends_what_was_judged_on_the_former_one() -> None:
    _, states = run([{JD: BAD}] * 6)
    rows, after = run([{JD: BAD}], RejectsRule(window_minutes=5), states, first=6)
    assert [(row["window"], row["to_state"]) for row in rows if row["transition_id"]] == [
        ("10m", "resolved"), ("5m", "pending")
    ]  # fmt: skip
    assert list(after) == [Source(JD, "5m")]


def test_one_of_more_sources_than_are_looked_at_stays_as_it_is() -> None:
    _, states = run([{JD: BAD}] * 6)
    crowd = {f"/{number}": GOOD for number in range(MOST_SOURCES)}
    rows, after = run([crowd] * 10, states=states, first=6)
    assert changes(rows) == []
    assert after == states


COURSE = st.lists(st.tuples(st.sampled_from([BAD, GOOD, None]), st.integers(1, 9)), min_size=1, max_size=6).map(
    lambda runs: [seen for seen, length in runs for _ in range(length)]
)


@given(COURSE, COURSE)
def test_sources_do_not_touch_each_other(one: list[Arrivals | None], other: list[Arrivals | None]) -> None:
    length = min(len(one), len(other))
    both = [
        {name: seen for name, seen in ((JD, mine), ("/b", its)) if seen}
        for mine, its in zip(one[:length], other[:length], strict=True)
    ]
    alone = [{JD: seen} if seen else {} for seen in one[:length]]
    assert [change for change in changes(run(both)[0]) if change[1] == JD] == changes(run(alone)[0])


# counting, and the stage on a real database


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("rejects") / "data")
    client = server.client()
    migrator = Migrator(client)
    migrator.prepare()
    migrator.apply(migrator.plan())
    sync_catalogue(client, [])
    client.close()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        client = request.getfixturevalue("server").client()
        for table in ("raw_rejected", "raw_orders", "alert_log"):
            client.command(f"TRUNCATE TABLE yangguang.{table}")
        client.close()


def refuse(server: Server, source: str, minute: int, count: int, offset: int, **more: str) -> None:
    """Refused events in a minute from the start."""
    at = (START + minute * MINUTE + timedelta(seconds=30)).replace(tzinfo=None)
    client = server.client()
    client.command(
        "INSERT INTO yangguang.raw_rejected (topic, partition, offset, reason, source, producer, time, raw_offset, "
        f"recorded_at) SELECT 'yangguang.seal', 0, {offset} + number, '{more.get('reason', 'bad_value')}', '{source}', "
        f"'{more.get('producer', '')}', '{at}', {offset} + number, now64(6) FROM numbers({count})"
    )
    client.close()


def accept(server: Server, source: str, minute: int, count: int, first: int = 0) -> None:
    """Accepted orders that arrived in a minute from the start; they were delivered long before."""
    at = (START + minute * MINUTE + timedelta(seconds=30)).replace(tzinfo=None)
    client = server.client()
    client.command(
        "INSERT INTO yangguang.raw_orders (order_id, event_id, source, event_time, delivered_at, landed_at) SELECT "
        f"toString(number), toString(number), '{source}', '2026-10-01 00:00:00', '2026-10-01 00:00:00', '{at}' "
        f"FROM numbers({first}, {count})"
    )
    client.close()


async def opened(server: Server) -> Store:
    return await Store.open(Address("127.0.0.1", server.port, "writer", WRITER_PASSWORD))


def counted(server: Server, start: int, end: int) -> dict[str, Arrivals]:
    async def ask() -> dict[str, Arrivals]:
        store = await opened(server)
        try:
            return await arrivals(store, START + start * MINUTE, START + end * MINUTE)
        finally:
            await store.close()

    return asyncio.run(ask())


def test_what_came_is_counted_by_when_it_arrived_and_every_event_once(server: Server) -> None:
    refuse(server, JD, 3, 4, 0)
    refuse(server, JD, 4, 2, 100, reason="not_cloudevent")
    refuse(server, JD, 3, 4, 0)  # read once more
    accept(server, JD, 3, 10)
    accept(server, JD, 4, 10)  # the same events once more
    accept(server, JD, 12, 5, first=100)
    accept(server, "/platform/eleme", 3, 7)
    assert counted(server, 0, 10) == {JD: Arrivals(6, 10, "bad_value")}
    assert counted(server, 4, 5) == {JD: Arrivals(2, 10, "not_cloudevent")}
    assert counted(server, 5, 10) == {}


def test_what_has_no_readable_source_stands_under_its_producer_and_is_measured_by_all_that_came(
    server: Server,
) -> None:
    refuse(server, "", 3, 4, 0, producer="acme")
    refuse(server, "", 3, 3, 100)
    refuse(server, JD, 3, 2, 200, producer="acme")
    accept(server, JD, 3, 10)
    accept(server, "/platform/eleme", 3, 7)
    assert counted(server, 0, 10) == {
        "acme": Arrivals(4, 17, "bad_value"),
        "unknown": Arrivals(3, 17, "bad_value"),
        JD: Arrivals(2, 10, "bad_value"),
    }


class Stored(Backlog):
    """A backlog of which everything is stored, or nothing."""

    def __init__(self, stored: bool = True) -> None:
        super().__init__(KafkaAddress("127.0.0.1:9"), "nobody")
        self.stored = stored

    async def ends(self) -> Ends:
        return {}

    async def is_stored(self, ends: Ends) -> bool:
        del ends
        return self.stored


class Stage:
    """The stage between two restarts, and what it published."""

    def __init__(self, store: Store, published: list[Mapping[str, Any]], backlog: Stored) -> None:
        self.minute = START
        self._published = published
        self.watch = RejectsWatch(store, RULE, backlog, self._publish, lambda: self.minute + timedelta(seconds=7))

    async def _publish(self, transitions: Sequence[Mapping[str, Any]]) -> None:
        self._published += transitions

    async def until(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.minute = START + number * MINUTE
            await self.watch.evaluate()


def told(published: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    return [((row["as_of"] - START) // MINUTE, row["scope_id"], row["to_state"]) for row in published]


def test_a_storm_fires_once_over_a_restart_and_resolves(server: Server) -> None:
    refuse(server, JD, 1, 60, 0)
    accept(server, JD, 1, 40)
    accept(server, "/platform/eleme", 1, 40)

    async def story() -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], list[Any]]:
        store = await opened(server)
        published: list[Mapping[str, Any]] = []
        before, after = Stage(store, published, Stored()), Stage(store, published, Stored())
        await before.until(0, 9)
        await before.until(9, 9)  # the same minute again
        count = len(published)
        await after.until(9, 30)
        rows = list(await store.rows("SELECT indicator, scope_id, state FROM yangguang.alerts"))
        await store.close()
        return published[:count], published[count:], rows

    first, then, alerts_shown = asyncio.run(story())
    assert told(first) == [(2, JD, "pending"), (7, JD, "firing")]
    assert told(then) == [(17, JD, "resolved")]  # the window has passed the storm at 12, and five minutes more
    assert alerts_shown == [("rejects_high", JD, "resolved")]


def test_a_crash_between_record_and_topic_is_made_good_after_the_restart(server: Server) -> None:
    refuse(server, JD, 1, 60, 0)

    async def crash(_: Sequence[Mapping[str, Any]]) -> None:
        raise ConnectionError("the process ends here")

    async def story() -> list[Mapping[str, Any]]:
        store = await opened(server)
        watch = RejectsWatch(store, RULE, Stored(), crash, lambda: START + 2 * MINUTE)
        with pytest.raises(ConnectionError):
            await watch.evaluate()
        published: list[Mapping[str, Any]] = []

        async def publish(transitions: Sequence[Mapping[str, Any]]) -> None:
            published.extend(transitions)

        clock = lambda: START + 3 * MINUTE  # noqa: E731 # a minute later, so that all judges record something
        judges: list[Judging] = [
            ConditionWatch(store, [], publish, event_clock=False, clock=clock),
            RejectsWatch(store, RULE, Stored(), publish, clock),
        ]
        await Judges(store, judges, publish).evaluate()
        await store.close()
        return published

    assert told(asyncio.run(story())) == [(2, JD, "pending")]


def test_a_minute_in_which_workers_are_behind_is_not_judged(server: Server) -> None:
    refuse(server, JD, 1, 60, 0)

    async def story() -> list[Mapping[str, Any]]:
        store = await opened(server)
        published: list[Mapping[str, Any]] = []
        backlog = Stored(stored=False)
        stage = Stage(store, published, backlog)
        await stage.until(2, 5)
        assert published == []
        backlog.stored = True
        await stage.until(6, 6)
        await stage.until(6, 6)
        assert (await alerts.evaluated_until(store))["rejects_high"] == START + 6 * MINUTE
        await store.close()
        return published

    assert told(asyncio.run(story())) == [(6, JD, "pending")]
