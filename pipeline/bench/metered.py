"""A store that counts what it asks for, and a meter: what a stage costs in its own process and in ClickHouse."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psutil

from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store, connect_async, patiently


class Cost(NamedTuple):
    """What something took: `milliseconds` by the wall, rows that ClickHouse read, statements, and CPU seconds."""

    milliseconds: float
    rows_read: int
    statements: int
    own_cpu: float
    clickhouse_cpu: float


class MeteredStore(Store):
    """The writer's door, with a meter on it."""

    rows_read = 0
    statements = 0

    @classmethod
    async def open(cls, address: Address) -> "MeteredStore":
        """Connects, waiting for ClickHouse where it is away."""
        return cls(await connect_async(address))

    def _count(self, summary: Any) -> None:
        self.statements += 1
        self.rows_read += int((summary or {}).get("read_rows", 0))

    async def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The result rows of a query."""
        result = await patiently("a query", lambda: self._client.query(sql, parameters=parameters))
        self._count(result.summary)
        return result.result_rows

    async def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        """Runs a statement that returns nothing."""
        result = await patiently("a statement", lambda: self._client.command(sql, parameters=parameters))
        self._count(getattr(result, "summary", None))


class Meter:
    """Measures spans of work through a metered store.

    :param clickhouse_pid: ClickHouse's process."""

    def __init__(self, store: MeteredStore, clickhouse_pid: int) -> None:
        self._store = store
        self._clickhouse = psutil.Process(clickhouse_pid)
        self._begun = self._now()

    def _now(self) -> tuple[float, int, int, float, float]:
        used = self._clickhouse.cpu_times()
        return (
            time.perf_counter(),
            self._store.rows_read,
            self._store.statements,
            time.process_time(),
            used.user + used.system,
        )

    def start(self) -> None:
        """Begins a span."""
        self._begun = self._now()

    def stop(self) -> Cost:
        """Ends it, and says what it took."""
        ended = self._now()
        passed = [after - before for before, after in zip(self._begun, ended, strict=True)]
        return Cost(passed[0] * 1000, int(passed[1]), int(passed[2]), passed[3], passed[4])
