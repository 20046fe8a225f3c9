"""What is read while a rebalance is under way, and passed over, is read again: with a real Kafka and a real Faust."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Final

import pytest
from kafka import KafkaProducer

from pipeline.child import dying_with_this_process
from schemas.catalogue import REJECTED_TOPIC
from streams.kafka_address import KafkaAddress
from streams.topics import ensure_topics
from tests.pipeline.gateway.stack import Broker

_PROGRAM: Final = """
import sys
import faust
from schemas.catalogue import REJECTED_TOPIC
from streams.app import RecordListSchema, create_app
from streams.kafka_address import KafkaAddress
from streams.options import Options
from streams.transport import RecordListConsumer
from sinks.clickhouse.address import Address

servers, home = sys.argv[1:]
app = create_app(Options(KafkaAddress(servers), Address("127.0.0.1", 1, "writer", "x"), b"key", home=home))
read = RecordListConsumer._wait_next_records
passed_over = False

async def read_as_a_rebalance_begins(consumer, timeout):
    global passed_over
    records, active = await read(consumer, timeout)
    if records and not passed_over:
        passed_over = True
        consumer.stop_flow()
        app.loop.call_later(1, consumer.resume_flow)
    return records, active

RecordListConsumer._wait_next_records = read_as_a_rebalance_begins

async def see(stream):
    async for event in stream.noack().events():
        for record in event.message.value:
            print(record.value.decode(), flush=True)
        app.lists.landed(event.message)

app.agent(app.topic(REJECTED_TOPIC, schema=RecordListSchema()), name="see")(see)
sys.argv[1:] = []
faust.Worker(app, loglevel="WARNING", redirect_stdouts=False, quiet=True, stdout=sys.stderr).execute_from_commandline()
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("kafka") / "home")
    ensure_topics(KafkaAddress(broker.servers), 1, 1)
    yield broker.servers
    broker.kill()


def seen(servers: str, home: Path, count: int) -> list[str]:
    """The first records that a worker is given, which passes over what it reads first."""
    command = [sys.executable, "-c", _PROGRAM, servers, str(home)]
    with subprocess.Popen(dying_with_this_process(command), stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        limit = Timer(60, worker.kill)  # what does not come is an empty line then
        limit.start()
        try:
            return [worker.stdout.readline().strip() for _ in range(count)]
        finally:
            limit.cancel()
            worker.kill()


def test_what_was_passed_over_before_anything_was_committed_is_not_lost(servers: str, tmp_path: Path) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    for number in range(3):
        producer.send(REJECTED_TOPIC, str(number).encode()).get(30)
    producer.close()
    assert seen(servers, tmp_path, 3) == ["0", "1", "2"]
