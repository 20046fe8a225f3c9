"""Keys at rest: the newest record of each on a compacted topic. Every gateway knows of a change within a moment, and
nothing else has to be there for it than Kafka, without which no event is taken anyway."""

import time
from typing import Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pydantic import ValidationError

from pipeline.keys.key import Key
from schemas.catalogue import KEYS_TOPIC
from streams.kafka_access import require_access
from streams.kafka_address import KafkaAddress

PARTITION: Final = TopicPartition(KEYS_TOPIC, 0)
_READ_SECONDS: Final = 30.0


def read_key(value: bytes | None) -> Key | None:
    """The key in a record; None where there is none that could be read."""
    try:
        return Key.model_validate_json(value) if value else None
    except ValidationError:
        return None


def read_keys(address: KafkaAddress) -> dict[str, Key]:
    """All keys by id. Raises KafkaError where Kafka does not answer."""
    require_access(address)
    consumer = KafkaConsumer(**address.for_kafka_python(), enable_auto_commit=False)
    try:
        consumer.assign([PARTITION])
        consumer.seek_to_beginning(PARTITION)
        end = consumer.end_offsets([PARTITION])[PARTITION]
        deadline = time.monotonic() + _READ_SECONDS
        found: dict[str, Key] = {}
        while consumer.position(PARTITION) < end and time.monotonic() < deadline:
            for records in consumer.poll(500).values():
                for one in records:
                    if key := read_key(one.value):
                        found[key.id] = key
        return found
    finally:
        consumer.close()


def write_key(address: KafkaAddress, key: Key) -> None:
    """Writes a key's newest record and returns when all replicas have it. Raises KafkaError."""
    require_access(address)
    producer = KafkaProducer(**address.for_kafka_python(), acks="all")
    try:
        producer.send(KEYS_TOPIC, key=key.id.encode(), value=key.model_dump_json().encode(), partition=0).get(30)
    finally:
        producer.close()
