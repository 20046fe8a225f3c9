"""Whether the pipeline itself is there: asked from outside of it, so that its silence is noticed.

The notifier is told of alerts by Kafka and knows what it has sent from ClickHouse; when one of them is away it can do
neither. So this watch runs beside it in a thread of its own, with channels of its own, and remembers in a file of the
home what is away and what it has told, so that a restart neither begins to wait anew nor tells anything twice.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from sinks.clickhouse.alerts import Attempted
from sinks.clickhouse.client import brief, now
from sinks.notify.alertmanager import AlertmanagerChannel
from sinks.notify.channel import Channel, Outcome
from sinks.notify.envelope import Message
from sinks.notify.message import outage
from sinks.notify.words import Language
from streams.delivery import deliver
from streams.outage_memory import OutageMemory, Watched

log: Final = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=60)
"""A restart of a part is no outage."""
PROBE_SECONDS: Final = 5.0
RECORD_SECONDS: Final = 60.0
"""After so long what could not be recorded is tried again."""
TIMEOUT_SECONDS: Final = 5.0
"""A probe that has no end of its own by then is a no."""

Probe = Callable[[], Awaitable[bool]]
"""Whether something answers; what it raises counts as no."""
RecordAttempts = Callable[[Sequence[Attempted]], Awaitable[None]]
"""Returns when these are in ClickHouse, which it waits for."""


class Telling(NamedTuple):
    """Something to say: what, since when it was away, and until when where it is back."""

    what: str
    since: datetime
    over: datetime | None


def watched(
    before: Watched, *, there: bool, what: str, at: datetime, grace: timedelta = GRACE
) -> tuple[Watched, Telling | None]:
    """What is known after one probe, and what there is to say. Pure."""
    if there:
        known = before.told or before.begun
        return Watched(), Telling(what, before.since, at) if known and before.since is not None else None
    since = before.since or at
    if not before.told and at - since >= grace:
        return Watched(since, told=True), Telling(what, since, None)
    return before._replace(since=since), None


class OutageWatch:
    """Asks again and again, and tells all channels.

    :param probes: by the name that people read.
    :param make_channels: channels of its own, as they belong to the loop that uses them.
    :param memory: the file that remembers.
    :param record: writes down each attempt to tell.
    :param languages: of the channels by name; Chinese where none is named.
    :param grace: for how long something has to be away before it is told.
    :param every: seconds between two probes."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        make_channels: Callable[[], Sequence[Channel]],
        memory: Path,
        record: RecordAttempts,
        languages: Mapping[str, Language] = MappingProxyType({}),
        *,
        grace: timedelta = GRACE,
        every: float = PROBE_SECONDS,
    ) -> None:
        self._probes = probes
        self._make_channels = make_channels
        self._memory = OutageMemory(memory)
        self._known = dict(self._memory.known)
        self._record = record
        self._attempted = asyncio.Event()
        self._languages = languages
        self._grace = grace
        self._every = every
        self._turns: dict[str, asyncio.Lock] = {}
        """A channel gets one thing after the other, so that an end never comes before its begin."""

    def start(self) -> None:
        """Runs in a thread until the process ends."""
        threading.Thread(target=lambda: asyncio.run(self.run()), name="outages", daemon=True).start()

    async def run(self) -> None:
        """Probes for ever."""
        channels = self._make_channels()
        self._turns = {one.name: asyncio.Lock() for one in channels}
        tasks = {asyncio.create_task(self._resend(one)) for one in channels if isinstance(one, AlertmanagerChannel)}
        tasks.add(asyncio.create_task(self._record_all()))
        known = self._known
        while True:
            answers = await asyncio.gather(*(_answers(probe) for probe in self._probes.values()))
            for what, there in zip(self._probes, answers, strict=True):
                before = known.get(what, Watched())
                known[what], telling = watched(before, there=there, what=what, at=now(), grace=self._grace)
                if telling is None and known[what] != before:
                    self._memory.knows(what, known[what])
                if telling is not None:
                    log.warning("%s %s", what, "does not answer" if telling.over is None else "answers again")
                    task = asyncio.create_task(self._tell_all(channels, telling))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            await asyncio.sleep(self._every)

    async def _tell_all(self, channels: Sequence[Channel], telling: Telling) -> None:
        """Told is only what all channels have settled: a process that dies before tells again, under the same id."""
        what, since, over = telling
        if over is None:
            self._memory.knows(what, Watched(since, begun=True))
        await asyncio.gather(*(self._tell(one, telling) for one in channels))
        if over is None:
            self._memory.knows(what, Watched(since, told=True))
        elif self._memory.known[what].since == since:
            self._memory.knows(what, Watched())

    async def _tell(self, channel: Channel, telling: Telling) -> None:
        message = outage(*telling, language=self._languages.get(channel.name, "zh"))

        async def attempted(outcome: Outcome) -> None:
            self._memory.attempted(Attempted(message.id, channel.name, outcome.word, outcome.detail, now()))
            self._attempted.set()

        async with self._turns[channel.name]:
            await deliver(channel, message, attempted)

    async def _record_all(self) -> None:
        """Writes down what was attempted, for ever; what is not there yet at a crash is so after the restart."""
        while True:
            while not self._memory.unrecorded:
                self._attempted.clear()
                await self._attempted.wait()
            waiting = list(self._memory.unrecorded)
            try:
                await self._record(waiting)
            except Exception as error:  # whatever it is, people are told all the same
                log.warning("attempts to tell of an outage cannot be recorded (%s)", brief(error))
                await asyncio.sleep(RECORD_SECONDS)
            else:
                self._memory.recorded(waiting)

    async def _resend(self, channel: AlertmanagerChannel) -> None:
        """What is still away, for ever: Alertmanager takes it as over when it is not told again."""
        while True:
            await asyncio.sleep(channel.resend_every.total_seconds())
            async with self._turns[channel.name]:
                await channel.resend(partial(self._away, self._languages.get(channel.name, "zh")))

    async def _away(self, language: Language) -> list[Message]:
        return [
            outage(what, one.since, language=language)
            for what, one in self._known.items()
            if one.told and one.since is not None
        ]


async def _answers(probe: Probe) -> bool:
    try:
        return await asyncio.wait_for(probe(), TIMEOUT_SECONDS)
    except Exception as error:  # whatever it is, it does not answer
        log.debug("%s: %s", type(error).__name__, error)
        return False
