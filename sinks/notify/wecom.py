"""The WeCom channel (企业微信): a group robot that takes Markdown, and the trend as a picture of its own.

Limits (WeCom, "group robot"): 20 messages a minute, Markdown of 4096 bytes."""

import base64
import hashlib
from typing import Any, Final

from sinks.notify.channel import Outcome
from sinks.notify.chat import Codes, Robot, a_minute, actions, fitted, headline, paragraphs
from sinks.notify.envelope import Message

BYTES_MOST: Final = 4096
PER_MINUTE: Final = 20

CODES: Final = Codes(
    keys=("errcode",),
    text=("errmsg",),
    refused=frozenset({93000, 93004, 93008, 40008, 40058, 44004}),  # robot gone or not for us; shape not known
    waits={45009: 60.0},
)


class WeComChannel:
    """A WeCom group robot; its address is its secret."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._robot = Robot(url, CODES, [a_minute(PER_MINUTE)], [])

    async def send(self, message: Message) -> Outcome:
        """Sends the message, then its picture; a picture that is not taken changes nothing about the message."""
        outcome = await self._robot.post(payload(message))
        if outcome.word == "delivered" and message.picture:
            shown = await self._robot.post(picture(message.picture))
            if shown.word != "delivered":
                return outcome._replace(detail=f"{outcome.detail}; without its picture: {shown.detail}")
        return outcome

    async def close(self) -> None:
        """Closes the connections."""
        await self._robot.close()


def payload(message: Message) -> dict[str, Any]:
    """The message as WeCom takes it; what is cut is the text, never the links."""

    def made(text: str) -> str:
        parts = [f"**{headline(message)}**", text, actions(message)]
        return "\n\n".join(one for one in parts if one)

    text = fitted(paragraphs(message), BYTES_MOST, lambda text: len(made(text).encode()))
    return {"msgtype": "markdown", "markdown": {"content": made(text)}}


def picture(png: bytes) -> dict[str, Any]:
    """A picture as WeCom takes it."""
    digest = hashlib.md5(png, usedforsecurity=False).hexdigest()  # WeCom asks for MD5 as a checksum
    return {"msgtype": "image", "image": {"base64": base64.b64encode(png).decode(), "md5": digest}}
