"""One Kafka and one ClickHouse behind TLS for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.pipeline.embedded_clickhouse import Server
from tests.secure.broker import SecureBroker
from tests.secure.certificates import Certificates
from tests.secure.tls_endpoint import TlsEndpoint


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="package")
def others(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of an authority that nobody trusts."""
    return Certificates(tmp_path_factory.mktemp("tls") / "others")


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[SecureBroker]:
    running = SecureBroker(tmp_path_factory.mktemp("kafka") / "home", certificates)
    yield running
    running.kill()


@pytest.fixture(scope="package")
def plain_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    yield server
    server.kill()


@pytest.fixture(scope="package")
def clickhouse(plain_clickhouse: Server, certificates: Certificates) -> Iterator[TlsEndpoint]:
    """ClickHouse where only TLS is spoken."""
    endpoint = TlsEndpoint(plain_clickhouse.port, certificates.server)
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="package")
def mutual_clickhouse(plain_clickhouse: Server, certificates: Certificates) -> Iterator[TlsEndpoint]:
    """ClickHouse that also wants a certificate of its clients."""
    endpoint = TlsEndpoint(plain_clickhouse.port, certificates.server, mutual=True)
    yield endpoint
    endpoint.close()
