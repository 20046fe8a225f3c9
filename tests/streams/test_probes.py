"""A real Kafka and a real ClickHouse that hang: the kernel still takes connections for them, and people are told."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from sinks.clickhouse.address import Address
from sinks.notify.webhook import WebhookChannel
from streams.kafka_address import KafkaAddress
from streams.outage import OutageWatch
from streams.probes import ClickHouseProbe, KafkaProbe
from tests.pipeline.embedded_clickhouse import WRITER_PASSWORD, Server
from tests.pipeline.gateway.stack import Broker
from tests.streams.test_outage import recorded_nowhere
from tests.system.parts import free_port, standing_still, wait_for
from tests.system.test_alerts import Webhook

GRACE = timedelta(seconds=1)


class Service:
    """A process that can be made to hang."""

    def __init__(self, name: str, pid: int, port: int, probe: Callable[[], KafkaProbe | ClickHouseProbe]) -> None:
        self.name, self.pid, self.port, self.probe = name, pid, port, probe

    def connections(self) -> int:
        """How many of this process there are to it."""
        own = {os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_socket()}  # noqa: PTH115 # no path
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(f"socket:[{one[9]}]" in own and one[2].endswith(f":{self.port:04X}") for one in lines)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    broker = Broker(tmp_path_factory.mktemp("kafka") / "home")
    yield Service("Kafka", broker.process.pid, broker.kafka.port, lambda: KafkaProbe(KafkaAddress(broker.servers)))
    broker.kill()


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    server = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    address = Address("127.0.0.1", server.port, "writer", WRITER_PASSWORD)
    yield Service("ClickHouse", server.process.pid, server.port, lambda: ClickHouseProbe(address))
    server.kill()


@pytest.fixture(params=["kafka", "clickhouse"])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.getfixturevalue(request.param)
    return found


@contextmanager
def listening_and_silent() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        yield silent.getsockname()[1]


def test_who_takes_connections_and_does_not_answer_is_told_and_its_end_too(service: Service, tmp_path: Path) -> None:
    async def run(webhook: Webhook) -> None:
        async def told(*states: str) -> None:
            await asyncio.to_thread(
                wait_for,
                lambda: [one.body["state"] for one in webhook.received] == list(states),
                20,
                f"{states} is told",
            )

        probe = service.probe()
        assert await probe()
        watch = OutageWatch(
            {service.name: probe},
            lambda: [WebhookChannel("duty", webhook.url)],
            tmp_path / "outages.json",
            recorded_nowhere,
            grace=GRACE,
            every=0.1,
        )
        watching = asyncio.create_task(watch.run())
        with standing_still(service.pid):
            with socket.create_connection(("127.0.0.1", service.port), timeout=5):
                pass  # which a probe that only connects would take for an answer
            await told("firing")
        await told("firing", "resolved")
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await probe.close()

    with closing(Webhook(failures=0)) as webhook:
        asyncio.run(run(webhook))
    assert {one.body["alert_id"] for one in webhook.received} == {f"outage.{service.name.lower()}"}
    assert all(service.name in one.body["text"] for one in webhook.received)


def answers(probe: KafkaProbe | ClickHouseProbe) -> bool:
    async def run() -> bool:
        try:
            return await probe()
        finally:
            await probe.close()

    return asyncio.run(run())


def test_one_connection_serves_all_probes_and_what_hung_is_not_kept(service: Service) -> None:
    async def run() -> None:
        probe = service.probe()
        assert [await probe() for _ in range(5)] == [True] * 5
        assert service.connections() == 1
        with standing_still(service.pid):
            with suppress(TimeoutError):
                assert not await probe()
            await asyncio.to_thread(wait_for, lambda: not service.connections(), 5, "the connection is closed")
        assert await probe()
        await probe.close()

    asyncio.run(run())


def test_nobody_there_is_no_answer() -> None:
    nowhere = free_port()
    assert not answers(KafkaProbe(KafkaAddress(f"127.0.0.1:{nowhere}")))
    with pytest.raises(OSError, match=str(nowhere)):
        answers(ClickHouseProbe(Address("127.0.0.1", nowhere, "writer", WRITER_PASSWORD)))


def test_one_broker_that_answers_is_enough(kafka: Service) -> None:
    with listening_and_silent() as port:
        assert answers(KafkaProbe(KafkaAddress(f"127.0.0.1:{port},127.0.0.1:{kafka.port}")))


def test_a_clickhouse_that_refuses_the_password_is_not_there_for_us(clickhouse: Service) -> None:
    assert not answers(ClickHouseProbe(Address("127.0.0.1", clickhouse.port, "writer", "another")))
