"""Who did what by hand: raw bytes of refused events seen, replays, API keys made and revoked, alerts acknowledged and
silenced.

The record is on its topic, acknowledged by all replicas, before what it speaks of happens or is shown. Nobody writes
there what was seen: a subject names the event or key, never its content.
"""

import os
import pwd
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from schemas.action import Via
from schemas.catalogue import AUDIT_TOPIC
from streams.kafka_access import KafkaAccessError, require_access
from streams.kafka_address import KafkaAddress

WHY_MAX: Final = 500
_ACKNOWLEDGE_MS: Final = 10_000
_POLL_MS: Final = 500
_PARTITION: Final = TopicPartition(AUDIT_TOPIC, 0)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class AuditError(KafkaAccessError):
    """The record could not be written; the text is one sentence that says what to do."""


class Entry(BaseModel):
    """One thing that somebody did."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    user: str
    """At a terminal the account of the operating system, with the one before sudo if any; of a request to the gateway
    its API key, or that it came by the link of a message."""
    host: str
    """The machine of the terminal or of the gateway."""
    action: str
    subject: str
    why: Annotated[str, StringConstraints(max_length=WHY_MAX)] = ""
    via: Via = "cli"
    """The door."""


def entry(action: str, subject: str, why: str = "", *, user: str, via: Via = "cli") -> Entry:
    """That somebody is about to do something, now: each text on one line, the reason cut to 500 characters."""
    return Entry(
        at=datetime.now(UTC),
        user=_CONTROLS.sub(" ", user),
        host=socket.gethostname(),
        action=action,
        subject=_CONTROLS.sub(" ", subject),
        why=_CONTROLS.sub(" ", why).strip()[:WHY_MAX],
        via=via,
    )


def record(address: KafkaAddress, action: str, subject: str, why: str = "") -> Entry:
    """Writes that the user of this process is about to do something, and returns when all replicas have it.

    :param action: such as `rejected show` or `keys revoke`.
    :param subject: what it is done to.
    :param why: the reason the user gave, on one line, cut to 500 characters.

    Raises KafkaError: then the thing must not be done."""
    made = entry(action, subject, why, user=_user())
    require_access(address)
    producer = KafkaProducer(
        **address.for_kafka_python(),
        acks="all",
        max_block_ms=_ACKNOWLEDGE_MS,
        request_timeout_ms=_ACKNOWLEDGE_MS // 2,
        delivery_timeout_ms=_ACKNOWLEDGE_MS,
    )
    try:
        sent = producer.send(AUDIT_TOPIC, key=action.encode(), value=made.model_dump_json().encode(), partition=0)
        sent.get(_ACKNOWLEDGE_MS / 1000)
    except KafkaError as error:
        raise AuditError(
            f"Kafka at {address} does not record who does what ({type(error).__name__}), so nothing is done: "
            "run yangguang doctor, and start a worker where topics are missing"
        ) from error
    finally:
        producer.close(timeout=1)
    return made


def _user() -> str:
    """The account of this process, and who called it through sudo. The environment's USER could be anything."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {_CONTROLS.sub(' ', sudo)[:64]})" if sudo else name


def read(address: KafkaAddress, since: datetime | None = None) -> Iterator[Entry]:
    """What was recorded, the oldest first, from a moment on. What is no record of ours is passed over.

    Raises KafkaError where Kafka does not answer."""
    require_access(address)
    consumer = KafkaConsumer(**address.for_kafka_python(), enable_auto_commit=False)
    try:
        if _PARTITION.partition not in (consumer.partitions_for_topic(AUDIT_TOPIC) or ()):
            return
        consumer.assign([_PARTITION])
        begin = None
        if since is not None:
            begin = consumer.offsets_for_times({_PARTITION: int(since.timestamp() * 1000)})[_PARTITION]
        end = consumer.end_offsets([_PARTITION])[_PARTITION]
        if since is not None and begin is None:
            return
        if begin is None:
            consumer.seek_to_beginning(_PARTITION)
        else:
            consumer.seek(_PARTITION, begin.offset)
        while consumer.position(_PARTITION) < end:
            for one in consumer.poll(_POLL_MS).get(_PARTITION, ()):
                try:
                    found = Entry.model_validate_json(one.value or b"")
                except ValidationError:
                    continue
                if since is None or found.at >= since:
                    yield found
    finally:
        consumer.close()
