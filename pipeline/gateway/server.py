"""Running the gateway: one process, told to end by SIGTERM or SIGINT, gone within five seconds."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
import uvloop

from pipeline.gateway.app import create_gateway
from pipeline.gateway.limits import Limits
from pipeline.ports import PortTakenError
from pipeline.settings import Settings

PORT_SETTING: Final = "YANGGUANG_HTTP_PORT"
_HURRY_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 3
_CONNECTIONS_MAX: Final = 1000


class _Server(uvicorn.Server):
    """Leaves signals to `run`, and hurries requests that wait for Kafka when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.gateway.hurry(_HURRY_SECONDS)  # type: ignore[union-attr] # the application is FastAPI
        await super().shutdown(sockets)


def run(settings: Settings, limits: Limits | None = None) -> None:
    """Serves until SIGTERM or SIGINT; waits for Kafka and ClickHouse while it serves.

    Raises PortTakenError, before anything else, when the port cannot be listened on."""
    listener = _listener(settings.http_host, settings.http_port)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # ten lines a second of what the producer says in one
    app = create_gateway(settings.servers, settings.analyst, limits)
    config = uvicorn.Config(
        app,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=_CONNECTIONS_MAX,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(_Server(config), listener))


async def _serve(server: _Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, end)
    await server.serve([listener])


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PortTakenError(
            f"port {port} on {host} cannot be listened on ({error.strerror}); stop what listens there, or set "
            f"{PORT_SETTING} to a free port"
        ) from error
