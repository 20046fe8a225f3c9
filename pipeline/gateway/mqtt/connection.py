"""The connection with the broker: paho's client, whose own thread reads the network and connects again.

What comes is handed to the event loop. From there messages are acknowledged and answers sent: paho's methods for it
only append to a queue, so another thread may call them. What it does not see to is that a message is acknowledged on
the connection on which it came, and on no later one; that is done here.
"""

import asyncio
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipeline.gateway.background import background
from pipeline.gateway.mqtt.packets import Received, read_publish
from pipeline.gateway.mqtt.room import Room
from pipeline.gateway.mqtt.topics import SHARED_SUBSCRIPTION, SUBSCRIPTION
from pipeline.mqtt_settings import MqttAddress

log: Final = logging.getLogger(__name__)

RECEIVE_MAXIMUM: Final = 500
"""The most messages that the broker may have delivered without an acknowledgement."""
_FOR_EVER: Final = 0xFFFFFFFF
"""Of a session in MQTT: it does not expire."""
_KEEP_ALIVE_SECONDS: Final = 30
_BACKOFF_FIRST_SECONDS: Final = 1
_BACKOFF_MAX_SECONDS: Final = 30
_ANSWERS_AT_ONCE: Final = 10
"""Fewer than any broker is known to allow."""
_ANSWER_KEPT_SECONDS: Final = 86_400
_PACKET_BYTES: Final = 256 * 1024
"""The greatest answer where the broker allows more."""
_SESSION_TAKEN_OVER: Final = 142
_LASTING_SECONDS: Final = 10.0
_SHORT_CONNECTIONS: Final = 3
"""So many connections in a row that did not last are no accident."""
_WATCH_SECONDS: Final = 1.0
_PARTING_SECONDS: Final = 0.5


class LostError(Exception):
    """The connection was lost before the broker had the answer."""


class Answer(NamedTuple):
    """What is told about a message."""

    topic: str
    payload: bytes
    content_type: str
    correlation: bytes | None = None


class Listener(Protocol):
    """Who takes what comes; called in the event loop."""

    def arrived(self, message: Received) -> None:
        """The broker has delivered a message."""

    def lost(self) -> None:
        """What came until now cannot be acknowledged any more; the broker delivers it again."""


