"""Whether Kafka lets us in, and what to do where it does not, asked with one connection.

The client libraries repeat what never succeeds, a wrong password among it, until some timeout is over, and then tell of
the timeout only. So who starts asks here first, and who waits asks here why.
"""

import asyncio
import ssl
from typing import Final

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.errors import KafkaError as AsyncKafkaError
from aiokafka.protocol.metadata import MetadataRequest
from kafka.errors import KafkaError

from streams.kafka_address import KafkaAddress, NoAccessError

_ANSWER_SECONDS: Final = 5.0


class KafkaAccessError(NoAccessError, KafkaError):  # type: ignore[misc] # kafka-python has no types
    """The same for those that expect an error of the client library."""

    def __str__(self) -> str:
        return str(self.args[0])


class KafkaAwayError(KafkaAccessError):
    """It does not answer, which may pass."""


class KafkaRefusedError(KafkaAccessError):
    """It does not let us in, or we do not trust it: somebody has to change a setting."""


def require_access(address: KafkaAddress) -> None:
    """Returns if one of the servers lets us in. Not for a running event loop.

    Raises KafkaRefusedError where one refuses, else KafkaAwayError, after some seconds at most."""
    asyncio.run(require_access_async(address))


async def require_access_async(address: KafkaAddress) -> None:
    """The same, from asyncio."""
    found: KafkaAccessError = KafkaAwayError(f"YANGGUANG_KAFKA is {address}: name a server")
    try:
        hosts = collect_hosts(address.server_list)
    except ValueError:
        raise KafkaRefusedError(f"Kafka cannot be at {address}: give host:port, with commas between several") from None
    for host, port, _ in hosts:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await _ask(address, host, port)
        except (AsyncKafkaError, OSError, TimeoutError) as error:
            reason = _reason(address, f"Kafka at {host}:{port}", error)
            found = found if isinstance(found, KafkaRefusedError) else reason
        else:
            return
    raise found


async def connect(address: KafkaAddress, host: str, port: int) -> AIOKafkaConnection:
    """A connection to one server, logged in. Raises what aiokafka and TLS raise."""
    settings = address.for_aiokafka()
    del settings["bootstrap_servers"]
    return await create_conn(host, port, client_id="yangguang-access", **settings)


async def _ask(address: KafkaAddress, host: str, port: int) -> None:
    """Logs in and asks something, which is when a server that wants a user or a certificate closes the connection."""
    connection = await connect(address, host, port)
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def _reason(address: KafkaAddress, kafka: str, error: BaseException) -> KafkaAccessError:
    match error:
        case SaslAuthenticationFailed():
            return KafkaRefusedError(
                f"{kafka} refuses user {address.user} ({address.mechanism}): check YANGGUANG_KAFKA_USER and "
                "YANGGUANG_KAFKA_PASSWORD, and that the user has a password for that mechanism"
            )
        case UnsupportedSaslMechanismError():
            return KafkaRefusedError(
                f"{kafka} does not take {address.mechanism}: set YANGGUANG_KAFKA_SASL_MECHANISM to one that it has"
            )
        case IllegalSaslStateError():
            return KafkaRefusedError(f"{kafka} asks for no user on this port: set YANGGUANG_KAFKA_SECURITY")
        case ssl.SSLCertVerificationError():
            return KafkaRefusedError(
                f"{kafka} shows a certificate that is not trusted ({error.verify_message}): set YANGGUANG_KAFKA_CA to "
                "the file of its authority, and use a host name that the certificate has"
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return _closed(address, kafka)
        case ssl.SSLError():
            return KafkaRefusedError(f"TLS with {kafka} fails ({error.reason}): {_advice_on_tls(error)}")
        case ConnectionRefusedError():
            return KafkaAwayError(f"{kafka} does not answer (nothing listens): start it, or set YANGGUANG_KAFKA")
        case TimeoutError():
            return KafkaAwayError(
                f"{kafka} does not answer within {_ANSWER_SECONDS:.0f} s: start it, set YANGGUANG_KAFKA, or set "
                f"YANGGUANG_KAFKA_SECURITY to what it speaks instead of {address.protocol}"
            )
        case ConnectionError() | AsyncKafkaError():
            return _closed(address, kafka)
        case _:
            return KafkaAwayError(f"{kafka} does not answer ({error}): start it, or set YANGGUANG_KAFKA")


def _closed(address: KafkaAddress, kafka: str) -> KafkaAccessError:
    if not address.encrypted:
        wish = "it wants TLS or a user: see YANGGUANG_KAFKA_SECURITY"
    elif address.authenticated:
        wish = "it speaks something else than SASL_SSL on this port: see YANGGUANG_KAFKA_SECURITY"
    elif address.tls.certificate:
        wish = "it does not trust our certificate, or wants a user: see YANGGUANG_KAFKA_CERTIFICATE"
    else:
        wish = "it wants a certificate or a user: see YANGGUANG_KAFKA_CERTIFICATE and YANGGUANG_KAFKA_USER"
    return KafkaAwayError(
        f"{kafka} closes the connection ({address.protocol}): it is just starting or ending, or {wish}"
    )


def _advice_on_tls(error: ssl.SSLError) -> str:
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS on this port, so choose another or set YANGGUANG_KAFKA_SECURITY"
    return "check YANGGUANG_KAFKA_CERTIFICATE and YANGGUANG_KAFKA_KEY, and that it trusts them"
