"""Speaking to ClickHouse: one way to connect, one judgement of its errors, one way to wait for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TypeVar

import aiohttp
import clickhouse_connect
from clickhouse_connect.driver import options as driver_options
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, Error, OperationalError, StreamClosedError

from sinks.clickhouse.address import Address
from sinks.tls import distrust, tls_failure

log: Final = logging.getLogger(__name__)
Result = TypeVar("Result")

BACKOFF_FIRST_SECONDS: Final = 0.2
BACKOFF_MAX_SECONDS: Final = 5.0


class Fault(Enum):
    """Whose fault an error is, which says what to do about it."""

    TRANSIENT = "transient"
    """ClickHouse is away or overloaded: wait and send the same again."""
    DATA = "data"
    """Some row is at fault: find it and reject it."""
    OURS = "ours"
    """Unknown table, wrong password, bug: stop loudly, lose nothing."""


_TRANSIENT_CODES: Final = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE: the connection broke while we sent
        158,  # TOO_MANY_ROWS
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        999,  # KEEPER_EXCEPTION
    }
)
_DATA_CODES: Final = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
_NETWORK_ERRORS: Final = (OSError, asyncio.TimeoutError, aiohttp.ClientError, OperationalError, StreamClosedError)


def fault(error: BaseException) -> Fault:
    """Whose fault an error of the client is. An unknown error is ours: to retry it for ever would hide it, and to
    reject the data for it would lose them."""
    code = error.code if isinstance(error, Error) else None
    if code in _TRANSIENT_CODES:
        return Fault.TRANSIENT
    if code in _DATA_CODES:
        return Fault.DATA
    if code is not None or distrust(error) is not None:
        return Fault.OURS
    if isinstance(error, _NETWORK_ERRORS):
        return Fault.TRANSIENT
    if isinstance(error, DataError | OverflowError | UnicodeError | TypeError | ValueError):
        return Fault.DATA
    return Fault.OURS


_INSERT_SETTINGS: Final = {"max_partitions_per_insert_block": 0}
"""A block of orders of many months is unusual and not wrong."""

_OPTIONS: Final[dict[str, Any]] = {
    "compress": "lz4",
    "autogenerate_session_id": False,
    "native_codec": "rust",
    "query_limit": 0,
    "tz_mode": "aware",
    "connect_timeout": 5,
    "send_receive_timeout": 120,
}


# At the first insert the driver imports numpy and pandas where they are installed (0.45 s, 85 MB), only to see whether
# it was given one of their tables. It never is: every insert here is of lists.
for _library in ("np", "pd"):
    setattr(driver_options, _library, None)


def connect(address: Address, database: str | None = "yangguang") -> Client:
    """A client for one thread. Raises ClickHouseError where ClickHouse does not answer."""
    return clickhouse_connect.get_client(**address.for_client(), database=database, **_OPTIONS)


async def connect_async(address: Address) -> AsyncClient:
    """A client for the running event loop, with ClickHouse waited for."""

    async def attempt() -> AsyncClient:
        return await clickhouse_connect.get_async_client(**address.for_client(), database="yangguang", **_OPTIONS)

    return await patiently("connect", attempt)


async def patiently(what: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Repeats `attempt` while ClickHouse is away, with backoff and one log line a failure.

    Raises the error itself where it is the data's fault or ours."""
    delay = BACKOFF_FIRST_SECONDS
    while True:
        try:
            return await attempt()
        except (TimeoutError, ClickHouseError, OSError, aiohttp.ClientError) as error:
            if fault(error) is not Fault.TRANSIENT:
                raise
            log.warning("ClickHouse does not take %s (%s): the same is sent again in %.1f s", what, brief(error), delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, BACKOFF_MAX_SECONDS)


def brief(error: BaseException) -> str:
    """The first line of an error, without data: what a log may hold."""
    code = error.code if isinstance(error, Error) else None
    if code is not None:
        name = error.name if isinstance(error, Error) else None
        return f"code {code} {name or ''}".strip()
    if (reason := distrust(error)) is not None:
        return f"its certificate is not trusted: {reason}; see YANGGUANG_CLICKHOUSE_CA"
    if (reason := tls_failure(error)) is not None:
        return f"TLS fails: {reason}; see YANGGUANG_CLICKHOUSE and YANGGUANG_CLICKHOUSE_CERTIFICATE"
    return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else 'no message'}"


class Store:
    """The writer's door to the database for one event loop: queries that wait, inserts that are acknowledged."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @classmethod
    async def open(cls, address: Address) -> "Store":
        """Connects, waiting for ClickHouse where it is away."""
        return cls(await connect_async(address))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The result rows of a query; moments among the parameters are for placeholders of UTC."""
        bound = {name: _in_utc(value) for name, value in (parameters or {}).items()}
        result = await patiently("a query", lambda: self._client.query(sql, parameters=bound))
        return result.result_rows

    async def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        """Runs a statement that returns nothing."""
        await patiently("a statement", lambda: self._client.command(sql, parameters=parameters))

    async def insert(
        self, table: str, names: Sequence[str], types: Sequence[str], columns: Sequence[Sequence[Any]]
    ) -> None:
        """Writes one block and waits for its acknowledgement; while ClickHouse is away the same block is sent again.

        Raises the client's error where it is the data's fault or ours: see `fault`."""
        try:
            await patiently(
                f"a block for {table}",
                lambda: self._client.insert(
                    table,
                    columns,
                    column_names=names,
                    column_type_names=types,
                    column_oriented=True,
                    settings=_INSERT_SETTINGS,
                ),
            )
        except ClickHouseError as error:
            error.add_note(f"inserting into {table}")
            raise

    async def insert_rows(self, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Writes a few rows whose column types the server tells."""
        if rows:
            await patiently(f"rows for {table}", lambda: self._client.insert(table, rows, column_names=names))


def _in_utc(value: Any) -> Any:
    """A moment as text: the client would write it in the server's time zone, and without what is below a second."""
    return f"{utc(value):%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


def utc(moment: datetime) -> datetime:
    """A moment as ClickHouse gave it, aware and in UTC: what comes without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)