class Connection:
    """One client of the broker, with a session that outlives it; to be made where an event loop runs."""

    def __init__(self, address: MqttAddress, client_id: str, shared: bool, listener: Listener, room: Room) -> None:
        self._address = address
        subscriptions = (SUBSCRIPTION, SHARED_SUBSCRIPTION)
        self._other, self._subscription = subscriptions if shared else reversed(subscriptions)
        self._shared = shared
        self._client_id = client_id
        self._listener = listener
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._lock = threading.RLock()
        self._number = 0
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._complaint = ""
        self._begun = 0.0
        self._short = 0
        self._ending = False
        self._parted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self.ready = False
        """Whether the broker delivers to us."""
        self.answer_bytes = _PACKET_BYTES
        """The greatest answer that the broker takes, with what stands around it."""

    def start(self) -> None:
        """Begins to connect, and to connect again whenever the connection is lost."""
        self._begin()
        self._watching = background(self._watch(), "watching the connection with the MQTT broker")

    async def stop(self) -> None:
        """Says goodbye to the broker, which keeps the session and what is not acknowledged."""
        if self._watching is not None:
            self._watching.cancel()
        self._ending = True
        self._room.close()
        connected = self._client.is_connected()
        self._client.disconnect()
        if connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._parted.wait(), _PARTING_SECONDS)

    def acknowledge(self, connection: int, number: int) -> None:
        """Acknowledges a message of QoS 1, if it came on the present connection."""
        with self._lock:
            if connection == self._number:
                self._client.ack(number, 1)

    def is_present(self, connection: int) -> bool:
        """Whether messages that came on this connection can still be acknowledged."""
        return connection == self._number

    async def answer(self, answer: Answer) -> ReasonCode:
        """Returns what the broker says when it has the answer. Raises LostError."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho has no types here
        properties.ContentType = answer.content_type
        properties.PayloadFormatIndicator = 1
        properties.MessageExpiryInterval = _ANSWER_KEPT_SECONDS
        if answer.correlation is not None:
            properties.CorrelationData = answer.correlation
        if not self._client.is_connected():
            raise LostError
        info = self._client.publish(answer.topic, answer.payload, 1, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LostError
        future: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._answers[info.mid] = future
        try:
            return await future
        finally:
            self._answers.pop(info.mid, None)

    def _begin(self) -> None:
        client = _Client(self._client_id, self._arrived)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.max_inflight_messages_set(_ANSWERS_AT_ONCE)
        client.reconnect_delay_set(_BACKOFF_FIRST_SECONDS, _BACKOFF_MAX_SECONDS)
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._address.tls is not None:
            client.tls_set_context(self._address.tls.context())
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no types here
        properties.SessionExpiryInterval = _FOR_EVER
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
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

    # What follows is called by paho in its thread. `on_publish` comes with a lock of paho's held that `publish` needs,
    # so nothing is waited for in these.

    def _on_pre_connect(self, client: Client, _data: Any) -> None:
        self._thread = threading.current_thread()
        self._close()
        client.drop_out_messages()  # answers to messages that will come again

    def _on_connect(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(
                f"refuses {self._client_id} ({reason}): check YANGGUANG_MQTT_USER and YANGGUANG_MQTT_PASSWORD"
            )
            return
        if self._shared and not getattr(properties, "SharedSubscriptionAvailable", 1):
            self._complain("knows no shared subscriptions: unset YANGGUANG_MQTT_SHARED, or use a broker that does")
            return
        self.answer_bytes = min(getattr(properties, "MaximumPacketSize", _PACKET_BYTES), _PACKET_BYTES)
        session = "goes on with its session" if flags.session_present else "has a new session"
        log.info("MQTT broker %s: %s is connected and %s", self._address, self._client_id, session)
        client.reconnect_delay_set(_BACKOFF_FIRST_SECONDS, _BACKOFF_MAX_SECONDS)
        # our own answers do not come back, where that can be asked for
        client.subscribe(self._subscription, options=SubscribeOptions(1, noLocal=not self._shared))

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._complain(f"does not answer ({_brief(sys.exception())}): start it, or check YANGGUANG_MQTT")

    def _on_subscribe(
        self, client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = next((one for one in reasons if one.is_failure), None)
        if refused is not None:
            self._complain(
                f"refuses the subscription to {self._subscription} ({refused}): allow it in the broker's ACL"
            )
            return
        client.unsubscribe(self._other)  # of another time; only now, so that there is always one
        self._complaint = ""
        self._begun = time.monotonic()
        self.ready = True

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._in_loop(self._answered, mid, reason)

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
            self._short = self._short + 1 if time.monotonic() - self._begun < _LASTING_SECONDS else 0
            if reason.value == _SESSION_TAKEN_OVER or self._short >= _SHORT_CONNECTIONS:
                client.reconnect_delay_set(_BACKOFF_MAX_SECONDS, _BACKOFF_MAX_SECONDS)
                log.error(
                    "MQTT broker %s does not leave %s connected (%s): if another gateway has that name, give each a "
                    "--name of its own; else its log says why; connecting again in %d s",
                    self._address,
                    self._client_id,
                    reason,
                    _BACKOFF_MAX_SECONDS,
                )
            else:
                log.warning("MQTT broker %s: the connection is lost (%s): connecting again", self._address, reason)

    def _arrived(self, message: Received) -> None:
        if self._ending:
            return
        self._room.take(message.size)
        self._in_loop(self._listener.arrived, message._replace(connection=self._number))

    # Of both threads

    def _close(self) -> None:
        """What came until now cannot be acknowledged any more."""
        with self._lock:
            self._number += 1
            self.ready = False
        self._in_loop(self._lost)

    def _complain(self, complaint: str) -> None:
        """Says what is wrong, once for as long as it is the same."""
        if complaint != self._complaint:
            log.warning("MQTT broker %s %s", self._address, complaint)
        self._complaint = complaint

    def _in_loop(self, call: Callable[..., None], *values: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(call, *values)

    # In the event loop

    def _answered(self, mid: int, reason: ReasonCode) -> None:
        future = self._answers.get(mid)
        if future is not None and not future.done():
            future.set_result(reason)

    def _lost(self) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(LostError())
        self._listener.lost()


class _Client(Client):
    """paho's client, with our reading of messages: see `packets`."""

    def __init__(self, client_id: str, arrived: Callable[[Received], None]) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        self._message_arrived = arrived

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet
        message = read_publish(packet["command"], packet["packet"])
        if message.qos > 1:  # we never subscribed to that
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._message_arrived(message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _brief(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
