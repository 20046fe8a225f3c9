"""What the outage watch remembers in a file over restarts: what is away and told, and what is not recorded yet."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from sinks.clickhouse.alerts import Attempted

log: Final = logging.getLogger(__name__)


class Watched(NamedTuple):
    """What is known of one thing: since when it has been away, and whether people were told so."""

    since: datetime | None = None
    told: bool = False
    begun: bool = False
    """A process that died was about to tell it: some may know."""


class OutageMemory:
    """The file; one that cannot be read is taken as empty. For one event loop.

    :ivar known: what is away, by its name; told is only what all channels have settled.
    :ivar unrecorded: attempts to tell that are not in ClickHouse yet, which may be what is away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.known: dict[str, Watched] = {}
        self.unrecorded: list[Attempted] = []
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            read = orjson.loads(path.read_bytes())
            self.known = {what: Watched(**{**one, "since": _time(one["since"])}) for what, one in read["away"].items()}
            self.unrecorded = [Attempted(**{**one, "at": _time(one["at"])}) for one in read["unrecorded"]]

    def knows(self, what: str, watched: Watched) -> None:
        """From now on this is known."""
        self.known[what] = watched
        self._write()

    def attempted(self, one: Attempted) -> None:
        """There is one more to be recorded."""
        self.unrecorded.append(one)
        self._write()

    def recorded(self, done: Sequence[Attempted]) -> None:
        """These are in ClickHouse: the first ones of `unrecorded`."""
        del self.unrecorded[: len(done)]
        self._write()

    def _write(self) -> None:
        """Where it fails it is logged, as people are to be told all the same."""
        away = {what: one._asdict() for what, one in self.known.items() if one.since}
        unrecorded = [one._asdict() for one in self.unrecorded]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_bytes(orjson.dumps({"away": away, "unrecorded": unrecorded}))
            new.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written (%s): an outage may be told twice", self._path, error.strerror)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
