"""Reading of MQTT 5 PUBLISH packets, in one pass. Pure.

paho's own reading takes time in the square of the number of user properties (52 s for a packet of 1 MB), and gives the
connection up over U+FEFF in one of them, which MQTT allows: the broker would send that message again and again, and
nothing after it. Either would let one device stop all others."""

import struct
from typing import Final, NamedTuple

from paho.mqtt.exception import MalformedPacket

_CONTENT_TYPE: Final = 0x03
_RESPONSE_TOPIC: Final = 0x08
_CORRELATION_DATA: Final = 0x09
_SUBSCRIPTION_ID: Final = 0x0B
_USER_PROPERTY: Final = 0x26
_SIZES: Final = {0x01: 1, 0x02: 4, 0x23: 2}
"""Of properties that are numbers: payload format, message expiry, topic alias."""
_OVERHEAD_BYTES: Final = 1000
"""Of one message: objects that stand for it until it is acknowledged."""


class Received(NamedTuple):
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    qos: int = 0
    number: int = 0
    """Its packet identifier, by which it is acknowledged; only good on the connection that it came on."""
    content_type: str = ""
    response_topic: str = ""
    correlation: bytes | None = None
    properties: tuple[tuple[str, str], ...] = ()
    """The user properties."""
    size: int = _OVERHEAD_BYTES
    """The bytes that are held for it, about."""
    connection: int = 0
    """Which of our connections it came on."""


def read_publish(head: int, packet: bytes | bytearray) -> Received:
    """The message in a packet. Text that is not UTF-8, which the broker should have turned away, gets replacement
    characters.

    :param head: the first byte of the fixed header.
    :param packet: all after the fixed header.

    Raises MalformedPacket, at which paho gives the connection up."""
    qos = head >> 1 & 3
    try:
        topic, position = _bytes(packet, 0)
        number = 0
        if qos:
            (number,) = struct.unpack_from("!H", packet, position)
            position += 2
        length, position = _variable(packet, position)
        begin, end = position + length, len(packet)
        if begin > end:
            raise MalformedPacket("its properties are longer than the packet")
        found = _properties(packet, position, begin)
    except (struct.error, IndexError):
        raise MalformedPacket("it is cut off") from None
    texts = {_CONTENT_TYPE: "", _RESPONSE_TOPIC: ""}
    correlation = None
    pairs = []
    for identifier, value, more in found:
        if identifier == _USER_PROPERTY:
            pairs.append((_text(value), _text(more)))
        elif identifier == _CORRELATION_DATA:
            correlation = value
        else:
            texts[identifier] = _text(value)
    return Received(
        _text(topic),
        bytes(packet[begin:end]),
        qos,
        number,
        texts[_CONTENT_TYPE],
        texts[_RESPONSE_TOPIC],
        correlation,
        tuple(pairs),
        len(packet) + 100 * len(pairs) + _OVERHEAD_BYTES,
    )


def _properties(packet: bytes | bytearray, position: int, end: int) -> list[tuple[int, bytes, bytes]]:
    """Identifier and value of those that say something to us; a user property has two."""
    found = []
    while position < end:
        identifier = packet[position]
        position += 1
        if identifier in (_CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION_DATA):
            value, position = _bytes(packet, position)
            found.append((identifier, value, b""))
        elif identifier == _USER_PROPERTY:
            name, position = _bytes(packet, position)
            value, position = _bytes(packet, position)
            found.append((identifier, name, value))
        elif identifier == _SUBSCRIPTION_ID:
            _, position = _variable(packet, position)
        elif identifier in _SIZES:
            position += _SIZES[identifier]
        else:
            raise MalformedPacket(f"it has a property {identifier}, which no PUBLISH has")
    if position != end:
        raise MalformedPacket("a property goes on behind the end of the properties")
    return found


def _bytes(packet: bytes | bytearray, position: int) -> tuple[bytes, int]:
    """What stands behind its length, and where it ends."""
    (length,) = struct.unpack_from("!H", packet, position)
    end = position + 2 + length
    if end > len(packet):
        raise MalformedPacket("it is cut off")
    return bytes(packet[position + 2 : end]), end


def _variable(packet: bytes | bytearray, position: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte = packet[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise MalformedPacket("a length has more than four bytes")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
