"""Writing to topics from the stages: durably, with a broker that is away waited for."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from sinks.clickhouse.client import BACKOFF_FIRST_SECONDS, BACKOFF_MAX_SECONDS
from streams.rejects import Headers

log: Final = logging.getLogger(__name__)

_PAUSE_EVERY: Final = 200


class Outgoing(NamedTuple):
    """One record; without a partition its key decides, or chance."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None
    headers: Headers | None = None


async def send_all(producer: Any, records: Sequence[Outgoing]) -> None:
    """Returns when all in-sync replicas have all records; what is not taken is sent again.

    :param producer: Faust's."""
    delay = BACKOFF_FIRST_SECONDS
    while records:
        answers = await _answers(producer, records)
        failed = [(one, answer) for one, answer in zip(records, answers, strict=True) if answer is not None]
        if not failed:
            return
        records = [one for one, _ in failed]
        log.warning(
            "Kafka does not take %d records for %s (%r): sent again in %.1f s",
            len(failed), records[0].topic, failed[0][1], delay,
        )  # fmt: skip
        await asyncio.sleep(delay)
        delay = min(delay * 2, BACKOFF_MAX_SECONDS)


async def _answers(producer: Any, records: Sequence[Outgoing]) -> list[Exception | None]:
    """What went wrong with each record, None where it is stored.

    They are handed over one after the other and waited for together. Where each waits for itself, all of them wake
    whenever the producer has room for one: of a list of 10 000 that is a hundred records a second."""
    handed: list[Any] = []
    for number, one in enumerate(records, 1):
        try:
            handed.append(await producer.send(one.topic, one.key, one.value, one.partition, None, one.headers))
        except (KafkaError, ProducerSendError) as error:
            handed.append(error)
        if not number % _PAUSE_EVERY:
            await asyncio.sleep(0)
    return [await _answer(one) for one in handed]


async def _answer(handed: Any) -> Exception | None:
    if isinstance(handed, Exception):
        return handed
    try:
        await handed
    except (KafkaError, ProducerSendError) as error:
        return error
    return None
