"""Webhooks: what a status means, the idempotency key, the signature, and a receiver that hangs."""

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from sinks.notify.channel import Outcome
from sinks.notify.webhook import REDIRECTED, WebhookChannel, seconds_of
from tests.sinks.notify.messages import message
from tests.sinks.notify.platforms import Receiver, served

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def sent(receiver: Receiver, key: bytes = b"", timeout: float = 10.0) -> Outcome:
    async def run() -> Outcome:
        async with served(receiver) as server:
            channel = WebhookChannel("duty", f"{server}/hook", key, timeout)
            try:
                return await channel.send(message())
            finally:
                await channel.close()

    return asyncio.run(run())


def test_the_body_is_what_machines_get_under_the_idempotency_key() -> None:
    receiver = Receiver()
    assert sent(receiver) == Outcome("delivered", "HTTP 204")
    headers, body = receiver.requests[0]
    assert headers["Idempotency-Key"] == message().id
    assert headers["Content-Type"] == "application/json"
    assert orjson.loads(body) == message().body
    assert not [one for one in headers if one.lower().startswith("webhook-")]


def test_a_signed_webhook_is_verified_by_the_standard_library_of_receivers() -> None:
    receiver = Receiver()
    sent(receiver, KEY)
    headers, body = receiver.requests[0]
    assert Webhook(SECRET).verify(body.decode(), headers) == message().body
    assert headers["webhook-id"] == headers["Idempotency-Key"]
    other = Webhook("whsec_" + base64.b64encode(bytes(32)).decode())
    with pytest.raises(WebhookVerificationError):
        other.verify(body.decode(), headers)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (200, "delivered"),
        (299, "delivered"),
        (400, "refused"),
        (404, "refused"),
        (410, "refused"),
        (408, "failed"),
        (429, "failed"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_what_a_status_means(status: int, word: str) -> None:
    outcome = sent(Receiver(web.Response(status=status)))
    assert outcome == Outcome(word, f"HTTP {status}")  # type: ignore[arg-type] # the table above has words


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed_and_not_delivered(status: int) -> None:
    receiver = Receiver(web.Response(status=status, headers={"Location": "/login?token=a1b2c3d4"}))
    outcome = sent(receiver)
    assert outcome == Outcome("failed", f"HTTP {status}: {REDIRECTED}")
    assert len(receiver.requests) == 1, "the page to log in would have answered 204"


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_to_be_left_alone_is_left_alone(status: int) -> None:
    assert sent(Receiver(web.Response(status=status, headers={"Retry-After": "42"}))).retry_after == 42.0


def test_a_receiver_that_hangs_is_given_up_after_the_timeout() -> None:
    started = time.monotonic()
    outcome = sent(Receiver(hang=True), timeout=0.3)
    assert outcome.word == "failed"
    assert "does not answer" in outcome.detail
    assert 0.3 <= time.monotonic() - started < 5


def test_retry_after_is_a_number_or_a_date_and_nothing_else() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    at = now.timestamp()
    assert seconds_of("120", at) == 120.0
    assert seconds_of(format_datetime(now + timedelta(seconds=90), usegmt=True), at) == 90.0
    assert seconds_of(format_datetime(now - timedelta(seconds=90), usegmt=True), at) == 0.0
    assert seconds_of("999999", at) == 3600.0
    assert [seconds_of(one, at) for one in ("", "-5", "soon", "１２")] == [0.0] * 4
