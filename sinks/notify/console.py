"""The console channel: one line of text on the notifier's output, which always works."""

import sys

from sinks.notify.channel import Outcome
from sinks.notify.envelope import Message


class ConsoleChannel:
    """Writes each message as one line."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: Message) -> Outcome:
        """Writes the text."""
        print(f"[{message.state}] {' '.join(message.text.split())}", file=sys.__stdout__, flush=True)
        return Outcome("delivered", "written")

    async def close(self) -> None:
        """Nothing is open."""
