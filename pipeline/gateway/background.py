"""Work that goes on beside the requests, and does not end in silence."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

log: Final = logging.getLogger(__name__)


def background(work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
    """Starts the work. A failure of it is a fault of the program: it is logged at once, as nobody waits for it."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("%s has failed and does not go on: restart the gateway", what, exc_info=error)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


async def ended(task: asyncio.Task[None]) -> None:
    """Ends the work and returns when it has."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
