"""The links of messages: each names one firing and an end, and nothing else is taken for one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.action_links import LinkError, link_key, make_link, read_token
from streams.alert_machine import alert_id
from streams.rejects_condition import CODE, SCOPE

KEY = link_key(b"a master of signing secrets for tests")
SINCE = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
MOMENT = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


@given(st.text(min_size=1, max_size=60), st.timedeltas(timedelta(0), timedelta(days=365)))
def test_a_link_says_what_it_was_made_for(alert_id: str, later: timedelta) -> None:
    since = SINCE + later
    address = make_link("https://x.example/", KEY, alert_id, since, MOMENT + timedelta(hours=1))
    assert address.startswith("https://x.example/a/")
    linked = read_token(address.rpartition("/")[2], KEY, MOMENT)
    assert linked == (alert_id, since, MOMENT + timedelta(hours=1))


@given(st.data())
def test_a_link_with_any_other_letter_is_refused(data: st.DataObject) -> None:
    token = make_link("", KEY, "seal", SINCE, MOMENT + timedelta(hours=1)).rpartition("/")[2]
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != token[place]))
    with pytest.raises(LinkError):
        read_token(token[:place] + letter + token[place + 1 :], KEY, MOMENT)


@pytest.mark.parametrize("letter", ["源", "𠮷", '"', "a"])
def test_the_link_of_the_longest_source_is_taken(letter: str) -> None:
    identity = alert_id(CODE, SCOPE, letter * 256, "1440m")
    token = make_link("", KEY, identity, SINCE, MOMENT + timedelta(hours=1)).rpartition("/")[2]
    assert read_token(token, KEY, MOMENT).alert_id == identity


def test_what_is_longer_than_any_link_is_refused_unread() -> None:
    token = make_link("", KEY, "a" * 2000, SINCE, MOMENT + timedelta(hours=1)).rpartition("/")[2]
    with pytest.raises(LinkError, match="none of ours"):
        read_token(token, KEY, MOMENT)


def test_a_link_ends_at_its_end() -> None:
    token = make_link("", KEY, "seal", SINCE, MOMENT).rpartition("/")[2]
    assert read_token(token, KEY, MOMENT - timedelta(seconds=1)).alert_id == "seal"
    with pytest.raises(LinkError, match="expired"):
        read_token(token, KEY, MOMENT)
