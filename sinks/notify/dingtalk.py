"""The DingTalk channel: a group robot that takes Markdown, signed in the query.

Limits (DingTalk, "custom robot"): 20 messages a minute, then blocked for 10 minutes; 20 KB a message."""

import base64
import hashlib
import hmac
import time
from typing import Any, Final

import orjson

from sinks.notify.channel import Outcome
from sinks.notify.chat import Codes, Robot, a_minute, actions, fitted, headline, paragraphs
from sinks.notify.envelope import Message

BYTES_MOST: Final = 20_000
PER_MINUTE: Final = 20
BLOCKED_SECONDS: Final = 600.0

CODES: Final = Codes(
    keys=("errcode",),
    text=("errmsg",),
    # sign, keyword or address; robot, group or token gone; shape or content that is not allowed
    refused=frozenset(
        {310000, 300001, 300005, 40035, 43004, 400013, 400101, 400102, 400105, 400106, 430101, 430102, 430103, 430104}
    ),
    waits={130101: BLOCKED_SECONDS, 410100: 60.0},
)


class DingTalkChannel:
    """A DingTalk group robot."""

    def __init__(self, name: str, url: str, secret: str = "") -> None:
        self.name = name
        self._secret = secret
        self._robot = Robot(url, CODES, [a_minute(PER_MINUTE)], [secret])

    async def send(self, message: Message) -> Outcome:
        """Sends one Markdown message; DingTalk knows no idempotency, so a repeat is shown twice."""
        return await self._robot.post(payload(message), signature(self._secret, time.time()) if self._secret else None)

    async def close(self) -> None:
        """Closes the connections."""
        await self._robot.close()


def signature(secret: str, now: float) -> dict[str, str]:
    """The query that proves who sends: HMAC-SHA256 under the secret over milliseconds and secret.

    :param now: Unix seconds."""
    moment = str(round(now * 1000))
    digest = hmac.new(secret.encode(), f"{moment}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": moment, "sign": base64.b64encode(digest).decode()}


def payload(message: Message) -> dict[str, Any]:
    """The message as DingTalk takes it, at most 20 KB as it is sent; what is cut is the text, never the links."""

    def made(text: str) -> dict[str, Any]:
        parts = [f"#### {headline(message)}", text, actions(message)]
        return {
            "msgtype": "markdown",
            "markdown": {"title": headline(message), "text": "\n\n".join(one for one in parts if one)},
        }

    return made(fitted(paragraphs(message), BYTES_MOST, lambda text: len(orjson.dumps(made(text)))))
