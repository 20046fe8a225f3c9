"""The connection on which events come: a session that outlives it, so that the broker keeps what is not acknowledged.

paho does not see to it that a message is acknowledged on the connection on which it came, and on no later one, where
its number may be another message's. That is done here.
"""

import threading
from typing import Any, Final, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.gateway.mqtt.connection import Connection
from pipeline.gateway.mqtt.packets import Received, read_publish
from pipeline.gateway.mqtt.room import Room
from pipeline.gateway.mqtt.topics import SHARED_SUBSCRIPTION, SUBSCRIPTION
from pipeline.mqtt_settings import MqttAddress

RECEIVE_MAXIMUM: Final = 500
"""The most messages that the broker should have delivered without an acknowledgement. Not every broker keeps to it."""
_FOR_EVER: Final = 0xFFFFFFFF
"""Of a session in MQTT: it does not expire."""


class Listener(Protocol):
    """Who takes what comes; called in the event loop."""

    def arrived(self, message: Received) -> None:
        """The broker has delivered a message. Its size is taken of the room."""

    def lost(self) -> None:
        """What came until now cannot be acknowledged any more; the broker delivers it again."""


class Inlet(Connection):
    """Subscribes, and hands on what comes.

    :param subscription: to what; None: to nothing any more, so that only what the broker still has is taken.
    """

    def __init__(
        self, address: MqttAddress, client_id: str, subscription: str | None, listener: Listener, room: Room
    ) -> None:
        super().__init__(address, client_id, SessionExpiryInterval=_FOR_EVER, ReceiveMaximum=RECEIVE_MAXIMUM)
        self._subscription = subscription
        self._others = [one for one in (SUBSCRIPTION, SHARED_SUBSCRIPTION) if one != subscription]
        self._listener = listener
        self._room = room
        self._lock = threading.RLock()
        self._number = 0

    async def stop(self) -> None:
        """Says goodbye to the broker, which keeps the session."""
        self._ending = True
        self._room.close()
        await super().stop()

    def acknowledge(self, connection: int, number: int) -> None:
        """Acknowledges a message of QoS 1, if it came on the present connection."""
        with self._lock:
            if connection == self._number:
                self._client.ack(number, 1)

    def is_present(self, connection: int) -> bool:
        """Whether messages that came on this connection can still be acknowledged."""
        return connection == self._number

    def _made(self) -> Client:
        client = _Client(self._client_id, self)
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        return client

    def _connected(self, client: Client, properties: Properties | None) -> None:
        shared = self._subscription == SHARED_SUBSCRIPTION
        if shared and not getattr(properties, "SharedSubscriptionAvailable", 1):
            self._complain("knows no shared subscriptions: unset YANGGUANG_MQTT_SHARED, or use a broker that does")
        elif self._subscription is not None:
            client.subscribe(self._subscription, 1)
        else:
            client.unsubscribe(self._others)

    def _closed(self) -> None:
        with self._lock:
            self._number += 1
        self._in_loop(self._listener.lost)

    def _on_subscribe(
        self, client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = next((one for one in reasons if one.is_failure), None)
        if refused is not None:
            self._complain(
                f"refuses the subscription to {self._subscription} ({refused}): allow it in the broker's ACL"
            )
            return
        client.unsubscribe(self._others)  # of another time; only now, so that there is always one

    def _on_unsubscribe(
        self, _client: Client, _data: Any, _mid: int, _reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._use()

    def delivered(self, message: Received) -> None:
        """Called in paho's thread, which reads nothing more until there is room."""
        if not self._ending:
            self._room.take(message.size)
            self._in_loop(self._listener.arrived, message._replace(connection=self._number))


class _Client(Client):
    """paho's client, with our reading of messages: see `packets`."""

    def __init__(self, client_id: str, inlet: Inlet) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        self._inlet = inlet

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet
        message = read_publish(packet["command"], packet["packet"])
        if message.qos > 1:  # we never subscribed to that
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._inlet.delivered(message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
