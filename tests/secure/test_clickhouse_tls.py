"""ClickHouse behind TLS: who is trusted, what is said otherwise, and certificates of clients."""

import asyncio
import ssl
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.commands.watch import clickhouse_answers
from pipeline.settings import Settings
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Fault, Store, brief, connect, fault
from sinks.tls import SYSTEM_AUTHORITIES, TlsFiles
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server
from tests.secure.certificates import HOST, Certificates
from tests.secure.tls_endpoint import TlsEndpoint


def at(endpoint: TlsEndpoint, files: TlsFiles, host: str = HOST, password: str = WRITER_PASSWORD) -> Address:
    return Address(host, endpoint.port, "writer", password, True, files)


def answer(address: Address) -> str:
    """Of both clients, which have to agree."""

    async def asked() -> str:
        async with asyncio.timeout(60):
            store = await Store.open(address)
            ((version,),) = await store.rows("SELECT version()")
            await store.close()
        return str(version)

    client = connect(address, None)
    client.command("CREATE DATABASE IF NOT EXISTS yangguang")
    version = client.query("SELECT version()").result_rows[0][0]
    client.close()
    assert asyncio.run(asked()) == version
    return str(version)


def refusals(address: Address) -> list[tuple[Fault, str]]:
    """What both clients say; the one that waits for ClickHouse does not wait for this."""

    async def asked() -> None:
        async with asyncio.timeout(60):
            await Store.open(address)

    found = []
    for attempt in (lambda: connect(address, None), lambda: asyncio.run(asked())):
        with pytest.raises(ClickHouseError) as caught:
            attempt()
        found.append((fault(caught.value), brief(caught.value)))
    return found


def test_with_the_authority_of_its_certificate_clickhouse_is_trusted(
    clickhouse: TlsEndpoint, certificates: Certificates
) -> None:
    assert answer(at(clickhouse, certificates.trusting))


def test_without_it_the_refusal_names_the_reason_and_the_setting(clickhouse: TlsEndpoint, others: Certificates) -> None:
    for files in (SYSTEM_AUTHORITIES, others.trusting):
        for whose, said in refusals(at(clickhouse, files)):
            assert whose is Fault.OURS  # waiting for a certificate to become another would be for ever
            assert said.startswith("its certificate is not trusted: ")
            assert "see YANGGUANG_CLICKHOUSE_CA" in said


def test_the_name_in_the_certificate_is_the_one_that_was_called(
    clickhouse: TlsEndpoint, certificates: Certificates
) -> None:
    for whose, said in refusals(at(clickhouse, certificates.trusting, "127.0.0.1")):
        assert whose is Fault.OURS
        assert "certificate is not valid for '127.0.0.1'" in said


def test_a_certificate_of_ours_opens_a_connection_and_the_password_still_proves_the_user(
    mutual_clickhouse: TlsEndpoint, certificates: Certificates
) -> None:
    both = TlsFiles(certificates.ca, str(certificates.client_with_key))
    for files in (certificates.client, both):
        assert answer(at(mutual_clickhouse, files))
        for whose, said in refusals(at(mutual_clickhouse, files, password="wrong")):
            assert whose is Fault.OURS
            assert "AUTHENTICATION_FAILED" in said


def test_without_a_certificate_a_door_for_certificates_stays_shut(
    mutual_clickhouse: TlsEndpoint, certificates: Certificates, others: Certificates
) -> None:
    for files in (certificates.trusting, others.client._replace(ca=certificates.ca)):
        with pytest.raises(ClickHouseError):
            connect(at(mutual_clickhouse, files), None)


def test_tls_where_none_is_spoken_is_named(plain_clickhouse: Server, certificates: Certificates) -> None:
    with pytest.raises(ClickHouseError) as caught:
        connect(Address(HOST, plain_clickhouse.port, "writer", WRITER_PASSWORD, True, certificates.trusting), None)
    assert brief(caught.value).startswith("TLS fails: ")
    assert "see YANGGUANG_CLICKHOUSE" in brief(caught.value)


def test_the_watch_of_up_sees_a_clickhouse_behind_tls(clickhouse: TlsEndpoint, certificates: Certificates) -> None:
    url = f"https://{HOST}:{clickhouse.port}"
    assert clickhouse_answers(Settings(clickhouse=url, clickhouse_ca=Path(certificates.ca)))
    assert not clickhouse_answers(Settings(clickhouse=url))


def test_no_text_of_an_address_has_the_password(clickhouse: TlsEndpoint, certificates: Certificates) -> None:
    address = at(clickhouse, certificates.trusting)
    assert WRITER_PASSWORD not in f"{address} {address!r} {address.url}"
    assert address.url == f"https://localhost:{clickhouse.port}/"


def test_tls_of_a_client_always_checks_certificate_and_name(certificates: Certificates) -> None:
    for files in (SYSTEM_AUTHORITIES, certificates.trusting, certificates.client):
        context = files.context()
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    certificates: Certificates, tmp_path: Path
) -> None:
    key = tmp_path / "encrypted.key"
    key.write_bytes(certificates.encrypted_client_key("secret"))
    with pytest.raises(ssl.SSLError):
        certificates.client._replace(key=str(key)).context()
