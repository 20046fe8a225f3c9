"""What every channel is: it takes one message and says what became of it."""

from typing import Any, NamedTuple, Protocol


class Outcome(NamedTuple):
    """What became of one attempt. `word` is delivered, refused (the channel will never take it) or failed (try again);
    `detail` is what the channel answered, without secrets."""

    word: str
    detail: str


class Channel(Protocol):
    """A way to reach people."""

    name: str

    async def send(self, message: dict[str, Any]) -> Outcome:
        """Delivers one message (see `sinks.notify.message.compose`). Never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
