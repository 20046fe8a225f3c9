"""A message is sent again until the channel has taken or refused it, and each attempt is told of."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message
from sinks.notify.webhook import WebhookChannel
from streams import delivery
from streams.delivery import deliver
from tests.sinks.notify.messages import message
from tests.sinks.notify.platforms import Receiver, served


class Broken:
    """A channel with a fault of ours in it, until it is mended."""

    name = "broken"

    def __init__(self, faults: int) -> None:
        self.faults = faults

    async def send(self, message: Message) -> Outcome:
        self.faults -= 1
        if self.faults >= 0:
            raise RuntimeError("a fault of ours")
        return Outcome("delivered", message.id)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_SECONDS", 0.01)


def noting(words: list[str]) -> Callable[[Outcome], Awaitable[None]]:
    async def note(outcome: Outcome) -> None:
        words.append(outcome.word)

    return note


def outcomes(*statuses: int) -> tuple[list[str], Outcome]:
    """What each attempt was said to be at a receiver that answers so, and the end."""

    async def run() -> tuple[list[str], Outcome]:
        words: list[str] = []
        async with served(Receiver(*(web.Response(status=one) for one in statuses))) as url:
            channel = WebhookChannel("duty", url)
            try:
                return words, await deliver(channel, message(), noting(words))
            finally:
                await channel.close()

    return asyncio.run(run())


def test_what_fails_is_sent_again_until_it_is_taken() -> None:
    words, end = outcomes(503, 500, 204)
    assert words == ["failed", "failed", "delivered"]
    assert end.word == "delivered"


def test_what_is_refused_is_not_sent_again() -> None:
    words, end = outcomes(503, 400, 204)
    assert words == ["failed", "refused"]
    assert end.word == "refused"


def test_after_a_day_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "GIVE_UP_SECONDS", 0.025)
    words, end = outcomes(503, 503, 503, 204)
    assert words == ["failed", "failed", "failed"]  # 0.01 s and 0.02 s lie between them
    assert end.word == "failed"


def test_a_fault_of_ours_in_a_channel_ends_nothing() -> None:
    words: list[str] = []
    end = asyncio.run(deliver(Broken(2), message(), noting(words)))
    assert words == ["failed", "failed", "delivered"]
    assert end.word == "delivered"
