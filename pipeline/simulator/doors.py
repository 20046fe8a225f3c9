"""The doors through which simulated records leave: Kafka, the HTTP gateway, or a file.

A door takes a portion of records and returns when they are durable behind it. What is behind it may be away for a
while: then the door says so in the log and tries again, with growing pauses, until it is told to stop.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final, Protocol

import orjson
import urllib3
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from pipeline.simulator.records import write_record
from pipeline.simulator.simulation import Emission
from streams.kafka_access import KafkaRefusedError, require_access
from streams.kafka_address import KafkaAddress

_log = logging.getLogger(__name__)

_PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0)


class DoorStoppedError(RuntimeError):
    """The door was told to stop while it waited; the portion may have left in part."""


class DoorError(RuntimeError):
    """The other side will never take this; the text is one sentence that says what to do."""


class Door(Protocol):
    """Where records leave."""

    def send(self, portion: Sequence[Emission]) -> None:
        """Returns when all of them are durable, or refused for good where the door can be told so.

        Raises DoorStoppedError, and DoorError for what waiting cannot mend."""

    def close(self) -> None:
        """Lets go of connections and files."""


def _pauses(stop: threading.Event, what: str) -> Iterator[Callable[[object], None]]:
    """For each attempt a function that waits before the next one and says why; ends only by an exception."""
    attempt = 0
    while True:

        def wait(error: object, pause: float = _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]) -> None:
            _log.warning("%s: %s; trying again in %.1f s", what, error, pause)
            if stop.wait(pause):
                raise DoorStoppedError(f"{what}: told to stop while waiting")

        if stop.is_set():
            raise DoorStoppedError(f"{what}: told to stop")
        yield wait
        attempt += 1


class KafkaDoor:
    """Straight into the topics: acknowledged by all replicas, idempotent, in big compressed batches.

    :param stop: ends all waiting.
    """

    def __init__(self, address: KafkaAddress, stop: threading.Event | None = None, **settings: Any) -> None:
        self._address = address
        self._stop = stop or threading.Event()
        self._settings = settings
        self._producers: dict[int, Any] = {}

    def _producer(self, connection: int) -> Any:
        if connection not in self._producers:
            if not self._producers:
                require_access(self._address)
            settings: dict[str, Any] = {
                "client_id": f"simulator-{connection}",
                "acks": "all",
                "enable_idempotence": True,
                "compression_type": "lz4",
                "linger_ms": 20,
                "batch_size": 256 * 1024,
                "max_request_size": 4 * 1024 * 1024,
                "max_block_ms": 5_000,
                "delivery_timeout_ms": 30_000,
                "request_timeout_ms": 10_000,
            }
            self._producers[connection] = KafkaProducer(
                **(self._address.for_kafka_python() | settings | self._settings)
            )
        return self._producers[connection]

    def send(self, portion: Sequence[Emission]) -> None:
        """Sends and waits for every acknowledgement. What was not acknowledged is sent again: the events' identities
        make that harmless."""
        left = list(portion)
        for wait in _pauses(self._stop, f"Kafka at {self._address}"):
            try:
                left = self._attempt(left)
            except KafkaRefusedError as error:
                raise DoorError(str(error)) from error
            except KafkaError as error:
                self._drop_producers()
                wait(error)
                continue
            if not left:
                return
            wait(f"{len(left)} records were not acknowledged")

    def _attempt(self, portion: list[Emission]) -> list[Emission]:
        """What was not acknowledged."""
        futures = [
            self._producer(one.connection).send(one.topic, value=one.value or None, key=one.key)
            if one.value or one.key
            else self._producer(one.connection).send(one.topic, value=b"")
            for one in portion
        ]
        for producer in self._producers.values():
            self._flush(producer)
        return [one for one, future in zip(portion, futures, strict=True) if not future.succeeded()]

    def _flush(self, producer: Any) -> None:
        """Waits until each record is acknowledged or given up, and looks every second whether to stop."""
        while True:
            try:
                producer.flush(timeout=1)
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise DoorStoppedError(f"Kafka at {self._address}: told to stop while waiting") from None
            else:
                return

    def _drop_producers(self) -> None:
        producers, self._producers = self._producers, {}
        for producer in producers.values():
            try:
                producer.close(timeout=1)
            except KafkaError as error:
                producer._closed = True  # its destructor would wait once more, and fail loudly
                _log.warning(
                    "Kafka at %s: the connection was closed with records on their way: %s", self._address, error
                )

    def close(self) -> None:
        """Closes the connections."""
        self._drop_producers()


class HttpDoor:
    """Through the gateway: POST /v1/events with lists of events.

    A list cannot hold what is not JSON, so such records go alone; topics and keys are the gateway's matter. `accepted`
    and `refused` count the answers.

    :param url: of the gateway, such as http://127.0.0.1:8080
    :param key: the API key; empty for a gateway that asks nobody.
    """

    def __init__(self, url: str, stop: threading.Event | None = None, portion: int = 500, key: str = "") -> None:
        self._url = url.rstrip("/") + "/v1/events"
        self._stop = stop or threading.Event()
        self._portion = portion
        self._authorization = {"Authorization": f"Bearer {key}"} if key else {}
        self._pool = urllib3.PoolManager(maxsize=2, timeout=urllib3.Timeout(connect=5, read=60), retries=False)
        self.accepted = 0
        self.refused = 0

    def send(self, portion: Sequence[Emission]) -> None:
        """Returns when the gateway has answered for every event; raises DoorError when it is no gateway."""
        fit = []
        for one in portion:
            if _is_json(one.value):
                fit.append(one.value)
            else:
                self._post(one.value, "application/cloudevents+json", 1)
        for start in range(0, len(fit), self._portion):
            self._post_list(fit[start : start + self._portion])

    def _post_list(self, values: list[bytes]) -> None:
        status = self._post(b"[" + b",".join(values) + b"]", "application/cloudevents-batch+json", len(values))
        if status == 413:
            if len(values) == 1:
                self.refused += 1
            else:
                self._post_list(values[: len(values) // 2])
                self._post_list(values[len(values) // 2 :])

    def _post(self, body: bytes, content_type: str, count: int) -> int:
        for wait in _pauses(self._stop, f"gateway at {self._url}"):
            try:
                headers = {"Content-Type": content_type, **self._authorization}
                response = self._pool.request("POST", self._url, body=body, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                wait(f"{type(error).__name__} {error}")
                continue
            if response.status in (408, 425, 429) or response.status >= 500:
                self._heed(response)
                wait(f"answer {response.status}")
                continue
            return self._counted(response, count)
        raise AssertionError("the pauses have no end")

    def _heed(self, response: urllib3.BaseHTTPResponse) -> None:
        after = response.headers.get("Retry-After", "")
        if after.isdigit() and self._stop.wait(min(int(after), 60)):
            raise DoorStoppedError(f"gateway at {self._url}: told to stop while waiting")

    def _counted(self, response: urllib3.BaseHTTPResponse, count: int) -> int:
        if response.status == 202:
            self.accepted += count
        elif response.status == 207:
            good = _accepted(response.data, count)
            self.accepted += good
            self.refused += count - good
        elif response.status in (400, 422) or (response.status == 413 and count == 1):
            self.refused += count
            if response.status == 400 and count > 1:
                raise DoorError(f"{self._url} refused a list of {count} events: {response.data[:200]!r}; check the URL")
        elif response.status == 401:
            raise DoorError(
                f"{self._url} takes no events with this API key: set YANGGUANG_API_KEY to one that is valid"
            )
        elif response.status != 413:
            raise DoorError(f"{self._url} answered {response.status} to a list of events: check the gateway's URL")
        return response.status

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _accepted(body: bytes, count: int) -> int:
    """How many items an answer 207 says were accepted: those with status 202."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 0
    items = answer if isinstance(answer, list) else next((v for v in answer.values() if isinstance(v, list)), [])
    return min(count, sum(1 for one in items if isinstance(one, dict) and one.get("status") in (202, "accepted")))


class FileDoor:
    """A file of records, one a line, as `read_records` takes them; and, if wanted, the ledger beside it: for each line
    `{"line": 1, "reason": null, "fault": null, "connection": 0, "arrival": "..."}`."""

    def __init__(self, out: IO[bytes], ledger: IO[bytes] | None = None) -> None:
        self._out = out
        self._ledger = ledger
        self._line = 0

    def send(self, portion: Sequence[Emission]) -> None:
        """Writes the lines, and the ledger's."""
        self._out.writelines(write_record(one.record) for one in portion)
        if self._ledger is not None:
            for number, one in enumerate(portion, start=self._line + 1):
                entry = {
                    "line": number,
                    "reason": one.reason,
                    "fault": one.fault,
                    "connection": one.connection,
                    "arrival": one.arrival.isoformat(),
                }
                self._ledger.write(orjson.dumps(entry) + b"\n")
            self._ledger.flush()
        self._line += len(portion)
        self._out.flush()

    def close(self) -> None:
        """Leaves the files open: they belong to who opened them."""


__all__ = ["Door", "DoorError", "DoorStoppedError", "FileDoor", "HttpDoor", "KafkaDoor"]
