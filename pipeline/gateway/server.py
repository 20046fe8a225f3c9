"""Running the gateway: one process, told to end by SIGTERM or SIGINT, gone within five seconds."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
import uvloop

from pipeline.gateway.app import Options, create_gateway
from pipeline.gateway.callers import Access
from pipeline.gateway.connections import Connection, Crowd
from pipeline.gateway.limits import Limits
from pipeline.gateway.mqtt import MqttOptions
from pipeline.ports import PortTakenError
from pipeline.settings import Settings, SettingsError
from pipeline.vendors import load_vendors
from streams.garbage import quieten_garbage_collector

log: Final = logging.getLogger(__name__)

PORT_SETTING: Final = "YANGGUANG_HTTP_PORT"
NAME: Final = "gateway"
_GARBAGE: Final = 5_000
"""New objects after which cycles are looked for: in what a failed request leaves there may be its body."""
_HURRY_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 3
_SWEEP_TICKS: Final = 5
"""Of a tenth of a second: so often connections are looked at."""
_OTHER_FILES: Final = 500
"""Open files and connections to Kafka and ClickHouse, beside those of clients."""


class _Server(uvicorn.Server):
    """Leaves signals to `run`, looks after connections, and hurries requests that wait for Kafka when it ends."""

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self.server_state = self._crowd = Crowd(limits)

    async def on_tick(self, counter: int) -> bool:
        if counter % _SWEEP_TICKS == 0:
            self._crowd.sweep()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.gateway.hurry(_HURRY_SECONDS)  # type: ignore[union-attr] # the application is FastAPI
        await super().shutdown(sockets)


class _Loop(uvloop.Loop):
    """Gives up TLS handshakes that do not come to their end."""

    handshake_seconds: float

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        if options.get("ssl") is not None:
            options |= dict.fromkeys(("ssl_handshake_timeout", "ssl_shutdown_timeout"), self.handshake_seconds)
        return await super().create_server(*arguments, **options)


def run(settings: Settings, limits: Limits | None = None, name: str = NAME, leave: bool = False) -> bool:
    """Serves until SIGTERM or SIGINT; waits for Kafka and ClickHouse while it serves.

    :param name: of this gateway, for which an MQTT broker keeps messages.
    :param leave: whether it takes what the broker still has for it, and then ends; returns whether it has.

    Raises PortTakenError, before anything else, when the port cannot be listened on, and SettingsError."""
    listener = _listener(settings.http_host, settings.http_port)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # ten lines a second of what the producer says in one
    limits = allow_files(limits or Limits())
    app = create_gateway(options_of(settings, limits, name, leave))
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        proxy_headers=False,  # nobody asks where a request comes from
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the certificate {settings.tls_certificate} with the key {settings.tls_key} cannot be used ({error}): set "
            "YANGGUANG_TLS_CERTIFICATE and YANGGUANG_TLS_KEY to PEM files that belong together"
        ) from None
    quieten_garbage_collector(_GARBAGE)
    loop = _Loop()
    loop.handshake_seconds = limits.head_seconds
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(_Server(config, limits), listener))
    return bool(app.state.gateway.left)


def options_of(settings: Settings, limits: Limits, name: str = NAME, leave: bool = False) -> Options:
    """What the settings tell a gateway. Raises SettingsError."""
    if (settings.tls_certificate is None) is not (settings.tls_key is None):
        raise SettingsError("YANGGUANG_TLS_CERTIFICATE and YANGGUANG_TLS_KEY go together: set both or none")
    required = settings.authentication == "required"
    if not required and not settings.on_loopback:
        log.warning(
            "whoever reaches %s port %d may push events, as YANGGUANG_AUTHENTICATION is off",
            settings.http_host,
            settings.http_port,
        )
    mqtt = settings.mqtt_address
    return Options(
        settings.kafka_address,
        settings.analyst,
        Access(required, settings.on_loopback, settings.signing_master),
        load_vendors(settings),
        limits,
        None if mqtt is None else MqttOptions(mqtt, name, settings.mqtt_shared, leave),
    )


def allow_files(limits: Limits) -> Limits:
    """Lets the process open a file for each connection: 1024 are usual where nobody has said otherwise. The limits with
    as many connections as there can be."""
    wanted = limits.connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return limits
    connections = max(1, allowed - _OTHER_FILES)
    log.warning("%d connections at once, as %d files may be open: raise `ulimit -Hn` to %d", connections, hard, wanted)
    return limits._replace(connections=connections)


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
