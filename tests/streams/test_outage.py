"""An outage is told once, after a grace, and its end once; a short absence is not told at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.alerts import Attempted
from sinks.notify.alertmanager import AlertmanagerChannel
from sinks.notify.channel import Channel
from sinks.notify.email import EmailChannel, Server
from sinks.notify.webhook import WebhookChannel
from streams.outage import GRACE, OutageWatch, RecordAttempts, Telling, watched
from streams.outage_memory import Watched
from tests.sinks.notify.real_alertmanager import NEEDED, alertmanager, firing
from tests.sinks.notify.test_email import Mailbox, part, server
from tests.system.parts import wait_for
from tests.system.test_alerts import Webhook

AT: Final = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
STEP: Final = timedelta(seconds=5)


def told(there: list[bool]) -> list[Telling]:
    known, found = Watched(), []
    for number, one in enumerate(there):
        known, telling = watched(known, there=one, what="Kafka", at=AT + number * STEP)
        if telling is not None:
            found.append(telling)
    return found


def test_a_restart_of_a_part_is_no_outage() -> None:
    assert told([True, *[False] * 11, True]) == []


def test_an_outage_is_told_once_and_its_end_once() -> None:
    begin, end = told([True, *[False] * 40, True, True])
    assert begin == Telling("Kafka", AT + STEP, None)
    assert end == Telling("Kafka", AT + STEP, AT + 41 * STEP)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=12))
def test_begin_and_end_take_turns_and_only_long_absences_are_told(runs: list[tuple[bool, int]]) -> None:
    there = [one for one, count in runs for _ in range(count)]
    found = told(there)
    assert [one.over is None for one in found] == [number % 2 == 0 for number in range(len(found))]
    absences, length = 0, 0
    for one in there:
        length = 0 if one else length + 1
        absences += (length - 1) * STEP == GRACE
    assert sum(one.over is None for one in found) == absences


@given(st.booleans(), st.integers(0, 30))
def test_what_a_process_that_died_was_about_to_tell_is_told_again_or_its_end_is(there: bool, steps: int) -> None:
    known = Watched(AT, begun=True)
    at = AT + GRACE + steps * STEP
    after, telling = watched(known, there=there, what="Kafka", at=at)
    assert telling == Telling("Kafka", AT, at if there else None)
    assert after == (Watched() if there else Watched(AT, told=True))


class Service:
    """What is probed, and whether it is there."""

    there = True

    async def probe(self) -> bool:
        return self.there


async def recorded_nowhere(_attempted: Sequence[Attempted]) -> None:
    """Whoever asks for nothing that is recorded."""


def watching(
    service: Service,
    make: Callable[[], Sequence[Channel]],
    home: Path,
    act: Callable[[], Awaitable[None]],
    record: RecordAttempts = recorded_nowhere,
) -> None:
    """Watches while `act` runs."""

    async def run() -> None:
        watch = OutageWatch(
            {"Kafka": service.probe},
            make,
            home / "outages.json",
            record,
            {"english": "en"},
            grace=timedelta(0),
            every=0.05,
        )
        task = asyncio.create_task(watch.run())
        await act()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


async def seen(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_for, condition, 20, what)


def test_a_channel_that_fails_gets_the_begin_before_the_end_and_each_is_told_in_its_language(tmp_path: Path) -> None:
    service = Service()
    mailbox = Mailbox()
    with closing(Webhook(failures=2)) as late, server(mailbox) as port:

        async def act() -> None:
            service.there = False
            await seen(lambda: late.asked == 2, "the begin has failed twice and waits for 2 s")
            service.there = True
            await seen(lambda: len(late.received) == len(mailbox.mails) == 2, "begin and end are told")

        def make() -> list[Channel]:
            mail = EmailChannel("english", Server("127.0.0.1", port, "none"), "alerts@example.cn", ("boss@example.cn",))
            return [WebhookChannel("late", late.url), mail]

        watching(service, make, tmp_path, act)
    assert [one.body["state"] for one in late.received] == ["firing", "resolved"]
    assert "Kafka 中断" in late.received[0].body["text"]
    begin, end = (part(one, "text/plain").get_content() for one in mailbox.mails)
    assert "Kafka is away" in begin
    assert "Kafka is back" in end


def test_a_channel_that_was_not_reached_before_a_crash_is_told_after_it_and_the_others_of_the_end(
    tmp_path: Path,
) -> None:
    service = Service()
    with closing(Webhook(failures=0)) as well, closing(Webhook(failures=10_000)) as away:

        def make() -> list[Channel]:
            return [WebhookChannel("well", well.url), WebhookChannel("away", away.url)]

        async def goes_away() -> None:
            service.there = False
            await seen(lambda: well.received and away.asked, "one is told and the other fails")

        async def comes_back() -> None:
            service.there = True
            await seen(lambda: len(well.received) == 2, "the end is told to who knows of the begin")

        watching(service, make, tmp_path, goes_away)
        watching(service, make, tmp_path, comes_back)
    assert [one.body["state"] for one in well.received] == ["firing", "resolved"]


def test_attempts_are_recorded_when_there_is_where_to_also_after_a_restart(tmp_path: Path) -> None:
    service = Service()
    found: list[Attempted] = []

    async def hangs(_attempted: Sequence[Attempted]) -> None:
        await asyncio.Event().wait()

    async def records(attempted: Sequence[Attempted]) -> None:
        found.extend(attempted)

    with closing(Webhook(failures=1)) as webhook:

        def make() -> list[Channel]:
            return [WebhookChannel("duty", webhook.url)]

        async def goes_away() -> None:
            service.there = False
            await seen(lambda: webhook.received, "it is told at the second attempt")

        async def comes_back() -> None:
            service.there = True
            await seen(lambda: len(found) == 3, "all attempts are recorded")

        watching(service, make, tmp_path, goes_away, hangs)
        watching(service, make, tmp_path, comes_back, records)
    assert [(one.channel, one.outcome) for one in found] == [("duty", "failed"), *[("duty", "delivered")] * 2]
    begin, same, over = (one.message for one in found)
    assert begin == same == webhook.received[0].body["id"]
    assert over == webhook.received[1].body["id"]


@NEEDED
def test_what_stays_away_stays_at_alertmanager_also_over_a_restart_and_ends_there(tmp_path: Path) -> None:
    service, resend = Service(), timedelta(seconds=0.5)
    with alertmanager(tmp_path) as url:

        def ends() -> list[str]:
            return [one["endsAt"] for one in firing(url, 'alert_id="outage.kafka"')]

        async def goes_away() -> None:
            service.there = False
            await seen(ends, "the outage is told")
            first = ends()
            await seen(lambda: ends() > first, "it is told again")

        async def comes_back() -> None:
            first = ends()
            await seen(lambda: ends() > first, "it is told again after a restart")
            service.there = True
            await seen(lambda: not ends(), "it is over")

        watching(service, lambda: [AlertmanagerChannel("am", url, resend)], tmp_path, goes_away)
        watching(service, lambda: [AlertmanagerChannel("am", url, resend)], tmp_path, comes_back)
