"""ClickHouse's errors are sorted in three: wait and repeat, find the row at fault, or stop."""

import aiohttp
import pytest
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    DataError,
    InternalError,
    OperationalError,
    ProgrammingError,
    StreamClosedError,
)

from sinks.clickhouse.client import Fault, brief, fault

TRANSIENT = {
    "TIMEOUT_EXCEEDED": 159, "TOO_MANY_SIMULTANEOUS_QUERIES": 202, "NO_FREE_CONNECTION": 203, "SOCKET_TIMEOUT": 209,
    "NETWORK_ERROR": 210, "MEMORY_LIMIT_EXCEEDED": 241, "TABLE_IS_READ_ONLY": 242, "NOT_ENOUGH_SPACE": 243,
    "TOO_MANY_PARTS": 252, "TOO_FEW_LIVE_REPLICAS": 285, "UNKNOWN_STATUS_OF_INSERT": 319, "KEEPER_EXCEPTION": 999,
}  # fmt: skip
DATA = {
    "CANNOT_PARSE_TEXT": 6, "CANNOT_PARSE_DATETIME": 41, "TYPE_MISMATCH": 53, "ARGUMENT_OUT_OF_BOUND": 69,
    "INCORRECT_DATA": 117, "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE": 321, "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN": 349,
    "VIOLATED_CONSTRAINT": 469,
}  # fmt: skip
OURS = {
    "NO_SUCH_COLUMN_IN_TABLE": 16, "NUMBER_OF_COLUMNS_DOESNT_MATCH": 20, "BAD_ARGUMENTS": 36,
    "UNKNOWN_IDENTIFIER": 47, "NOT_IMPLEMENTED": 48, "LOGICAL_ERROR": 49, "UNKNOWN_TYPE": 50, "UNKNOWN_TABLE": 60,
    "SYNTAX_ERROR": 62, "UNKNOWN_DATABASE": 81, "READONLY": 164, "UNKNOWN_USER": 192, "WRONG_PASSWORD": 193,
    "REQUIRED_PASSWORD": 194, "ACCESS_DENIED": 497, "AUTHENTICATION_FAILED": 516, "never heard of": 987_654,
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, Fault.TRANSIENT) for code in TRANSIENT.values()),
        *((code, Fault.DATA) for code in DATA.values()),
        *((code, Fault.OURS) for code in OURS.values()),
    ],
)
def test_an_error_of_the_server_is_sorted_by_its_code_whatever_class_the_driver_gives_it(
    code: int, expected: Fault
) -> None:
    for kind in (DatabaseError, OperationalError, DataError, InternalError, ProgrammingError):
        assert fault(kind("refused", code=code)) is expected


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        ConnectionResetError("reset"),
        BrokenPipeError("broken"),
        TimeoutError("late"),
        TimeoutError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("cut off"),
        OperationalError("no answer"),
        StreamClosedError(),  # type: ignore[no-untyped-call]  # the driver's
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_fails_is_transient(error: BaseException) -> None:
    assert fault(error) is Fault.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [DataError("cannot encode"), OverflowError("too big"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate")],
    ids=lambda error: type(error).__name__,
)
def test_a_value_that_the_driver_cannot_encode_is_the_datas_fault(error: BaseException) -> None:
    assert fault(error) is Fault.DATA


@pytest.mark.parametrize(
    "error",
    [
        ProgrammingError("wrong call"),
        InternalError("a fault of the driver"),
        ClickHouseError("unclear"),
        DatabaseError("an error without a code"),
        AttributeError("a bug"),
        KeyError("a bug"),
        RuntimeError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_known_is_ours_so_that_nothing_is_lost_or_repeated_for_ever(error: BaseException) -> None:
    assert fault(error) is Fault.OURS


def test_of_an_error_of_the_server_only_code_and_name_are_logged() -> None:
    text = brief(DatabaseError("Cannot parse '张三' as Int32", code=6, name="CANNOT_PARSE_TEXT"))
    assert text == "code 6 CANNOT_PARSE_TEXT"
    assert brief(ConnectionRefusedError("first line\nsecond")) == "ConnectionRefusedError: first line"
