"""What the notifier does between the topic and the channels: nothing is lost, doubled or sent in bits, and what fires
is told in the end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import orjson
import pytest
from faust.types import Message as Record

from schemas.indicators import INDICATORS
from sinks.clickhouse import alerts
from sinks.clickhouse.address import Address
from sinks.clickhouse.alerts import log_row, record
from sinks.clickhouse.client import Store
from sinks.notify.webhook import WebhookChannel
from streams.condition import closing_row
from streams.notify import Notifier, Plan
from streams.probes import JudgingProbe
from streams.rounds import RoundRules, Rounds
from streams.routing import Maintenance, Route
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD
from tests.streams.city import City
from tests.system.parts import free_port
from tests.system.test_alerts import Webhook

AT: Final = datetime(2026, 11, 20, 3, 36, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
TOWN: Final = "330681001"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    city = City(tmp_path_factory.mktemp("city"))
    yield city
    city.stop()


@pytest.fixture(autouse=True)
def _empty(city: City) -> None:
    """Nothing has been judged or told when a test begins."""
    for table in ("alert_log", "raw_alert_deliveries", "raw_alert_actions"):
        city.writer.command(f"TRUNCATE TABLE yangguang.{table}")


@pytest.fixture
def webhooks() -> Iterator[Callable[[int], Webhook]]:
    """Makes receivers that are out of order for so many requests."""
    made: list[Webhook] = []

    def make(failures: int = 0) -> Webhook:
        made.append(Webhook(failures))
        return made[-1]

    yield make
    for one in made:
        one.close()


def finding(number: int) -> dict[str, Any]:
    name = f"finding_critical.town.{TOWN}..f-{number}"
    return log_row(
        alert_id=name, transition_id=f"t-{number}", kind="event", indicator="finding_critical", scope="town",
        scope_id=TOWN, window="", subject=f"f-{number}", from_state="pending", to_state="firing", since=AT, as_of=AT,
        recorded_at=AT, step=0, facts="{}",
    )  # fmt: skip


def over(firing: dict[str, Any], minutes: int = 5) -> dict[str, Any]:
    """The end of what fires."""
    later = firing["as_of"] + minutes * MINUTE
    return {
        **firing,
        "transition_id": f"over-{firing['transition_id']}",
        "from_state": "firing",
        "to_state": "resolved",
        "since": later,
        "as_of": later,
    }


def silence_of(scope: str, scope_id: str, **given: Any) -> dict[str, Any]:
    """A stream that is silent in a place."""
    name = f"no_data.{scope}.{scope_id}.2h.yangguang.seal"
    return log_row(
        alert_id=name, transition_id=name, kind="condition", indicator="no_data", scope=scope, scope_id=scope_id,
        window="2h", subject="yangguang.seal", from_state="pending", to_state="firing", since=AT, as_of=AT,
        recorded_at=AT, step=0, **given,
    )  # fmt: skip


def as_list(*transitions: dict[str, Any]) -> Record:
    """Transitions as they come from the topic together."""
    values = [SimpleNamespace(value=orjson.dumps(one)) for one in transitions]
    return cast(Record, SimpleNamespace(value=values))


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 # what is waited for is another server's
            await asyncio.sleep(0.01)


def running(
    city: City, hooks: dict[str, Webhook], plan: Plan, story: Callable[[Store, Notifier], Awaitable[None]]
) -> None:
    """Runs a notifier with these channels for as long as the story lasts."""

    async def run(store: Store) -> None:
        channels = [WebhookChannel(name, hook.url) for name, hook in hooks.items()]
        notifier = Notifier(store, channels, plan)
        tasks = [asyncio.create_task(notifier.run(one)) for one in channels]
        try:
            await story(store, notifier)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            for one in channels:
                await one.close()

    city.run(run)


def test_a_list_that_is_read_again_is_not_done_before_its_deliveries_are(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    hook = webhooks(2)
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(_: Store, notifier: Notifier) -> None:
        first, again = as_list(finding(1)), as_list(finding(1))
        await notifier.take(first, done)
        await until(lambda: hook.asked == 1)
        await notifier.take(again, done)
        assert done.empty(), "its delivery has failed once and is under way"
        both = [await done.get(), await done.get()]
        assert all(one is other for one, other in zip(both, (first, again), strict=True))
        assert [one.key for one in hook.received] == ["t-1"]
        last = as_list(finding(1))
        await notifier.take(last, done)
        assert done.get_nowait() is last, "all of it is delivered"

    running(city, {"duty": hook}, Plan(), story)


def test_a_storm_that_comes_one_by_one_is_one_digest_for_people_and_each_for_machines(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    people, machine = webhooks(0), webhooks(0)
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(_: Store, notifier: Notifier) -> None:
        for number in range(60):
            await notifier.take(as_list(finding(number)), done)
        await until(lambda: done.qsize() == 60)

    running(city, {"people": people, "machine": machine}, Plan(joins=["people"]), story)
    assert len(people.received) == 1
    assert len(people.received[0].body["ids"]) == 60
    assert len(machine.received) == 60


def rounds_of(store: Store, notifier: Notifier, routes: Sequence[Route], at: datetime) -> Rounds:
    return Rounds(store, notifier, RoundRules(routes=routes, summary_at=None), INDICATORS, clock=lambda: at)


def test_where_the_first_channel_takes_nothing_the_next_is_told_all_the_same(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    duty, boss = webhooks(1_000), webhooks(0)
    routes = (Route("all", ("duty",), escalate_after=15 * MINUTE, escalate_to=("boss",)),)
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(store: Store, notifier: Notifier) -> None:
        await record(store, [finding(1)])
        await notifier.take(as_list(finding(1)), done)
        await until(lambda: duty.asked > 1)
        present = datetime.now(UTC)
        await rounds_of(store, notifier, routes, present + 14 * MINUTE).once()
        assert not boss.received
        await rounds_of(store, notifier, routes, present + 16 * MINUTE).once()
        await until(lambda: len(boss.received) == 1)

    running(city, {"duty": duty, "boss": boss}, Plan(routes=routes), story)
    assert not duty.received
    assert "【升级】" in boss.received[0].body["text"]
    assert "通知未能送达，无人确认" in boss.received[0].body["text"]


def test_what_begins_in_a_maintenance_and_goes_on_is_told_after_it_and_escalated_from_then_on(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    duty, boss = webhooks(0), webhooks(0)
    present = datetime.now(UTC)
    quiet = Maintenance("night", begin=present - MINUTE, end=present + 5 * MINUTE)
    routes = (Route("all", ("duty",), escalate_after=15 * MINUTE, escalate_to=("boss",)),)
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(store: Store, notifier: Notifier) -> None:
        await record(store, [finding(1)])
        taken = as_list(finding(1))
        await notifier.take(taken, done)
        assert done.get_nowait() is taken
        await rounds_of(store, notifier, routes, present + 4 * MINUTE).once()
        assert not duty.received + boss.received, "neither told nor escalated in the maintenance"
        for _ in range(2):
            await rounds_of(store, notifier, routes, present + 6 * MINUTE).once()
            await until(lambda: len(duty.received) == 1)
        assert await alerts.attempts(store, "t-1") == {}, "what is held back has no delivery"
        assert not boss.received, "the first channels have just been told"
        await rounds_of(store, notifier, routes, datetime.now(UTC) + 21 * MINUTE).once()
        await until(lambda: len(boss.received) == 1)

    running(city, {"duty": duty, "boss": boss}, Plan(routes=routes, maintenance=[quiet]), story)
    assert [one.key for one in duty.received] == ["still-t-1"]
    assert "【仍在告警】" in duty.received[0].body["text"]
    assert "维护或静默期间未发送" in duty.received[0].body["text"]


def test_who_has_judged_and_judges_no_more_is_missed(city: City) -> None:
    lately = timedelta(seconds=1)

    async def story(store: Store) -> None:
        address = Address("127.0.0.1", city.server.port, "writer", WRITER_PASSWORD)
        probe, patient = JudgingProbe(address, lately), JudgingProbe(address)

        async def missed(ago: timedelta) -> bool:
            minute = datetime.now(UTC) - ago
            await record(store, [closing_row("stale", minute)])
            return not await probe()

        assert await probe(), "nobody has ever judged"
        assert not await missed(MINUTE * 10), "it may begin yet"
        async with asyncio.timeout(20):
            while not await missed(MINUTE * 10):
                assert await patient()
        assert not await missed(timedelta(0))
        await probe.close()
        await patient.close()

    city.run(story)
    nowhere = Address("127.0.0.1", free_port(), "writer", WRITER_PASSWORD)
    assert asyncio.run(JudgingProbe(nowhere, lately)()), "of ClickHouse its own probe tells"


def test_the_end_is_told_to_all_who_were_told_of_the_firing_also_whom_it_was_escalated_to(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    duty, boss, other = webhooks(0), webhooks(0), webhooks(0)
    routes = (Route("all", ("duty",), escalate_after=15 * MINUTE, escalate_to=("boss",)),)
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(store: Store, notifier: Notifier) -> None:
        await record(store, [finding(1)])
        await notifier.take(as_list(finding(1)), done)
        await done.get()
        await rounds_of(store, notifier, routes, datetime.now(UTC) + 16 * MINUTE).once()
        await until(lambda: len(boss.received) == 1)
        await notifier.take(as_list(over(finding(1))), done)
        await done.get()

    running(city, {"duty": duty, "boss": boss, "other": other}, Plan(routes=routes), story)
    for hook in (duty, boss):
        assert [one.key for one in hook.received] == ["t-1", "over-t-1"]
    assert not other.received


def test_the_end_of_what_nobody_was_told_of_is_told_to_nobody(city: City, webhooks: Callable[[int], Webhook]) -> None:
    duty = webhooks(0)
    present = datetime.now(UTC)
    quiet = Maintenance("night", begin=present - MINUTE, end=present + timedelta(seconds=2))
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(store: Store, notifier: Notifier) -> None:
        held, told = finding(1), finding(2)
        await record(store, [held, told])
        await notifier.take(as_list(held), done)
        await until(lambda: datetime.now(UTC) > present + timedelta(seconds=2))
        await notifier.take(as_list(told, over(told), over(held)), done)
        for _ in range(2):
            await done.get()

    running(city, {"duty": duty}, Plan(maintenance=[quiet]), story)
    assert [one.key for one in duty.received] == ["t-2", "over-t-2"]


def test_what_goes_on_after_the_citys_alert_is_told_by_itself_after_ten_minutes(
    city: City, webhooks: Callable[[int], Webhook]
) -> None:
    duty = webhooks(0)
    whole = silence_of("city", "330681")
    shop = silence_of("platform", "eleme", inhibited_by=whole["alert_id"])
    done: asyncio.Queue[Record] = asyncio.Queue()

    async def story(store: Store, notifier: Notifier) -> None:
        await record(store, [whole, shop])
        await notifier.take(as_list(whole, shop), done)
        await done.get()
        await rounds_of(store, notifier, (), datetime.now(UTC) + 11 * MINUTE).once()
        assert len(duty.received) == 1, "the city speaks for it"
        await record(store, [over(whole)])
        await notifier.take(as_list(over(whole)), done)
        await done.get()
        await rounds_of(store, notifier, (), datetime.now(UTC) + 9 * MINUTE).once()
        assert len(duty.received) == 2
        await rounds_of(store, notifier, (), datetime.now(UTC) + 11 * MINUTE).once()
        await until(lambda: len(duty.received) == 3)
        await notifier.take(as_list({**over(shop), "inhibited_by": ""}), done)
        await done.get()

    running(city, {"duty": duty}, Plan(), story)
    texts = [one.body["text"] for one in duty.received]
    assert "仍在告警：饿了么" in texts[1]
    assert "【仍在告警】饿了么" in texts[2]
    assert "全市已恢复，此处仍未恢复" in texts[2]
    assert [one.key for one in duty.received[2:]] == [f"still-{shop['transition_id']}", over(shop)["transition_id"]]
