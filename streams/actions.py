"""The road of people's actions: one topic, which the notifier reads and writes down in `raw_alert_actions`."""

from typing import Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.action import Action
from schemas.catalogue import ACTIONS_TOPIC
from streams.kafka_access import KafkaAccessError, require_access
from streams.kafka_address import KafkaAddress

__all__ = ["Action", "publish"]

_ACKNOWLEDGE_MS: Final = 10_000


class ActionError(KafkaAccessError):
    """The action could not be written; the text is one sentence that says what to do."""


def publish(address: KafkaAddress, action: Action) -> None:
    """Writes an action and returns when all replicas have it. Raises KafkaAccessError: then nothing is done."""
    require_access(address)
    producer = KafkaProducer(
        **address.for_kafka_python(),
        acks="all",
        max_block_ms=_ACKNOWLEDGE_MS,
        request_timeout_ms=_ACKNOWLEDGE_MS // 2,
        delivery_timeout_ms=_ACKNOWLEDGE_MS,
    )
    try:
        sent = producer.send(ACTIONS_TOPIC, key=action.action_id.encode(), value=action.to_json(), partition=0)
        sent.get(_ACKNOWLEDGE_MS / 1000)
    except KafkaError as error:
        raise ActionError(
            f"Kafka at {address} does not take the action ({type(error).__name__}), so nothing is done: "
            "run yangguang doctor, and start a worker where topics are missing"
        ) from error
    finally:
        producer.close(timeout=1)
