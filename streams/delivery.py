"""One message to one channel, sent again until the channel has taken or refused it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sinks.notify.channel import Channel, Outcome
from sinks.notify.envelope import Message

log: Final = logging.getLogger(__name__)

RETRY_FIRST_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 24 * 3600.0


async def deliver(
    channel: Channel, message: Message, attempted: Callable[[Outcome], Awaitable[None]] | None = None
) -> Outcome:
    """What became of it in the end; `failed` where it was given up after a day. Never raises for what a channel does.

    :param attempted: awaited after each attempt with what became of that."""
    delay, waited = RETRY_FIRST_SECONDS, 0.0
    while True:
        outcome = await _sent(channel, message)
        if attempted is not None:
            await attempted(outcome)
        if outcome.word != "failed" or waited > GIVE_UP_SECONDS:
            if outcome.word in ("failed", "refused"):
                log.error("channel %s does not take %s: %s", channel.name, message.id, outcome.detail)
            return outcome
        pause = max(delay, outcome.retry_after)
        log.warning("channel %s: %s; tried again in %.0f s", channel.name, outcome.detail, pause)
        await asyncio.sleep(pause)
        waited += pause
        delay = min(delay * 2, RETRY_MAX_SECONDS)


async def _sent(channel: Channel, message: Message) -> Outcome:
    try:
        return await channel.send(message)
    except Exception as error:  # a fault of ours in one channel must not end the others
        log.exception("channel %s", channel.name)
        return Outcome("failed", f"{type(error).__name__} in channel {channel.name}")
