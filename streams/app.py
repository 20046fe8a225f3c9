"""The Faust application: one consumer group, every stage an agent on record lists.

Scaling is starting more workers: Kafka shares out the partitions. Every topic is made beforehand (`streams.topics`).
"""

import functools
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, ParamSpec, cast

import faust
from clickhouse_connect.driver.exceptions import ClickHouseError
from faust.types import Message

from sinks.clickhouse.client import brief
from streams.options import Options
from streams.topics import REJECTED_MAX_BYTES
from streams.transport import RecordListConsumer, RecordListTransport

log: Final = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")

EXIT_FAILED: Final = 70
"""Exit status after a failure of ours (EX_SOFTWARE of sysexits.h)."""
STOP_SECONDS: Final = 15.0
_SESSION_SECONDS: Final = 10.0


class RecordListSchema(faust.Schema[Any, Any]):
    """Hands records on as they are: they are decoded by the stage, per list."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """The key of the list's first record, unused."""
        del app
        return message.key

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """The records."""
        del app
        return message.value


class App(faust.App):
    """A Faust app that reads record lists. `closing` is awaited when all its tasks have ended."""

    closing: Callable[[], Awaitable[None]] | None = None

    async def stop(self) -> None:
        """Stops within STOP_SECONDS. The client library may hang where it is stopped while it joins the group; then the
        process ends without it, as nothing that is not stored is ever committed."""
        limit = threading.Timer(STOP_SECONDS, _end_without_stopping)
        limit.daemon = True
        limit.start()
        await super().stop()
        limit.cancel()

    async def on_shutdown(self) -> None:
        """Closes what the stages had opened."""
        await super().on_shutdown()
        if self.closing is not None:
            await self.closing()

    def _new_transport(self) -> Any:
        return RecordListTransport(self.conf.broker_consumer, self)

    @property
    def lists(self) -> RecordListConsumer:
        """The consumer, with the bookkeeping of lists."""
        return cast(RecordListConsumer, self.consumer)


def stopping_on_failure(work: Callable[Arguments, Awaitable[None]]) -> Callable[Arguments, Coroutine[Any, Any, None]]:
    """The same work, but a failure ends the process, loudly and with nothing committed. Faust would restart an agent
    that failed, and the records that it held would be passed over."""

    @functools.wraps(work)
    async def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            await work(*args, **kwargs)
        except Exception as error:
            # what ClickHouse says may repeat values of rows, so of its errors only the name is logged
            told = isinstance(error, ClickHouseError)
            log.critical(
                "%s failed: %s. This process stops, nothing unstored is committed; run yangguang doctor",
                work.__name__,
                "; ".join([brief(error), *getattr(error, "__notes__", ())]),
                exc_info=not told,
            )
            logging.shutdown()
            os._exit(EXIT_FAILED)

    run.__qualname__ = work.__name__  # Faust tells agents apart by it
    return run


def _end_without_stopping() -> None:
    log.critical("this process has not stopped within %.0f s and ends as it is: nothing is lost by it", STOP_SECONDS)
    logging.shutdown()
    os._exit(EXIT_FAILED)


def create_app(options: Options, client_id: str = "yangguang") -> App:
    """An app without agents yet."""
    data = Path(options.home) / "faust"
    data.mkdir(parents=True, exist_ok=True)
    return App(
        options.group,
        **options.kafka.for_faust(),
        broker_client_id=client_id,
        broker_commit_interval=0.5,
        broker_max_poll_records=10_000,
        broker_session_timeout=_SESSION_SECONDS,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=30.0,
        broker_rebalance_timeout=15.0,
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=30_000,
        producer_acks=-1,
        producer_linger=0,
        producer_max_request_size=REJECTED_MAX_BYTES,
        producer_compression_type="lz4",
        stream_buffer_maxsize=4,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=data,
        store="memory://",
        autodiscover=False,
    )
