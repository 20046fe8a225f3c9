"""What `[rejects]` may say, and what the alert stage makes of it."""

import pytest

from pipeline.settings import SettingsError, read_configuration
from streams.rejects_rule import RejectsRule


def test_without_the_table_a_twentieth_or_a_hundred_a_minute_for_five_minutes_is_too_much() -> None:
    assert read_configuration("", "f").rejects.rule() == RejectsRule(0.05, 20, 100, 5, 10)


def test_every_number_can_be_another() -> None:
    text = '[rejects]\nshare = 0.2\nfloor = 5\nper_minute = 30\nfor = "0m"\nwindow = "1h"'
    rule = read_configuration(text, "f").rejects.rule()
    assert rule == RejectsRule(0.2, 5, 30, 0, 60)
    assert rule.window == "60m"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[rejects]\nshare = 5", 2, "rejects.share: should be less than or equal to 1"),
        ("[rejects]\nshare = -0.1", 2, "rejects.share: should be greater than or equal to 0"),
        ("[rejects]\nshare = nan", 2, "rejects.share: should be a finite number"),
        ("[rejects]\nshare = '5%'", 2, "rejects.share: should be a number without quotes"),
        ("[rejects]\nfloor = 0", 2, "rejects.floor: should be greater than or equal to 1"),
        ("[rejects]\nper_minute = 1.5", 2, "rejects.per_minute: should be a whole number"),
        ("[rejects]\nfor = '90s'", 2, "rejects.for: should be whole minutes"),
        ("[rejects]\nfor = '25h'", 2, "rejects.for: should be at most 1d"),
        ("[rejects]\nwindow = '0m'", 2, "rejects.window: should be from 1m to 1h"),
        ("[rejects]\nwindow = '2h'", 2, "rejects.window: should be from 1m to 1h"),
        (
            "[rejects]\nshare = 0.1\nshares = 0.1",
            3,
            "shares: the key is not known: use floor, for, per_minute, share, w",
        ),
        ("rejects = 0.05", 1, "rejects: should be a table"),
    ],
)
def test_what_it_may_not_say_is_refused_with_line_and_reason(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_configuration(text, "yangguang.toml")
    assert str(caught.value).startswith(f"yangguang.toml, line {line}: ")
    assert message in str(caught.value)
