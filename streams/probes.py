"""What the outage watch asks Kafka and ClickHouse: something that only one that works can answer.

A process that hangs still has its connections taken by the kernel, so that to connect proves nothing. Each probe keeps
its connection, as a new one means TLS and a login every few seconds, and drops it when no answer has come.
"""

import asyncio
import logging
from typing import Final

import aiohttp
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.protocol.metadata import MetadataRequest

from sinks.clickhouse.address import Address
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
        if self._session is None:
            self._session = self._opened()
        async with self._session.get(self._address.url, params={"query": "SELECT 1"}) as answer:
            return answer.status == 200 and (await answer.read()).strip() == b"1"

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
