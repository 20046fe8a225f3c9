"""The engine side of the embedded ClickHouse: chDB in this process, one handle a request.

A handle is a session: settings, current database and role stick to it. So a request gets a handle that is new or was
left in exactly the state that it asks for, and statements that would change that state are refused; nothing can leak
from one client to the next. One more handle stays open to keep the engine alive. What a session may do is the engine's
own access control: a role granted in `clickhouse_config.py`, chosen before the query.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.embedded.clickhouse_config import analyst_limits, write_config
from pipeline.embedded.clickhouse_errors import BAD_ARGUMENTS, ClickHouseError
from pipeline.embedded.clickhouse_session import DATABASE, Progress, Session, quote

# Handles are kept open for the next request in the same state (user, database, settings): opening one takes 0.4 ms
# for the writer and 1 ms for the analyst, and an idle one holds 100 kB.
HANDLES_PER_STATE = 8
STATES = 32
_State = tuple[str, str, tuple[tuple[str, str], ...]]


class Engine:
    """chDB on one data directory. One a process, one process a directory."""

    def __init__(self, data: Path, memory_bytes: int, processors: int) -> None:
        """Open the directory, creating it and the database `yangguang` when they are missing."""
        store = data / "store"
        store.mkdir(parents=True, exist_ok=True)
        os.environ["TZ"] = "UTC"
        # chDB takes a config.xml of the current directory for its own, at import already.
        os.chdir(store)
        from chdb import _chdb  # noqa: PLC0415  # the import starts an engine: only after chdir, only in this process

        if "?" in str(store) or "&" in str(store):
            raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"the data directory {data} must not contain ? or &")
        self._limits = analyst_limits(memory_bytes, processors)
        self._pool: OrderedDict[_State, list[Session]] = OrderedDict()
        self._pool_lock = threading.Lock()
        self._numbers = count()
        self._closed = False
        self._connect: Any = _chdb.connect  # type: ignore[attr-defined]  # a member of the extension without a stub
        self._path = str(store)
        in_memory = self._connect()
        known = bytes(in_memory.query("SELECT name FROM system.settings", "TabSeparated").bytes()).decode().split()
        in_memory.close()
        config = write_config(data, memory_bytes, processors, known)
        try:
            self._keeper: Any = self._connect(f"{self._path}?config-file={config}")
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None
        with self.session() as session:
            session.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            version, timezone = session.execute("SELECT version(), timezone()").decode().rstrip("\n").split("\t")
        self.version = version
        self.timezone = timezone
        self._purge_lock = threading.Lock()

    @contextmanager
    def session(
        self, user: str = "", database: str = "", settings: Mapping[str, str] | None = None
    ) -> Iterator[Session]:
        """A handle in that state (no user: the engine's owner), kept for the next request that wants the same state.

        A handle on which anything failed or was cut short is thrown away: settings of a failed statement may stick.
        """
        key = (user, database, tuple(sorted((settings or {}).items())))
        with self._pool_lock:
            waiting = self._pool.get(key)
            session = waiting.pop() if waiting else None
        if session is None:
            session = self._open(user, database, settings or {})
        try:
            yield session
        except BaseException:
            session.close()
            raise
        if session.spoilt or not self._keep(key, session):
            session.close()

    def _open(self, user: str, database: str, settings: Mapping[str, str]) -> Session:
        try:
            session = Session(self._connect(self._path), self._limits, f"handle-{next(self._numbers)}")
        except RuntimeError as error:
            raise ClickHouseError.from_engine(str(error)) from None
        try:
            if user:
                session.begin(user, database, settings)
        except BaseException:
            session.close()
            raise
        return session

    def _keep(self, key: _State, session: Session) -> bool:
        dropped: list[Session] = []
        with self._pool_lock:
            if self._closed:
                return False
            waiting = self._pool.setdefault(key, [])
            self._pool.move_to_end(key)
            if len(waiting) >= HANDLES_PER_STATE:
                return False
            session.progress = Progress()
            waiting.append(session)
            while len(self._pool) > STATES:
                dropped += self._pool.popitem(last=False)[1]
        for old in dropped:
            old.close()
        return True

    def kill(self, session: Session) -> None:
        """Stop the query that runs in another thread's session; it fails there with code 394."""
        with self.session() as own:
            own.execute(f"KILL QUERY WHERE Settings['log_comment'] = {quote(session.tag)} ASYNC")

    def purge(self) -> None:
        """Give memory that the allocator keeps after heavy queries back to the operating system."""
        with self._purge_lock, self.session() as session:
            session.execute("SYSTEM JEMALLOC PURGE")

    def close(self) -> None:
        """Close the engine; call it when no session is open."""
        with self._pool_lock:
            self._closed = True
            waiting = [session for sessions in self._pool.values() for session in sessions]
            self._pool.clear()
        for session in waiting:
            session.close()
        self._keeper.close()
