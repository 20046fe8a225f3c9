"""The connection on which answers go: one of its own.

On that of the events the broker's word that it has an answer would come behind events which are not read before there
is room, and there is none before what waits for that word is done. And a broker may end the connection of who publishes
where it must not."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.gateway.mqtt.connection import Connection, properties_of
from pipeline.mqtt_settings import MqttAddress

_AT_ONCE: Final = 10
"""Answers that the broker has not acknowledged: fewer than any broker is known to allow."""
_KEPT_SECONDS: Final = 86_400
"""How long the broker keeps an answer for who listens to it and is away."""
_PACKET_BYTES: Final = 256 * 1024
"""The greatest answer where the broker allows more."""


class LostError(Exception):
    """The connection was lost before the broker had the answer."""

    def __init__(self, connection: int | None = None) -> None:
        """:param connection: which it was; None where the answer was never sent."""
        super().__init__(connection)
        self.connection = connection


class Answer(NamedTuple):
    """What is told about a message."""

    topic: str
    payload: bytes
    content_type: str
    correlation: bytes | None = None


class Outlet(Connection):
    """Publishes answers."""

    _level = logging.DEBUG  # the inlet says it

    def __init__(self, address: MqttAddress, client_id: str) -> None:
        super().__init__(address, client_id)
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._usable = asyncio.Event()
        self._number = 0
        self.packet_bytes = _PACKET_BYTES
        """The greatest answer that the broker takes, with all that stands around it."""

    async def answer(self, answer: Answer) -> ReasonCode:
        """Returns what the broker says when it has the answer. Raises LostError."""
        properties = properties_of(
            PacketTypes.PUBLISH,
            ContentType=answer.content_type,
            PayloadFormatIndicator=1,
            MessageExpiryInterval=_KEPT_SECONDS,
        )
        if answer.correlation is not None:
            properties.CorrelationData = answer.correlation
        if not self.ready:
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

    async def wait(self, seconds: float) -> bool:
        """Whether it can be used, within so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._usable.wait(), seconds)
        return self.ready

    def _made(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_publish = self._on_publish
        client.max_inflight_messages_set(_AT_ONCE)
        return client

    def _connected(self, _client: Client, properties: Properties | None) -> None:
        self.packet_bytes = min(getattr(properties, "MaximumPacketSize", _PACKET_BYTES), _PACKET_BYTES)
        self._use()
        self._in_loop(self._usable.set)

    def _closed(self) -> None:
        self._in_loop(self._lost)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        """Called with a lock of paho's held that `publish` needs, so nothing may be waited for here."""
        self._in_loop(self._answered, mid, reason)

    def _answered(self, mid: int, reason: ReasonCode) -> None:
        future = self._answers.get(mid)
        if future is not None and not future.done():
            future.set_result(reason)

    def _lost(self) -> None:
        self._number += 1
        if not self.ready:
            self._usable.clear()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(LostError(self._number))
