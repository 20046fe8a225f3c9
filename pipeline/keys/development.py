"""The key that `yangguang up` makes for this machine, so that a first event needs no ceremony."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from pipeline.keys.key import RIGHTS, Grant, Key, digest_of, id_of, new_key
from pipeline.keys.topic import read_keys, write_key
from pipeline.settings import Settings

PRODUCER: Final = "development"
_ALL: Final = Grant(may=RIGHTS)


def development_key(settings: Settings) -> str | None:
    """The text of this machine's key, made where there is none yet or where it was revoked; None where there should be
    none: Kafka is not the embedded one, others can reach the gateway, or it asks nobody.

    It is kept in the home, readable by its owner only. Raises KafkaError."""
    if settings.kafka is not None or not settings.on_loopback or settings.authentication != "required":
        return None
    now = datetime.now(UTC)
    path = settings.development_key_path
    text = ""
    with suppress(FileNotFoundError):
        text = path.read_text().strip()
    known = read_keys(settings.kafka_address).get(id_of(text) or "")
    if known is not None and known.state(now) == "valid" and known.digest == digest_of(text):
        return text
    if known is None and (identity := id_of(text)):  # Kafka's data were deleted, the home's secrets were not
        key = Key(id=identity, producer=PRODUCER, digest=digest_of(text), grant=_ALL, development=True, created_at=now)
    else:
        key, text = new_key(PRODUCER, now, grant=_ALL, development=True)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
    write_key(settings.kafka_address, key)
    return text
