"""Kafka, ClickHouse and a gateway of these tests' own: hostile requests fill them with what nobody else should find."""

from collections.abc import Iterator

import pytest

from pipeline.keys.key import RIGHTS, signing_secret
from tests.hostile.requests import Keys
from tests.hostile.vendors import CONFIGURATION, DEVICES
from tests.pipeline.embedded_clickhouse import Server
from tests.pipeline.gateway.conftest import broker, clickhouse
from tests.pipeline.gateway.stack import Broker, Gateway, give_key

__all__ = ["broker", "clickhouse", "door", "keys"]

SIGNING_KEY = "master-of-these-tests"


@pytest.fixture(scope="package")
def keys(broker: Broker) -> Keys:
    """Keys of the clients who mean harm."""

    def key(identity: str, **fields: object) -> str:
        return give_key(broker.servers, "hostile", f"yg_{identity}_" + "b" * 64, **fields)

    return Keys(
        give_key(broker.servers, grant={"may": RIGHTS}),
        key("narrow", grant={"streams": ["seal"], "sources": ["/platform/jd"], "towns": ["330681001"]}),
        key("limited", rate="10/minute"),
        key("signed", signed=True),
        signing_secret(SIGNING_KEY.encode(), "signed"),
    )


@pytest.fixture(scope="package")
def door(tmp_path_factory: pytest.TempPathFactory, broker: Broker, clickhouse: Server, keys: Keys) -> Iterator[Gateway]:
    """A gateway with the limits that it has by itself, and which knows the keys."""
    assert keys
    home = tmp_path_factory.mktemp("hostile")
    (home / "devices.csv").write_text(DEVICES)
    (home / "vendors.toml").write_text(CONFIGURATION)
    running = Gateway(home, broker.servers, clickhouse.port, signing_key=SIGNING_KEY, config=str(home / "vendors.toml"))
    running.wait_for("/readyz", 200)
    yield running
    running.kill()
