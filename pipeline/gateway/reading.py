"""What the gateway reads from ClickHouse, as user analyst: quickly, or not at all."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.gateway.background import background, ended
from pipeline.gateway.problems import ProblemError, unavailable
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Fault, brief, fault
from sinks.clickhouse.raw import DATABASE

log: Final = logging.getLogger(__name__)

LATELY_SECONDS: Final = 10.0
"""An answer of ClickHouse so young counts for the present."""

_PROBE_SECONDS: Final = 2.0
_QUERY_SECONDS: Final = 10
_AT_ONCE: Final = 4
_SHARED_SECONDS: Final = 1.0
_ERRORS: Final = (ClickHouseError, OSError, aiohttp.ClientError, TimeoutError)


ALERT_FLAGS: Final = {
    "acknowledged": "acknowledged_by IS NOT NULL",
    "silenced": "silenced_until IS NOT NULL",
    "inhibited": f"inhibited_by IN (SELECT alert_id FROM {DATABASE}.alerts WHERE state = 'firing')",
}
"""What can be asked of an alert with yes or no, in SQL."""

Question = tuple[str, tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]
"""A view, the values of each filter, and conditions of our own."""


class Reader:
    """Reads views. ClickHouse may be away at any time: then the answer is 503, and the next request asks anew."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._answered = float("-inf")
        self._watch: asyncio.Task[None] | None = None
        self._asked: dict[Question, asyncio.Task[list[dict[str, Any]]]] = {}

    def start(self) -> None:
        """Begins to ask ClickHouse whether it is there, in the background."""
        self._watch = background(self._probe(), "asking ClickHouse whether it is there")

    async def stop(self) -> None:
        """Closes the connections."""
        if self._watch is not None:
            await ended(self._watch)
        if self._client is not None:
            with suppress(*_ERRORS):
                await self._client.close()

    @property
    def ready(self) -> bool:
        """Whether ClickHouse has answered lately."""
        return asyncio.get_running_loop().time() - self._answered < LATELY_SECONDS

    async def select(
        self, view: str, filters: Mapping[str, Sequence[str]], order: Sequence[str], flags: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """The rows of a view by the names of its columns, where each filter's column has one of its values.

        :param flags: conditions that have to hold too, from `flags_of`.

        Who asks the same within a second gets the same answer: any number of open dashboards are one query.
        Raises ProblemError (503) where ClickHouse is away, slow or not as it should be."""
        question = (view, tuple((name, tuple(values)) for name, values in filters.items()), tuple(flags))
        asked = self._asked.get(question)
        if asked is None:
            asked = self._asked[question] = asyncio.create_task(self._select(view, filters, order, flags))
            asked.add_done_callback(lambda _: self._forget_soon(question))
        return await asyncio.shield(asked)

    def _forget_soon(self, question: Question) -> None:
        asyncio.get_running_loop().call_later(_SHARED_SECONDS, self._asked.pop, question, None)

    async def _select(
        self, view: str, filters: Mapping[str, Sequence[str]], order: Sequence[str], flags: Sequence[str]
    ) -> list[dict[str, Any]]:
        conditions = [*(f"`{name}` IN {{{name}:Array(String)}}" for name in filters), *flags]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT * FROM {DATABASE}.{view}{where} ORDER BY {', '.join(f'`{one}`' for one in order)}"
        return await self.ask(view, sql, {name: list(values) for name, values in filters.items()})

    async def ask(self, view: str, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a statement of our own over a view, by the names of their columns. Raises ProblemError (503)."""
        try:
            async with asyncio.timeout(_QUERY_SECONDS), self._turns:
                result = await (await self._connected()).query(sql, parameters=parameters)
        except _ERRORS as error:
            if fault(error) is Fault.TRANSIENT:
                raise unavailable(f"ClickHouse does not answer ({brief(error)}): ask again") from None
            log.error("ClickHouse refuses to show %s (%s)", view, brief(error))
            raise unavailable(
                f"ClickHouse refuses to show {view} ({brief(error)}): run yangguang migrate, or grant the analyst"
            ) from None
        self._answered = asyncio.get_running_loop().time()
        return list(result.named_results())

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await clickhouse_connect.get_async_client(
                    **self._address.for_client(),
                    database=DATABASE,
                    compress="lz4",
                    autogenerate_session_id=False,
                    query_limit=0,
                    tz_mode="aware",
                    connect_timeout=2,
                    send_receive_timeout=_QUERY_SECONDS,
                )
            return self._client

    async def _probe(self) -> None:
        there: bool | None = None
        while True:
            try:
                async with asyncio.timeout(_QUERY_SECONDS):
                    await (await self._connected()).query("SELECT 1")
            except _ERRORS as error:
                if there is not False:
                    log.warning("ClickHouse at %s does not answer (%s)", self._address.url, brief(error))
                there = False
            else:
                self._answered = asyncio.get_running_loop().time()
                if not there:
                    log.info("ClickHouse at %s answers", self._address.url)
                there = True
            await asyncio.sleep(_PROBE_SECONDS)


def filters_of(query: Sequence[tuple[str, str]], allowed: Sequence[str]) -> dict[str, list[str]]:
    """Query parameters as filters; a parameter may be given more than once.

    Raises ProblemError (400) for a parameter that is not known, so that a typing error does not show everything."""
    found: dict[str, list[str]] = {}
    for name, value in query:
        if name not in allowed:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"there is no parameter {name[:40]}: use {', '.join(allowed)}")
        found.setdefault(name, []).append(value)
    return found


def flags_of(filters: dict[str, list[str]], flags: Mapping[str, str]) -> list[str]:
    """Takes what is asked with yes or no out of the filters: as conditions.

    Raises ProblemError (400) for any other answer."""
    conditions = []
    for name, condition in flags.items():
        wanted = set(filters.pop(name, ()))
        if wrong := sorted(wanted - {"true", "false"}):
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is {wrong[0][:40]!r}: write true or false")
        if len(wanted) == 1:
            conditions.append(condition if "true" in wanted else f"NOT ({condition})")
    return conditions
