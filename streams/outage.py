"""Whether the pipeline itself is there: asked from outside of it, so that its silence is noticed.

The notifier is told of alerts by Kafka and knows what it has sent from ClickHouse; when one of them is away it can do
neither. So this watch runs beside it in a thread of its own, with channels of its own, and remembers in a file of the
home what is away and what it has told, so that a restart neither begins to wait anew nor tells anything twice.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from sinks.clickhouse.client import now
from sinks.notify.channel import Channel
from sinks.notify.message import outage

log: Final = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=60)
"""A restart of a part is no outage."""
PROBE_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 5.0

Probe = Callable[[], Awaitable[bool]]
"""Whether something answers; what it raises counts as no."""


def accepts(servers: Sequence[str]) -> Probe:
    """Whether any of these servers (`host:port`) takes connections."""

    async def probe() -> bool:
        for server in servers:
            host, _, port = server.rpartition(":")
            with suppress(OSError):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                writer.close()
                return True
        return False

    return probe


class Watched(NamedTuple):
    """What is known of one thing: since when it has been away, and whether people were told so."""

    since: datetime | None = None
    told: bool = False


class Telling(NamedTuple):
    """Something to say: what, since when it was away, and until when where it is back."""

    what: str
    since: datetime
    over: datetime | None


def watched(before: Watched, *, there: bool, what: str, at: datetime) -> tuple[Watched, Telling | None]:
    """What is known after one probe, and what there is to say. Pure."""
    if there:
        told = Telling(what, before.since, at) if before.told and before.since is not None else None
        return Watched(), told
    since = before.since or at
    if not before.told and at - since >= GRACE:
        return Watched(since, told=True), Telling(what, since, None)
    return Watched(since, before.told), None


class OutageWatch:
    """Asks again and again, and tells all channels.

    :param probes: by the name that people read.
    :param make_channels: channels of its own, as they belong to the loop that uses them.
    :param memory: the file that remembers."""

    def __init__(
        self, probes: Mapping[str, Probe], make_channels: Callable[[], Sequence[Channel]], memory: Path
    ) -> None:
        self._probes = probes
        self._make_channels = make_channels
        self._memory = memory
        self._known = _read(memory)

    def start(self) -> None:
        """Runs in a thread until the process ends."""
        threading.Thread(target=lambda: asyncio.run(self.run()), name="outages", daemon=True).start()

    async def run(self) -> None:
        """Probes for ever."""
        channels = self._make_channels()
        tellings: set[asyncio.Task[None]] = set()
        while True:
            for what, probe in self._probes.items():
                before = self._known.get(what, Watched())
                self._known[what], telling = watched(before, there=await _answers(probe), what=what, at=now())
                if self._known[what].since != before.since and telling is None:
                    _write(self._memory, self._known)
                if telling is not None:
                    log.warning("%s %s", what, "does not answer" if telling.over is None else "answers again")
                    task = asyncio.create_task(self._tell_all(channels, telling))
                    tellings.add(task)
                    task.add_done_callback(tellings.discard)
            await asyncio.sleep(PROBE_SECONDS)

    async def _tell_all(self, channels: Sequence[Channel], telling: Telling) -> None:
        """Told is only what all channels have settled: a process that dies before tells again, under the same id."""
        await asyncio.gather(*(_tell(channel, telling) for channel in channels))
        _write(self._memory, self._known)


async def _answers(probe: Probe) -> bool:
    try:
        return await asyncio.wait_for(probe(), TIMEOUT_SECONDS)
    except Exception as error:  # whatever it is, it does not answer
        log.debug("%s: %s", type(error).__name__, error)
        return False


async def _tell(channel: Channel, telling: Telling) -> None:
    message = outage(*telling)
    delay = 1.0
    while (outcome := await channel.send(message)).word == "failed":
        pause = max(delay, outcome.retry_after)
        log.warning("channel %s: %s; tried again in %.0f s", channel.name, outcome.detail, pause)
        await asyncio.sleep(pause)
        delay = min(2 * delay, 60.0)


def _read(memory: Path) -> dict[str, Watched]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        return {
            what: Watched(datetime.fromisoformat(one["since"]).astimezone(UTC), bool(one["told"]))
            for what, one in orjson.loads(memory.read_bytes()).items()
        }
    return {}


def _write(memory: Path, known: Mapping[str, Watched]) -> None:
    away = {what: {"since": one.since.isoformat(), "told": one.told} for what, one in known.items() if one.since}
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_bytes(orjson.dumps(away))
    except OSError as error:
        log.warning("%s cannot be written (%s): after a restart an outage may be told twice", memory, error.strerror)
