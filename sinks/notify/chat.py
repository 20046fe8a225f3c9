"""What the group robots of DingTalk, WeCom and Feishu share: HTTP 200 says nothing, the code in the body does; limits
are in bytes; and who sends too often is blocked, so that a channel waits on its own side first."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from yarl import URL

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message

TIMEOUT_SECONDS: Final = 10.0
DETAIL_MOST: Final = 200
TOKEN_LEAST: Final = 8
"""Shorter parts of an address are words such as `send`."""
ELLIPSIS: Final = "…"
STATE_WORDS: Final = {"firing": "🔴", "resolved": "🟢", "info": "🔵"}


class Codes(NamedTuple):
    """How a platform answers: 0 is taken, and any code that is not here is worth another try."""

    keys: tuple[str, ...]
    """Where the code may stand in the body."""
    text: tuple[str, ...]
    """Where the reason may stand."""
    refused: Collection[int]
    """Codes that stay as they are however often one tries."""
    waits: Mapping[int, float]
    """Codes that ask to be left alone, and for how many seconds."""


class Robot:
    """One robot's address, asked no more often than its platform allows."""

    def __init__(self, url: str, codes: Codes, rates: Sequence[RateLimitItem], secrets: Sequence[str]) -> None:
        """:param secrets: what must not appear in an outcome, should the platform quote it."""
        self._url = URL(url)
        self._codes = codes
        self._rates = rates
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        tokens = (*self._url.query.values(), self._url.name)
        self._secrets = [*filter(None, secrets), *(one for one in tokens if len(one) >= TOKEN_LEAST)]
        self._session: aiohttp.ClientSession | None = None

    async def post(self, payload: Mapping[str, Any], query: Mapping[str, str] | None = None) -> Outcome:
        """Posts one message, unless the platform has had as many as it takes already."""
        wait = self._wait()
        if wait:
            return Outcome("failed", f"as many messages as the platform takes: waiting {wait:.0f} s", wait)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        url = self._url.update_query(query) if query else self._url
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            async with self._session.post(
                url, data=orjson.dumps(payload), headers=headers, allow_redirects=False
            ) as answer:
                return self._judged(answer.status, await answer.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: the platform does not answer")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _wait(self) -> float:
        """Seconds until one more may be sent; 0 takes a place."""
        now = time.time()
        waits = [
            max(self._limiter.get_window_stats(rate).reset_time - now, 0.1)
            for rate in self._rates
            if not self._limiter.test(rate)
        ]
        if waits:
            return max(waits)
        for rate in self._rates:
            self._limiter.hit(rate)
        return 0.0

    def _judged(self, status: int, content: bytes) -> Outcome:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            return Outcome("failed", f"HTTP {status}, and no JSON")
        given = body if isinstance(body, dict) else {}
        code = next((given[key] for key in self._codes.keys if isinstance(given.get(key), int)), None)
        if code is None or isinstance(code, bool):
            return Outcome("failed", f"HTTP {status}, and no {self._codes.keys[0]}")
        reason = next((str(given[key]) for key in self._codes.text if given.get(key)), "")
        for secret in self._secrets:
            reason = reason.replace(secret, ELLIPSIS)
        detail = f"{self._codes.keys[0]} {code} {reason}".strip()[:DETAIL_MOST]
        if code == 0:
            return Outcome("delivered", detail)
        if code in self._codes.waits:
            return Outcome("failed", detail, self._codes.waits[code])
        return Outcome("refused" if code in self._codes.refused else "failed", detail)


def a_minute(most: int) -> RateLimitItem:
    """So many messages a minute by the platform's count. It counts them when they arrive: one may need as long as its
    attempt lasts, and a later one no time at all, so the minute is longer by that on our side."""
    return RateLimitItemPerSecond(most, 60 + int(TIMEOUT_SECONDS))


def headline(message: Message) -> str:
    """One line with the state to see at a glance."""
    return message.title if message.title.startswith(("【", "[")) else f"{STATE_WORDS[message.state]} {message.title}"


def paragraphs(message: Message) -> str:
    """The facts in the Markdown that all three understand; the text where there are none, as both say the same."""
    return "\n".join(f"- {one.label}：{one.value}" for one in message.lines) or message.text


def actions(message: Message) -> str:
    """The links, one beside the other; empty where there are none."""
    return " | ".join(f"[{one.label}]({one.url})" for one in message.links)


def fitted(text: str, most: int, size: Callable[[str], int]) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis; never half a character.

    :param most: bytes.
    :param size: how many bytes the message has with a text."""
    if size(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle] + ELLIPSIS) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low] + ELLIPSIS
