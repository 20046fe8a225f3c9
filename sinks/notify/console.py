"""The console channel: one line of text on the notifier's output, which always works."""

import sys
from typing import Any

from sinks.notify.channel import Outcome


class ConsoleChannel:
    """Writes each message as one line."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: dict[str, Any]) -> Outcome:
        """Writes the Chinese text."""
        print(f"[{message['to_state']}] {message['text']}", file=sys.__stdout__, flush=True)
        return Outcome("delivered", "written")

    async def close(self) -> None:
        """Nothing is open."""
