"""What every channel is: it takes one message and says what became of it."""

from typing import Literal, NamedTuple, Protocol

from sinks.notify.envelope import Message

Word = Literal["delivered", "handed_over", "refused", "failed"]


class Outcome(NamedTuple):
    """What became of one attempt.

    `word` is delivered (the other side says that it took it), handed_over (another program took it, and nobody knows
    more), refused (the channel will never take it) or failed (try again); `detail` is what the channel answered,
    without secrets; `retry_after` is how many seconds the other side asks to be left alone."""

    word: Word
    detail: str
    retry_after: float = 0.0


class Channel(Protocol):
    """A way to reach people."""

    name: str

    async def send(self, message: Message) -> Outcome:
        """Delivers one message. Never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
