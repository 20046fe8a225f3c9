"""A connection with the broker: paho's client, whose own thread reads the network and connects again.

What paho calls in its thread is handed to the event loop. From there its methods may be called as well, as they only
append to a queue.
"""

import asyncio
import contextlib
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.gateway.background import background
from pipeline.mqtt_settings import MqttAddress

log: Final = logging.getLogger(__name__)

_KEEP_ALIVE_SECONDS: Final = 30
_BACKOFF_FIRST_SECONDS: Final = 1
_BACKOFF_MAX_SECONDS: Final = 30
_SESSION_TAKEN_OVER: Final = 142
_LASTING_SECONDS: Final = 10.0
_SHORT_CONNECTIONS: Final = 5
"""So many connections in a row that did not last are no accident."""
_WATCH_SECONDS: Final = 1.0
_PARTING_SECONDS: Final = 0.5


def properties_of(packet: int, **values: Any) -> Properties:
    """MQTT's properties for a packet of this type."""
    properties = Properties(packet)  # type: ignore[no-untyped-call] # paho has no types here
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


class Connection(ABC):
    """One client of the broker; to be made where an event loop runs. What the methods with a `client` do, they do in
    paho's thread."""

    _level = logging.WARNING
    """At which is told what every connection of the gateway meets."""

    def __init__(self, address: MqttAddress, client_id: str, **asked: Any) -> None:
        """:param asked: MQTT's properties of the connection."""
        self._address = address
        self._client_id = client_id
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._complaint = ""
        self._begun = 0.0
        self._short = 0
        self._ending = False
        self._parted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self.ready = False
        """Whether it can be used."""

    def start(self) -> None:
        """Begins to connect, and to connect again whenever the connection is lost."""
        self._begin()
        self._watching = background(self._watch(), "watching the connection with the MQTT broker")

    async def stop(self) -> None:
        """Says goodbye to the broker."""
        if self._watching is not None:
            self._watching.cancel()
        self._ending = True
        connected = self._client.is_connected()
        self._client.disconnect()
        if connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._parted.wait(), _PARTING_SECONDS)

    @abstractmethod
    def _made(self) -> Client:
        """A new client of paho's."""

    @abstractmethod
    def _connected(self, client: Client, properties: Properties | None) -> None:
        """The broker has let us in. To be followed by `_use`."""

    @abstractmethod
    def _closed(self) -> None:
        """There is no connection now. It may be said more than once of one."""

    def _use(self) -> None:
        """From now on the connection can be used."""
        self._complaint = ""
        self._begun = time.monotonic()
        self.ready = True

    def _complain(self, complaint: str, level: int = logging.WARNING) -> None:
        """Says what is wrong, once for as long as it is the same."""
        if complaint != self._complaint:
            log.log(level, "MQTT broker %s %s", self._address, complaint)
        self._complaint = complaint

    def _in_loop(self, call: Callable[..., None], *values: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(call, *values)

    def _begin(self) -> None:
        client = self._made()
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.reconnect_delay_set(_BACKOFF_FIRST_SECONDS, _BACKOFF_MAX_SECONDS)
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._address.tls is not None:
            client.tls_set_context(self._address.tls.context())
        properties = properties_of(PacketTypes.CONNECT, **self._asked)
        client.connect_async(
            self._address.host, self._address.port, _KEEP_ALIVE_SECONDS, clean_start=False, properties=properties
        )
        self._client = client
        self._thread: threading.Thread | None = None
        client.loop_start()

    async def _watch(self) -> None:
        """paho's thread ends, and nobody would know, where something is raised in it that paho did not think of."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._thread is not None and not self._thread.is_alive():
                log.error("the thread of the connection with the MQTT broker %s has ended: begun anew", self._address)
                self._close()
                self._begin()

    def _close(self) -> None:
        self.ready = False
        self._closed()

    def _on_pre_connect(self, client: Client, _data: Any) -> None:
        self._thread = threading.current_thread()
        self._close()
        client.drop_out_messages()

    def _on_connect(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(
                f"refuses {self._client_id} ({reason}): check YANGGUANG_MQTT_USER and YANGGUANG_MQTT_PASSWORD"
            )
            return
        session = "goes on with its session" if flags.session_present else "has a new session"
        log.info("MQTT broker %s: %s is connected and %s", self._address, self._client_id, session)
        client.reconnect_delay_set(_BACKOFF_FIRST_SECONDS, _BACKOFF_MAX_SECONDS)
        self._connected(client, properties)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._complain(f"does not answer ({_brief(sys.exception())}): start it, or check YANGGUANG_MQTT", self._level)

    def _on_disconnect(
        self,
        client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        was_ready = self.ready
        self._close()
        if self._ending:
            self._in_loop(self._parted.set)
        elif was_ready:
            self._say_lost(client, reason)

    def _say_lost(self, client: Client, reason: ReasonCode) -> None:
        self._short = self._short + 1 if time.monotonic() - self._begun < _LASTING_SECONDS else 0
        if reason.value != _SESSION_TAKEN_OVER and self._short < _SHORT_CONNECTIONS:
            log.log(self._level, "MQTT broker %s: the connection is lost (%s): connecting again", self._address, reason)
            return
        client.reconnect_delay_set(_BACKOFF_MAX_SECONDS, _BACKOFF_MAX_SECONDS)
        log.error(
            "MQTT broker %s does not leave %s connected (%s): if another gateway has that name, give each a --name of "
            "its own; else the broker's log says why; connecting again in %d s",
            self._address,
            self._client_id,
            reason,
            _BACKOFF_MAX_SECONDS,
        )


def _brief(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
