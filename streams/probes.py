"""What the outage watch asks Kafka and ClickHouse: something that only one that works can answer.

A process that hangs still has its connections taken by the kernel, so that to connect proves nothing. Each probe keeps
its connection, as a new one means TLS and a login every few seconds, and drops it when no answer has come.
"""

import asyncio
import logging
import time
from datetime import timedelta
from typing import Final

import aiohttp
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.protocol.metadata import MetadataRequest

from sinks.clickhouse.address import Address
from sinks.clickhouse.duty import LATELY, judging_since
from streams.kafka_access import connect
from streams.kafka_address import KafkaAddress

log: Final = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 3.0
"""Both answer this in milliseconds; so long is given to a machine under load."""


class KafkaProbe:
    """Whether any of the servers lets us in and tells of the cluster. For one event loop."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._kept: dict[tuple[str, int], AIOKafkaConnection] = {}

    async def __call__(self) -> bool:
        """Asks all servers at once: one that hangs does not use up the time of the others."""
        hosts = collect_hosts(self._address.server_list)
        return any(await asyncio.gather(*(self._answers(host, port) for host, port, _ in hosts)))

    async def _answers(self, host: str, port: int) -> bool:
        connection = self._kept.pop((host, port), None)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if connection is None or not connection.connected():
                    connection = await connect(self._address, host, port)
                await connection.send(MetadataRequest([]))
        except Exception as error:  # whatever it is, this server does not answer
            log.debug("Kafka at %s:%d: %s: %s", host, port, type(error).__name__, error)
            return False
        else:
            self._kept[host, port] = connection
            return True
        finally:
            if connection is not None and (host, port) not in self._kept:
                connection.close()

    async def close(self) -> None:
        """Closes the connections."""
        while self._kept:
            self._kept.popitem()[1].close()


class ClickHouseProbe:
    """Whether ClickHouse answers a query of the user who writes. For one event loop."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self) -> bool:
        """Asks for the number 1, which needs no table. Raises what aiohttp and TLS raise."""
        return await self._asked("SELECT 1") == "1"

    async def _asked(self, query: str) -> str:
        """The answer; empty where the query is refused."""
        if self._session is None:
            self._session = self._opened()
        async with self._session.get(self._address.url, params={"query": query}) as answer:
            return (await answer.text()).strip() if answer.status == 200 else ""

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        address = self._address
        return aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(address.user, address.password)},
            connector=aiohttp.TCPConnector(ssl=address.tls.context() if address.secure else True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )


class JudgingProbe(ClickHouseProbe):
    """Whether somebody judges alerts, by what was recorded lately. Where nobody ever has, nobody is missed; and while
    ClickHouse does not answer, and for a while after, it is not known: ClickHouse has a probe of its own.

    :param lately: how long nothing may be recorded."""

    def __init__(self, address: Address, lately: timedelta = LATELY) -> None:
        super().__init__(address)
        self._lately = lately
        self._since: float | None = None
        """Since when ClickHouse has answered; seconds of a clock that never goes back."""

    async def __call__(self) -> bool:
        """Asks for the minutes that are closed by whoever judges, at each minute of the machine."""
        try:
            answer = await self._asked(judging_since(f"now64(6) - {self._lately.total_seconds()}"))
        except Exception as error:  # whatever it is, it says nothing of who judges
            log.debug("ClickHouse at %s: %s: %s", self._address, type(error).__name__, error)
            answer = ""
        if not answer:
            self._since = None
            return True
        if self._since is None:
            self._since = time.monotonic()
        ever, lately = (one != "0" for one in answer.split())
        return lately or not ever or time.monotonic() - self._since < self._lately.total_seconds()
