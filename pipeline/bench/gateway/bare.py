"""What the gateway is compared with: the least that a handler on the same server with the same client can do.

`python -m pipeline.bench.gateway.bare` takes the same requests with the same web server and the same Kafka client under
the same settings, and answers 202 when Kafka has acknowledged every event. It parses the body with orjson and sends
each element under the key that the gateway would send it under. That is all: it knows no keys of producers, validates
nothing, keeps no bytes as they were sent, refuses and records nothing, holds no limits, and does not say where an event
is. So it is a peer in speed only, and the comparison favours it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import orjson
import uvicorn
from confluent_kafka import KafkaError, Message, Producer
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.gateway.client import client_settings
from pipeline.gateway.limits import Limits
from pipeline.settings import LOOPBACK
from schemas.seal import Order
from streams.kafka_address import KafkaAddress

_FETCH_SECONDS: Final = 0.001


class Bare(NamedTuple):
    """What the process is told on its standard input."""

    port: int
    kafka: KafkaAddress


_BARE: Final = TypeAdapter(Bare)


def to_json(bare: Bare) -> bytes:
    """As it is written to the process's standard input."""
    return _BARE.dump_json(bare)


def bare_handler(kafka: KafkaAddress) -> Starlette:
    """The application."""
    producer = Producer(client_settings(kafka, Limits()))

    async def fetch_reports() -> None:
        while True:
            producer.poll(0)
            await asyncio.sleep(_FETCH_SECONDS)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        fetching = asyncio.create_task(fetch_reports())
        yield
        fetching.cancel()

    async def events(request: Request) -> Response:
        parsed: Any = orjson.loads(await request.body())
        found = parsed if isinstance(parsed, list) else [parsed]
        done = asyncio.get_running_loop().create_future()
        missing = len(found)

        def delivered(error: KafkaError | None, _message: Message) -> None:
            nonlocal missing
            missing -= 1
            if error is not None and not done.done():
                done.set_exception(RuntimeError(str(error)))
            elif not missing and not done.done():
                done.set_result(None)

        for event in found:
            producer.produce(Order.stream, orjson.dumps(event), event["data"]["order_id"], on_delivery=delivered)
        await done
        return Response(orjson.dumps({"accepted": len(found)}), 202, media_type="application/json")

    async def ready(_request: Request) -> Response:
        producer.list_topics(Order.stream, 10)
        return Response()

    return Starlette(routes=[Route("/v1/events", events, methods=["POST"]), Route("/readyz", ready)], lifespan=lifespan)


def _run(bare: Bare) -> None:
    uvicorn.run(
        bare_handler(bare.kafka),
        host=LOOPBACK,
        port=bare.port,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    _run(_BARE.validate_json(sys.stdin.buffer.read()))
