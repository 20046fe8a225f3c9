"""The webhook channel: one JSON object a message, with the transition's id as idempotency key; signed as Standard
Webhooks has it where there is a key."""

import base64
import hashlib
import hmac
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import orjson

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message

TIMEOUT_SECONDS: Final = 10.0
WAIT_MOST_SECONDS: Final = 3600.0
"""A receiver that asks to be left alone for longer is asked again all the same."""
REDIRECTED: Final = "the address leads elsewhere, where no message follows; set url to the one that takes messages"


class WebhookChannel:
    """POSTs to one address. 2xx is delivered, 4xx but 408 and 429 is refused, everything else is worth another try.

    Redirects are not followed: what they lead to is most often a page to log in, which answers 200 to everything."""

    def __init__(self, name: str, url: str, key: bytes = b"", timeout: float = TIMEOUT_SECONDS) -> None:
        """:param key: what is signed with; empty for none.
        :param timeout: seconds for one attempt."""
        self.name = name
        self._url = url
        self._key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Outcome:
        """Posts the message's body; the receiver may see it twice and tells by `Idempotency-Key`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        body = orjson.dumps(message.body)
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
        if self._key:
            headers |= signature(self._key, message.id, body, time.time())
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                status, wait = answer.status, seconds_of(answer.headers.get("Retry-After", ""), time.time())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: the webhook does not answer")
        return judged(status, wait)

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()


def judged(status: int, wait: float = 0.0) -> Outcome:
    """What an HTTP status says of a message.

    :param wait: seconds the receiver asks for."""
    if 200 <= status < 300:
        return Outcome("delivered", f"HTTP {status}")
    if 400 <= status < 500 and status not in (408, 429):
        return Outcome("refused", f"HTTP {status}")
    if 300 <= status < 400:
        return Outcome("failed", f"HTTP {status}: {REDIRECTED}", wait)
    return Outcome("failed", f"HTTP {status}", wait)


def signature(key: bytes, identity: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of Standard Webhooks.

    :param now: Unix seconds."""
    moment = str(int(now))
    digest = hmac.new(key, f"{identity}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def seconds_of(retry_after: str, now: float) -> float:
    """Header `Retry-After` in seconds from now, whether it is a number or a date; 0 where it is neither.

    :param now: Unix seconds."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), WAIT_MOST_SECONDS)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment.timestamp() - now, 0.0), WAIT_MOST_SECONDS)
