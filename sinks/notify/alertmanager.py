"""The Alertmanager channel: what fires and what is over, for whoever has Prometheus' Alertmanager route alerts already.

Alertmanager takes an alert as over when it is not sent again until its end, so that what fires is sent again. A batch
with one alert that it does not like is answered 400 although the others are taken; so each alert is its own request."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import orjson

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message
from sinks.notify.webhook import judged

TIMEOUT_SECONDS: Final = 10.0
RESEND: Final = timedelta(minutes=1)
ENDURES: Final = 3
"""How many times `resend` an alert outlives its last sending."""
KINDS: Final = ("alert", "outage", "test")
"""A test alert ends by itself, as nobody sends it again."""
_LABELS: Final = ("scope", "scope_id", "window", "kind", "subject")


class AlertmanagerChannel:
    """One Alertmanager, by its address without a path."""

    def __init__(self, name: str, url: str, resend: timedelta = RESEND) -> None:
        self.name = name
        self.resend_every = resend
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._session: aiohttp.ClientSession | None = None
        self._turn = asyncio.Lock()

    async def send(self, message: Message) -> Outcome:
        """Sends one alert; what is no alert does not go there."""
        async with self._turn:
            return await self._sent(message)

    async def _sent(self, message: Message) -> Outcome:
        if message.kind not in KINDS:
            return Outcome("delivered", "not for Alertmanager")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        body = orjson.dumps([alert_of(message, datetime.now(UTC), self.resend_every)])
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return judged(answer.status)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: Alertmanager does not answer")

    async def resend(self, firing: Callable[[], Awaitable[Sequence[Message]]]) -> Outcome:
        """Sends again what still fires, which has to happen every `resend_every`; the worst outcome of all.

        The first that fails ends it, as Alertmanager is not there then.

        :param firing: what fires now. Asked and sent in one turn, so that the end of an alert is sent after it."""
        async with self._turn:
            messages = await firing()
            refused: list[str] = []
            for one in messages:
                outcome = await self._sent(one)
                if outcome.word == "failed":
                    return outcome
                if outcome.word == "refused":
                    refused.append(f"{one.id}: {outcome.detail}")
        if refused:
            return Outcome("refused", f"{len(refused)} of {len(messages)}, the first is {refused[0]}")
        return Outcome("delivered", f"{len(messages)} sent again")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()


def alert_of(message: Message, now: datetime, resend: timedelta) -> dict[str, Any]:
    """The message as Alertmanager takes it. Labels tell alerts apart, so that none of them changes while one fires."""
    body = message.body
    starts = _moment(body.get("since"), now)
    over = message.state == "resolved"
    ends = _moment(body.get("as_of"), now) if over else now + ENDURES * resend
    labels = {
        "alertname": str(body.get("indicator") or message.kind),
        "severity": message.severity,
        "alert_id": str(body.get("alert_id") or message.kind),
        **{name: str(body.get(name) or "") for name in _LABELS},
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},  # an empty label is one that is not there
        "annotations": {"title": message.title, "text": message.text},
        "startsAt": min(starts, ends).isoformat(),
        "endsAt": ends.isoformat(),
        **({"generatorURL": message.links[0].url} if message.links else {}),
    }


def _moment(value: Any, otherwise: datetime) -> datetime:
    if value is None or value == "":
        return otherwise
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
