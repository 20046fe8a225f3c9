"""A real Alertmanager gets what fires, is told again of it, and of its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from sinks.notify.alertmanager import AlertmanagerChannel, alert_of
from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message
from sinks.notify.message import outage
from sinks.notify.webhook import REDIRECTED
from tests.sinks.notify.messages import LINK, message
from tests.sinks.notify.platforms import Receiver, served
from tests.sinks.notify.real_alertmanager import NEEDED, alertmanager
from tests.sinks.notify.real_alertmanager import firing as shown
from tests.system.parts import wait_for

pytestmark = NEEDED
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


def firing(url: str, alert_id: str) -> list[dict[str, Any]]:
    return shown(url, f'alert_id="{alert_id}"')


def alert(alert_id: str, **given: Any) -> Message:
    now = datetime.now(UTC).isoformat()
    usual = dict(message().body) | {"alert_id": alert_id, "since": now, "as_of": now}
    return message(body=usual | given.pop("body", {}), **given)


def with_channel(url: str, *acts: Callable[[AlertmanagerChannel], Any], resend: timedelta = MINUTE) -> list[Outcome]:
    async def run() -> list[Outcome]:
        channel = AlertmanagerChannel("am", url, resend)
        try:
            return [await act(channel) for act in acts]
        finally:
            await channel.close()

    return asyncio.run(run())


def these(*messages: Message) -> Callable[[], Awaitable[Sequence[Message]]]:
    """What fires now."""

    async def firing() -> Sequence[Message]:
        return messages

    return firing


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_alert_fires_is_told_again_and_is_over(url: str) -> None:
    one = alert("a.city.330681.now")
    began = time.time()
    assert with_channel(url, lambda channel: channel.send(one)) == [Outcome("delivered", "HTTP 200")]
    (first,) = firing(url, "a.city.330681.now")
    assert first["labels"] == {
        "alertname": "kitchen_build",
        "severity": "critical",
        "scope": "city",
        "scope_id": "330681",
        "window": "now",
        "kind": "rate",
        "alert_id": "a.city.330681.now",
    }
    assert first["annotations"] == {"title": one.title, "text": one.text}
    assert first["generatorURL"] == LINK.url
    assert abs(moment(first["startsAt"]) - moment(one.body["since"])) < timedelta(seconds=1)
    assert 170 < moment(first["endsAt"]).timestamp() - began < 200

    (outcome,) = with_channel(url, lambda channel: channel.resend(these(one)))
    assert outcome == Outcome("delivered", "1 sent again")
    (again,) = firing(url, "a.city.330681.now")
    assert again["fingerprint"] == first["fingerprint"]
    assert moment(again["endsAt"]) > moment(first["endsAt"])
    assert again["startsAt"] == first["startsAt"]

    end = datetime.now(UTC).isoformat()
    over = alert("a.city.330681.now", state="resolved", body={"since": end, "as_of": end})
    assert with_channel(url, lambda channel: channel.send(over))[0].word == "delivered"
    assert firing(url, "a.city.330681.now") == []


def test_what_is_not_told_again_ends_by_itself(url: str) -> None:
    with_channel(url, lambda one: one.send(alert("b.city.330681.now")), resend=timedelta(seconds=0.5))
    assert firing(url, "b.city.330681.now")
    wait_for(lambda: not firing(url, "b.city.330681.now"), 20, "the alert ends")


def test_one_alert_that_is_refused_does_not_keep_the_others(url: str) -> None:
    broken = alert("c.2")._replace(links=(LINK._replace(url="http://[broken"),))
    (outcome,) = with_channel(url, lambda one: one.resend(these(alert("c.1"), broken, alert("c.3"))))
    assert outcome.word == "refused"
    assert "1 of 3" in outcome.detail
    assert firing(url, "c.1")
    assert firing(url, "c.3")
    assert not firing(url, "c.2")


def test_outages_of_two_parts_are_two_alerts_and_each_has_its_own_end(url: str) -> None:
    def away() -> list[str]:
        return sorted(one["labels"]["alert_id"] for one in shown(url, 'kind="outage"'))

    began = datetime.now(UTC) - timedelta(minutes=2)
    with_channel(url, *(lambda one, what=what: one.send(outage(what, began)) for what in ("Kafka", "ClickHouse")))
    assert away() == ["outage.clickhouse", "outage.kafka"]
    (kafka,) = firing(url, "outage.kafka")
    assert kafka["labels"] == {
        "alertname": "outage",
        "kind": "outage",
        "severity": "critical",
        "alert_id": "outage.kafka",
    }
    assert abs(moment(kafka["startsAt"]) - began) < timedelta(seconds=1)
    with_channel(url, lambda one: one.send(outage("Kafka", began, datetime.now(UTC))))
    assert away() == ["outage.clickhouse"]


@pytest.mark.parametrize("kind", ["digest", "summary", "watchdog"])
def test_only_what_fires_goes_there(kind: str) -> None:
    outcome = with_channel("http://127.0.0.1:1", lambda one: one.send(message(kind=kind)))[0]
    assert outcome == Outcome("delivered", "not for Alertmanager")


def test_an_alertmanager_that_is_not_there_is_tried_again() -> None:
    outcomes = with_channel(
        "http://127.0.0.1:1", lambda one: one.send(alert("d")), lambda one: one.resend(these(alert("d"), alert("e")))
    )
    assert [one.word for one in outcomes] == ["failed", "failed"]


@pytest.mark.parametrize("status", [302, 307])
def test_a_page_to_log_in_before_alertmanager_is_no_delivery(status: int) -> None:
    receiver = Receiver(web.Response(status=status, headers={"Location": "/login"}))

    async def run() -> list[Outcome]:
        async with served(receiver) as server:
            channel = AlertmanagerChannel("am", server)
            try:
                return [await channel.send(alert("g"))]
            finally:
                await channel.close()

    assert asyncio.run(run()) == [Outcome("failed", f"HTTP {status}: {REDIRECTED}")]
    assert len(receiver.requests) == 1, "the page would have answered 204"


def test_an_end_in_event_time_never_lies_before_the_begin() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    body = {"since": "2026-11-23T12:30:00+08:00", "as_of": "2026-11-23T12:11:00+08:00"}
    made = alert_of(alert("f", state="resolved", body=body), now, MINUTE)
    assert moment(made["startsAt"]) <= moment(made["endsAt"]) == moment(body["as_of"])
