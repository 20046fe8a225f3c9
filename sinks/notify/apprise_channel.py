"""The Apprise channel: any of the services that the library Apprise knows. What it calls success is not always that of
the service, so a message is handed over and never delivered."""

import logging
from typing import Final

import apprise

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message

TYPES: Final = {"critical": "failure", "warning": "warning", "info": "info"}


class AppriseChannel:
    """One address of Apprise, which has the service's secrets in it."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would quote addresses
        self._apprise = apprise.Apprise()
        self._known = bool(self._apprise.add(url))

    async def send(self, message: Message) -> Outcome:
        """Hands the message over."""
        if not self._known:
            return Outcome("refused", "Apprise does not know such an address")
        text = "\n".join(
            (
                *([f"{one.label}：{one.value}" for one in message.lines] or [message.text]),
                *(f"{one.label}：{one.url}" for one in message.links),
            )
        )
        kind = "success" if message.state == "resolved" else TYPES[message.severity]
        try:
            taken = await self._apprise.async_notify(body=text, title=message.title, notify_type=kind)
        except Exception as error:  # a plugin may raise anything, with its address in the text
            return Outcome("failed", f"{type(error).__name__} in Apprise")
        return Outcome("handed_over", "Apprise took it") if taken else Outcome("failed", "Apprise could not send it")

    async def close(self) -> None:
        """Nothing stays open."""
