"""Apprise: what it takes is handed over, and never delivered."""

import asyncio

import pytest
from aiohttp import web

from sinks.notify.apprise_channel import AppriseChannel
from sinks.notify.channel import Outcome
from tests.sinks.notify.messages import LINK, message
from tests.sinks.notify.platforms import Receiver, served


def sent(receiver: Receiver) -> Outcome:
    async def run() -> Outcome:
        async with served(receiver) as server:
            channel = AppriseChannel("other", server.replace("http://", "json://") + "/hook-secret")
            return await channel.send(message())

    return asyncio.run(run())


def test_a_message_is_handed_over() -> None:
    receiver = Receiver()
    assert sent(receiver) == Outcome("handed_over", "Apprise took it")
    body = receiver.requests[0][1].decode()
    assert "诸暨市" in body or "\\u8bf8" in body
    assert LINK.url in body


def test_what_apprise_could_not_send_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    outcome = sent(Receiver(*(web.Response(status=500) for _ in range(9))))
    assert outcome == Outcome("failed", "Apprise could not send it")
    assert "hook-secret" not in caplog.text


def test_an_address_that_apprise_does_not_know_is_refused_and_not_quoted() -> None:
    outcome = asyncio.run(AppriseChannel("other", "nosuch://token-1234").send(message()))
    assert outcome == Outcome("refused", "Apprise does not know such an address")
