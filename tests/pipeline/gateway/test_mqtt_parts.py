"""What the door for MQTT is made of, each part by itself: topics, packets, acknowledgements, room, answers."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes

from pipeline.gateway.callers import Access, Callers
from pipeline.gateway.intake import Outcome
from pipeline.gateway.judge import Judged
from pipeline.gateway.mqtt.acknowledgements import Acknowledgements
from pipeline.gateway.mqtt.charging import charge
from pipeline.gateway.mqtt.connection import properties_of
from pipeline.gateway.mqtt.packets import Received, read_publish
from pipeline.gateway.mqtt.reach import QUIET_SECONDS, Reach
from pipeline.gateway.mqtt.reading import answer_to, door_of
from pipeline.gateway.mqtt.room import Room
from pipeline.gateway.mqtt.topics import answer_topic, sent_to
from pipeline.gateway.records import Outgoing, Stored
from pipeline.keys.key import Key
from schemas.reject import Reason, Rejection
from tests.system.parts import wait_for

USUAL = "yangguang/v1/answers/acme"

# -- topics ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "stream", "producer"),
    [
        ("yangguang/v1/seal/acme", "yangguang.seal", "acme"),
        ("yangguang/v1/yangguang.camera/box-7", "yangguang.camera", "box-7"),
        ("yangguang/v1/seals/acme", None, "acme"),
        ("yangguang/v1/yangguang.rejected/acme", None, "acme"),
        ("yangguang/v1/seal/", "yangguang.seal", ""),
        ("yangguang/v1//acme", None, "acme"),
    ],
)
def test_a_topic_names_stream_and_producer(topic: str, stream: str | None, producer: str) -> None:
    sent = sent_to(topic)
    assert (sent.stream, sent.producer, sent.is_answer) == (stream, producer, False)


def test_an_answer_is_known_for_one() -> None:
    assert sent_to(USUAL).is_answer


@pytest.mark.parametrize(
    "wanted", [USUAL, f"{USUAL}/camera-7", "acme/answers", "/a", "answers/é", "yangguang2/v1/seal/acme"]
)
def test_an_answer_goes_where_it_is_wanted(wanted: str) -> None:
    assert answer_topic(wanted, "acme") == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "yangguang/v1/seal/acme",
        "yangguang/v1/answers/other",
        "yangguang/v1/answers/acmes",
        "yangguang/v1/answers",
        "yangguang",
        "yangguang/",
        "$SYS/x",
        "$share/a/b",
        "a/+",
        "a/#",
        "a\x00b",
        "a\nb",
        "\ufeffa",
    ],
)
def test_where_no_answer_may_go_it_goes_to_the_producers_own_topic(wanted: str) -> None:
    assert answer_topic(wanted, "acme") == USUAL


def test_a_producers_name_is_recorded_as_far_as_it_could_be_one() -> None:
    assert door_of(Received("yangguang/v1/seal/" + "a\x01" * 100, b"")).producer == "a" * 32


# -- packets -----------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


def publish(qos: int, topic: str, payload: bytes, **properties: Any) -> bytes:
    """A PUBLISH packet after its fixed header, as paho writes one."""
    raw = topic.encode()
    number = b"\x00\x07" if qos else b""
    packed: bytes = properties_of(PacketTypes.PUBLISH, **properties).pack()  # type: ignore[no-untyped-call]
    return len(raw).to_bytes(2) + raw + number + packed + payload


@given(
    st.sampled_from([0, 1]),
    TEXTS,
    st.binary(max_size=50),
    TEXTS,
    TEXTS,
    st.none() | st.binary(max_size=30),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=5),
    st.none() | st.integers(1, 2**28 - 1),
)
def test_a_packet_is_read_as_it_was_written(
    qos: int,
    topic: str,
    payload: bytes,
    content_type: str,
    response: str,
    correlation: bytes | None,
    pairs: list[tuple[str, str]],
    identifier: int | None,
) -> None:
    written: dict[str, Any] = {
        "PayloadFormatIndicator": 1,
        "MessageExpiryInterval": 7,
        "ContentType": content_type,
        "ResponseTopic": response,
    }
    if correlation is not None:
        written["CorrelationData"] = correlation
    if pairs:
        written["UserProperty"] = pairs
    if identifier is not None:
        written["SubscriptionIdentifier"] = identifier
    read = read_publish(0x30 | qos << 1, bytearray(publish(qos, topic, payload, **written)))
    assert read._replace(size=0) == Received(
        topic, payload, qos, 7 * qos, content_type, response, correlation, tuple(pairs), 0
    )
    assert read.size > len(payload)


@given(st.integers(0, 255), st.binary(max_size=60))
def test_a_packet_of_any_bytes_is_read_or_called_malformed(head: int, packet: bytes) -> None:
    try:
        read = read_publish(head, packet)
    except MalformedPacket:
        return
    assert len(read.payload) <= len(packet)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_packet_that_is_cut_off_is_malformed(cut: int) -> None:
    whole = publish(1, "t", b"", ContentType="application/json", UserProperty=[("a", "b")])
    with pytest.raises(MalformedPacket):
        read_publish(0x32, whole[: len(whole) - cut])


def test_a_packet_may_be_full_of_user_properties() -> None:
    pairs = [("a", "\ufeff")] * 100_000
    body = b"".join(b"\x26\x00\x01a\x00\x03\xef\xbb\xbf" for _ in pairs)
    length = len(body)
    packet = b"\x00\x01t" + bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14]) + body + b"x"
    read = read_publish(0x30, packet)
    assert read.properties == tuple(pairs)
    assert read.payload == b"x"


# -- acknowledgements --------------------------------------------------------------------------------------------------


def message(number: int, connection: int = 1, qos: int = 1) -> Received:
    return Received("t", b"", qos, number, connection=connection)


class Acked:
    """Acknowledgements and what they have sent."""

    def __init__(self, count: int, connection: int = 1) -> None:
        self.sent: list[tuple[int, int]] = []
        self.made = Acknowledgements(lambda connection, number: self.sent.append((connection, number)))
        for number in range(1, count + 1):
            self.made.expect(message(number, connection))

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.sent]


@given(st.permutations(range(1, 9)))
def test_whatever_is_done_first_acknowledgements_go_in_the_order_of_arrival(order: list[int]) -> None:
    acked = Acked(8)
    for count, number in enumerate(order, 1):
        acked.made.done(message(number))
        done = set(order[:count])
        assert acked.numbers == [one for one in range(1, 9) if set(range(1, one + 1)) <= done]


def test_what_is_set_aside_is_overtaken_and_acknowledged_when_it_is_done() -> None:
    acked = Acked(3)
    acked.made.done(message(2))
    acked.made.set_aside(message(1))
    acked.made.done(message(3))
    assert acked.numbers == [2, 3]
    acked.made.done(message(1))
    assert acked.numbers == [2, 3, 1]


def test_what_came_on_an_earlier_connection_acknowledges_nothing_on_this_one() -> None:
    acked = Acked(2)
    acked.made.expect(message(1, 2))
    acked.made.done(message(1, 1))
    acked.made.set_aside(message(1, 1))
    acked.made.done(message(2, 1))
    assert acked.sent == []
    acked.made.done(message(1, 2))
    assert acked.sent == [(2, 1)]


def test_nothing_is_acknowledged_twice_or_unasked() -> None:
    acked = Acked(1)
    acked.made.done(message(7))
    acked.made.done(message(1, qos=0))
    for _ in range(2):
        acked.made.done(message(1))
    assert acked.numbers == [1]


# -- room --------------------------------------------------------------------------------------------------------------


def waiting(take: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return thread


def test_who_takes_waits_until_there_is_room() -> None:
    room = Room(10)
    room.take(8)
    thread = waiting(lambda: room.take(3))
    thread.join(0.2)
    assert thread.is_alive()
    room.give_back(1)
    thread.join(10)
    assert not thread.is_alive()
    assert room.held == 10


def test_what_is_greater_than_the_room_is_taken_when_nothing_else_is_held() -> None:
    room = Room(10)
    room.take(100)
    assert room.held == 100


def test_who_waits_is_let_go_when_the_room_is_closed() -> None:
    room = Room(10)
    room.take(10)
    threads = [waiting(lambda: room.take(1)) for _ in range(3)]
    room.close()
    wait_for(lambda: not any(one.is_alive() for one in threads), 10, "all are let go")


# -- where the broker lets us answer -----------------------------------------------------------------------------------


def test_what_was_refused_elsewhere_is_told_on_the_usual_topic_for_a_while() -> None:
    reach = Reach()
    assert reach.place("else/where", USUAL, 0) == "else/where"
    reach.refused("else/where", 0)
    assert reach.place("other/place", USUAL, 1) == USUAL
    assert reach.place("other/place", USUAL, QUIET_SECONDS) == "other/place"


def test_where_not_even_the_usual_topic_is_allowed_nothing_is_told_for_a_while() -> None:
    reach = Reach()
    reach.refused(USUAL, 0)
    reach.refused("else/where", 0)
    assert reach.place("else/where", USUAL, 1) is None
    assert reach.place(USUAL, USUAL, QUIET_SECONDS) == USUAL


def test_connections_lost_in_a_row_are_taken_for_a_refusal_but_not_many_answers_of_one() -> None:
    reach = Reach()
    assert not any(reach.lost(USUAL, 1, 0) for _ in range(10))
    assert not reach.lost(USUAL, 2, 0)
    reach.taken(USUAL)
    assert [reach.lost(USUAL, connection, 0) for connection in (3, 4, 5)] == [False, False, True]
    assert reach.place(USUAL, USUAL, 1) is None


# -- answers -----------------------------------------------------------------------------------------------------------


def outcome(accepted: int, refused: int) -> Outcome:
    record = Outgoing("yangguang.seal", b"o", b"{}")
    judged = [Judged(record, f"a-{number}") for number in range(accepted)]
    judged += [Judged(record, f"r-{number}", Rejection(Reason.BAD_VALUE, "/data")) for number in range(refused)]
    return Outcome(judged, [Stored(0, number) for number in range(len(judged))])


@given(st.integers(0, 40), st.integers(1, 40), st.integers(500, 6_000))
def test_an_answer_fits_and_says_how_much_it_leaves_out(accepted: int, refused: int, greatest: int) -> None:
    received = Received("yangguang/v1/seal/acme", b"")
    answer = answer_to(received, USUAL, None, outcome(accepted, refused), greatest)
    assert answer is not None
    assert len(answer.payload) + len(USUAL) < greatest
    body = orjson.loads(answer.payload)
    shown = [one["index"] for one in body["results"]]
    assert (body["accepted"], body["rejected"]) == (accepted, refused)
    assert shown == sorted(shown)
    assert len(shown) + body.get("left_out", 0) == accepted + refused
    if any(one["status"] == "accepted" for one in body["results"]):
        assert sum(one["status"] == "rejected" for one in body["results"]) == refused


# -- rates -------------------------------------------------------------------------------------------------------------


class Ring:
    """Keys of one producer, of these rates."""

    def __init__(self, *rates: str | None) -> None:
        now = datetime.now(UTC)
        self._keys = [
            Key(id=f"k{number}", producer="acme", digest="", rate=rate, created_at=now)
            for number, rate in enumerate(rates)
        ]

    def valid_of(self, _producer: str) -> list[Key]:
        return self._keys


def charged(due: int, *rates: str | None) -> tuple[int, float]:
    callers = Callers(Ring(*rates), Access())  # type: ignore[arg-type] # only this is asked of it
    return charge(callers, callers.of_producer("acme"), due)


def test_a_message_of_more_events_than_the_rate_allows_is_counted_in_parts() -> None:
    due, wait = charged(25, "10/hour")
    assert due == 15
    assert wait > 0


def test_the_greatest_rate_of_a_producers_keys_counts_and_none_is_without_limit() -> None:
    assert charged(25, "10/hour", "30/hour", "1/day") == (0, 0)
    assert charged(25, "10/hour", None) == (0, 0)
    assert charged(25) == (0, 0)
