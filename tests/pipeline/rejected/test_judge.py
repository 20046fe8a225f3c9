"""What becomes of a refused event that is judged again: as on the road on which it came, and by who may push."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.rejected.raw import Found
from pipeline.rejected.replay import Accepted, Judge, Replayer, Tally
from schemas.event import Event
from schemas.reject import Reason, Rejection
from sinks.clickhouse.rejected import RejectedRow
from tests.schemas.events import FINDING, HEARTBEAT, LATEST, ORDER, to_bytes, whole

GOOD = to_bytes(whole(ORDER))
BAD = to_bytes(whole(ORDER, packages=0))


def row(topic: str = "http", **changes: Any) -> RejectedRow:
    made = RejectedRow(topic, -1, 7, "bad_value", "", "/platform/meituan", "1", ORDER, "", "", 0, 0, 7)
    return made._replace(**changes)


def everybody(_producer: str, _event: Event) -> bool:
    return True


def test_what_is_accepted_goes_to_its_topic_under_its_entity_with_its_own_bytes() -> None:
    verdict = Judge().judge(row(), GOOD, LATEST)
    assert verdict == ([Accepted("yangguang.seal", b"o-1001", GOOD)], None)


def test_the_key_is_the_field_that_keeps_what_belongs_together_in_order() -> None:
    assert Judge().judge(row(), to_bytes(whole(FINDING)), LATEST).accepted[0].key == b"c-1"


def test_what_is_refused_still_is_not_sent() -> None:
    accepted, rejection = Judge().judge(row(), BAD, LATEST)
    assert not accepted
    assert rejection is not None
    assert rejection.reason is Reason.BAD_VALUE


@pytest.mark.parametrize("topic", ["http", "mqtt"])
def test_at_a_door_the_type_says_the_topic(topic: str) -> None:
    assert Judge().judge(row(topic), to_bytes(whole(HEARTBEAT)), LATEST).accepted[0].topic == "yangguang.camera"


def test_what_came_on_a_topic_has_to_belong_there() -> None:
    verdict = Judge().judge(row("yangguang.seal", partition=0), to_bytes(whole(HEARTBEAT)), LATEST)
    assert verdict.rejection is not None
    assert verdict.rejection.reason is Reason.WRONG_TOPIC


def test_what_came_from_nowhere_goes_nowhere() -> None:
    assert Judge().judge(row("elsewhere"), GOOD, LATEST).accepted == ()


@pytest.mark.parametrize("reason", [Reason.NOT_PERMITTED, Reason.BAD_VALUE])
def test_whoever_pushed_it_has_to_be_permitted_now_whatever_it_was_refused_for(reason: Reason) -> None:
    pushed = row(producer="acme", reason=reason.value)

    def asked(producer: str, event: Event) -> bool:
        return producer == "acme" and event.source == "/platform/meituan"

    assert Judge(permitted=asked).judge(pushed, GOOD, LATEST).rejection is None
    other = Judge(permitted=asked).judge(pushed._replace(producer="other"), GOOD, LATEST)
    unknown = Judge().judge(pushed, GOOD, LATEST)
    for verdict in (other, unknown):
        assert not verdict.accepted
        assert verdict.rejection is not None
        assert verdict.rejection.reason is Reason.NOT_PERMITTED


def test_what_was_not_permitted_and_has_no_producer_is_never_accepted() -> None:
    verdict = Judge(permitted=everybody).judge(row(reason="not_permitted"), GOOD, LATEST)
    assert not verdict.accepted


def test_a_vendors_message_goes_through_its_mapping_again() -> None:
    def events_of(vendor: str, raw: bytes) -> Sequence[bytes]:
        return [GOOD, to_bytes(whole(HEARTBEAT))] if (vendor, raw) == ("acme", b"theirs") else []

    verdict = Judge(events_of).judge(row(vendor="acme"), b"theirs", LATEST)
    assert [one.topic for one in verdict.accepted] == ["yangguang.seal", "yangguang.camera"]
    assert verdict.rejection is None


def test_of_a_vendors_message_what_is_accepted_goes_on_and_the_row_stays_while_something_is_refused() -> None:
    verdict = Judge(lambda _vendor, _raw: [BAD, GOOD]).judge(row(vendor="acme"), b"theirs", LATEST)
    assert len(verdict.accepted) == 1
    assert verdict.rejection is not None


def test_a_message_that_cannot_be_mapped_stays() -> None:
    rejection = Rejection(Reason.NOT_MAPPED, ": no field")
    assert Judge(lambda _vendor, _raw: rejection).judge(row(vendor="acme"), b"x", LATEST) == ((), rejection)
    without = Judge().judge(row(vendor="acme"), GOOD, LATEST)
    assert without.rejection is not None
    assert without.rejection.reason is Reason.NOT_MAPPED


def test_the_tally_counts_every_row_once_by_what_became_of_it() -> None:
    tally = Tally()
    replayer = Replayer(Judge(), None, tally)
    for raw in (GOOD, BAD, None, GOOD, b"x"):
        replayer.take(Found(row(), raw), LATEST, LATEST)
    replayer.flush(LATEST)
    assert (tally.replayed, tally.gone, dict(tally.refused)) == (2, 1, {"bad_value": 1, "not_json": 1})
    assert tally.seen == 5
    assert [rejection.reason.value for _, rejection in tally.examples] == ["bad_value", "not_json"]
