"""The Feishu channel (飞书): a group robot that takes cards, signed in the body.

Limits (Feishu, "custom bot"): 100 messages a minute and 5 a second, 20 KB a message; congested at full and half
hours."""

import base64
import hashlib
import hmac
import time
from typing import Any, Final

import orjson
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

from sinks.notify.channel import Outcome
from sinks.notify.chat import Codes, Robot, actions, fitted, headline, paragraphs
from sinks.notify.envelope import Message

BYTES_MOST: Final = 20_000
RATES: Final = (RateLimitItemPerMinute(100), RateLimitItemPerSecond(5))
_SIGNATURE_BYTES: Final = 200
"""Room for `timestamp` and `sign`, which come last."""

CODES: Final = Codes(
    keys=("code", "StatusCode"),  # the second is that of older answers
    text=("msg", "StatusMessage"),
    refused=frozenset({19001, 19021, 19022, 19024, 19002, 10002}),  # address, sign, network, keyword, shape
    waits={11232: 10.0, 9499: 10.0},
)

_COLOURS: Final = {"critical": "red", "warning": "orange", "info": "blue"}


class FeishuChannel:
    """A Feishu group robot."""

    def __init__(self, name: str, url: str, secret: str = "") -> None:
        self.name = name
        self._secret = secret
        self._robot = Robot(url, CODES, RATES, [secret])

    async def send(self, message: Message) -> Outcome:
        """Sends one card; Feishu knows no idempotency, so a repeat is shown twice."""
        signed = signature(self._secret, time.time()) if self._secret else {}
        return await self._robot.post({**signed, **payload(message)})

    async def close(self) -> None:
        """Closes the connections."""
        await self._robot.close()


def signature(secret: str, now: float) -> dict[str, str]:
    """The fields that prove who sends: HMAC-SHA256 of nothing under the key of seconds and secret.

    :param now: Unix seconds."""
    moment = str(int(now))
    digest = hmac.new(f"{moment}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": moment, "sign": base64.b64encode(digest).decode()}


def payload(message: Message) -> dict[str, Any]:
    """The message as a card; what is cut is the text, never the links."""
    colour = "green" if message.state == "resolved" else _COLOURS[message.severity]

    def made(text: str) -> dict[str, Any]:
        shown = [one for one in (text, actions(message)) if one]
        return {
            "msg_type": "interactive",
            "card": {
                "config": {"wide_screen_mode": True},
                "header": {"template": colour, "title": {"tag": "plain_text", "content": headline(message)}},
                "elements": [{"tag": "markdown", "content": one} for one in shown],
            },
        }

    most = BYTES_MOST - _SIGNATURE_BYTES
    return made(fitted(paragraphs(message), most, lambda text: len(orjson.dumps(made(text)))))
