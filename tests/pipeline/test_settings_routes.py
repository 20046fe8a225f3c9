"""Routes and maintenance in `yangguang.toml`: what is read, and what is refused with its line."""

from datetime import datetime, timedelta

import pytest

from pipeline.configuration import SettingsError
from pipeline.configuration_file import read_configuration
from schemas.indicator import SHANGHAI
from streams.routing import Hours, Match

TEXT = """
[channel.duty]
type = "console"

[[route]]
name = "canteens"
match = { departments = ["市教体局"], severities = ["critical"] }
channels = ["duty"]
hours = "22:00-06:00"
days = "workdays"
escalate_after = "15m"
escalate_to = ["duty"]
continue = true

[[maintenance]]
name = "move"
from = 2026-12-01T22:00:00
to = 2026-12-02T06:00:00

[[maintenance]]
name = "backup"
daily = "02:00-04:00"
match = { indicators = ["stale"] }
"""


def test_routes_and_maintenance_are_read() -> None:
    read = read_configuration(TEXT, "yangguang.toml")
    [route] = [one.route() for one in read.route]
    assert route.match == Match(departments=("市教体局",), severities=("critical",))
    assert (route.hours, route.days, route.continue_) == (Hours(22 * 60, 6 * 60), "workdays", True)
    assert (route.escalate_after, route.escalate_to) == (timedelta(minutes=15), ("duty",))
    once, daily = [one.maintenance() for one in read.maintenance]
    assert once.begin == datetime(2026, 12, 1, 22, tzinfo=SHANGHAI)
    assert (daily.daily, daily.match) == (Hours(120, 240), Match(indicators=("stale",)))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('channels = ["duty"]', 'channels = ["dutty"]', "line 8: route.channels: there is no channel 'dutty'"),
        ('channels = ["duty"]', "channels = []", "line 8: route.channels: should name a channel at least"),
        ('escalate_to = ["duty"]', "", "line 11: route.escalate_after: escalate_after and escalate_to go together"),
        ('escalate_to = ["duty"]', 'escalate_to = ["boss"]', "line 12: route.escalate_to: there is no channel 'boss'"),
        ("departments =", "department =", "line 7: route.match.department: the key is not known: use departments, "),
        ("市教体局", "市公安局", "line 7: route.match.departments: is no department: use one of 市食药安办"),
        ("22:00-06:00", "22:00-25:00", "line 9: route.hours: should be from and to in quotes"),
        ("22:00-06:00", "06:00-06:00", "line 9: route.hours: should not end where it begins"),
        ('"15m"', '"2d"', "line 11: route.escalate_after: should be from 1m to 1d"),
        ('"workdays"', '"mondays"', "line 10: route.days: should be 'all', 'workdays' or 'weekends'"),
        ("continue = true", 'continue = "yes"', "line 13: route.continue: should be true or false"),
        ("to = 2026-12-02", "to = 2026-11-02", "line 18: maintenance.to: should be later than from"),
        ("to = 2026-12-02T06:00:00", "", "line 15: maintenance: should have from and to, or daily"),
        ('daily = "02:00-04:00"', "", "line 20: maintenance: should have from and to, or daily"),
        ('["stale"]', '["stail"]', "line 23: maintenance.match.indicators: is no indicator, condition or event"),
        ("from = 2026-12-01T22:00:00", 'from = "soon"', "line 17: maintenance.from: should be a moment without quotes"),
        (
            "[[maintenance]]",
            '[[route]]\nname = "canteens"\nchannels = ["duty"]\n[[maintenance]]',
            "the name of a route",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(right: str, wrong: str, said: str) -> None:
    assert right in TEXT
    with pytest.raises(SettingsError) as refused:
        read_configuration(TEXT.replace(right, wrong, 1), "yangguang.toml")
    assert said in str(refused.value)
