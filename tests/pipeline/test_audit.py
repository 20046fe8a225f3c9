"""Who did what by hand: written before it is done, on one line, by the account of the operating system."""

import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.audit import WHY_MAX, read, record
from streams.kafka_address import KafkaAddress
from streams.topics import ensure_topics
from tests.pipeline.gateway.stack import Broker, free_port


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaAddress]:
    broker = Broker(Path(tmp_path_factory.mktemp("audit")))
    address = KafkaAddress(broker.servers)
    ensure_topics(address)
    yield address
    broker.kill()


def test_nothing_was_recorded_where_nothing_was_done(kafka: KafkaAddress) -> None:
    assert list(read(kafka)) == []
    assert list(read(kafka, datetime.now(UTC))) == []


def test_entries_are_read_in_their_order_from_a_moment_on(kafka: KafkaAddress) -> None:
    first = record(kafka, "keys create", "k-1", "for acme")
    second = record(kafka, "rejected replay", "reason bad_value; 3 events")
    assert list(read(kafka))[-2:] == [first, second]
    assert list(read(kafka, second.at)) == [second]
    assert list(read(kafka, second.at + timedelta(seconds=1))) == []


def test_who_it_was_is_the_account_and_not_what_the_environment_says(
    kafka: KafkaAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    account = pwd.getpwuid(os.getuid()).pw_name
    assert record(kafka, "keys list", "all").user == account
    monkeypatch.setenv("SUDO_USER", "li\n4")
    assert record(kafka, "keys list", "all").user == f"{account} (sudo: li 4)"


def test_a_reason_is_one_line_and_not_too_long(kafka: KafkaAddress) -> None:
    entry = record(kafka, "keys revoke", "k-1\nk-2", f" a\tb\x1b[31m\u2028c{'d' * 1000} ")
    assert entry.subject == "k-1 k-2"
    assert entry.why.startswith("a b [31m cd")
    assert len(entry.why) == WHY_MAX


def test_what_somebody_else_wrote_there_is_passed_over(kafka: KafkaAddress) -> None:
    producer = KafkaProducer(**kafka.for_kafka_python())
    for value in (b"", b"{}", b'{"at": "yesterday"}', b"\xff"):
        producer.send("yangguang.audit", value=value, partition=0).get(10)
    producer.close()
    entry = record(kafka, "keys list", "all")
    assert list(read(kafka))[-1] == entry


def test_where_kafka_is_away_it_fails(kafka: KafkaAddress) -> None:
    del kafka
    away = KafkaAddress(f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaError, match="nothing listens"):
        record(away, "keys list", "all")
    with pytest.raises(KafkaError, match="nothing listens"):
        list(read(away))
