"""Both roads through the decoder say the same of the same bytes, and neither ever raises."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.catalogue import EVENT_TYPES, STREAMS
from schemas.columns import BlockEncoder
from schemas.decode import Decoder
from schemas.event import Event
from schemas.personal import Tokeniser
from schemas.reject import Rejection
from tests.schemas.events import FINDING, LATEST, ORDER, attributes, to_bytes, whole
from tests.schemas.strategies import any_bytes, events

_DECODERS = {topic: Decoder(topic) for topic in (None, *STREAMS)}
_TOPICS = st.sampled_from([None, *STREAMS])


@settings(max_examples=600)
@given(any_bytes(), _TOPICS)
@example(to_bytes(whole(FINDING, finding="NO_MAS\u212a")), None)
@example(to_bytes(whole(FINDING, vendor_code="e\u0301")), None)
@example(to_bytes(whole(ORDER, extensions={"x": "e\u0301"})), None)
@example(to_bytes(attributes(whole(ORDER), subject=[1e308, "e\u0301"])), None)
def test_the_fast_road_and_the_slow_road_give_the_same_outcome(raw: bytes, topic: str | None) -> None:
    decoder = _DECODERS[topic]
    fast, slow = decoder.decode(raw, LATEST), decoder._judge(raw, LATEST)
    assert isinstance(fast, Event | Rejection)
    assert type(fast) is type(slow)
    assert fast == slow


@settings(max_examples=150)
@given(any_bytes())
def test_a_decoder_of_all_topics_accepts_what_the_decoder_of_the_events_topic_accepts(raw: bytes) -> None:
    of_any = _DECODERS[None].decode(raw, LATEST)
    outcomes = [_DECODERS[topic].decode(raw, LATEST) for topic in STREAMS]
    if isinstance(of_any, Event):
        assert [one for one in outcomes if isinstance(one, Event)] == [of_any]
    else:
        assert of_any in outcomes
        assert all(isinstance(one, Rejection) for one in outcomes)


@settings(max_examples=200)
@given(any_bytes())
def test_what_is_accepted_can_be_written_as_columns(raw: bytes) -> None:
    event = _DECODERS[None].decode(raw, LATEST)
    if isinstance(event, Event):
        encoder = BlockEncoder(EVENT_TYPES[event.type], Tokeniser(bytes(16)))
        columns = encoder.encode([encoder.row(event)] * 2)
        assert [len(column) for column in columns] == [2] * len(encoder.columns)


@settings(max_examples=100)
@given(events())
def test_the_valid_events_of_these_tests_are_accepted(event: dict[str, object]) -> None:
    outcome = _DECODERS[None].decode(to_bytes(event), LATEST)
    allowed = ("/data/extensions", "/data/zone", "/data/reason", "/data/code", "/data/name", "/data/vendor_code")
    assert isinstance(outcome, Event) or outcome.detail.startswith(allowed), outcome
