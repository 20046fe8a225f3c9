"""The webhook channel: one JSON object a message, with the transition's id as idempotency key."""

from typing import Any, Final

import aiohttp
import orjson

from sinks.notify.channel import Outcome

TIMEOUT_SECONDS: Final = 10.0


class WebhookChannel:
    """POSTs to one address. 2xx is delivered, 4xx but 408 and 429 is refused, everything else is worth another try."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: dict[str, Any]) -> Outcome:
        """Posts the message; the receiver may see it twice and tells by `Idempotency-Key`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(message["transition_id"])}
        try:
            async with self._session.post(self._url, data=orjson.dumps(message), headers=headers) as answer:
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: the webhook does not answer")
        if 200 <= status < 300:
            return Outcome("delivered", f"HTTP {status}")
        retried = status in (408, 429) or status >= 500
        return Outcome("failed" if retried else "refused", f"HTTP {status}")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
