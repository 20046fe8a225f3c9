"""The file of a mapping is refused with its line, key, reason and way out."""

import re

import pytest

from pipeline.settings import SettingsError
from pipeline.vendors.mapping import read_mapping

HEAD = 'description = "a box"\n'


def test_a_mapping_is_unverified_unless_said_and_its_sources_may_be_left_out() -> None:
    mapping = read_mapping(f"{HEAD}events = '''\n{{\"id\": no}}\n'''\n", "box.toml")
    assert (mapping.description, mapping.verified, mapping.source) == ("a box", False, ())
    assert read_mapping(f"{HEAD}verified = true\nevents = 'a'", "box.toml").verified


def test_it_is_known_whether_a_mapping_asks_whose_a_device_is() -> None:
    assert read_mapping(f"{HEAD}events = '{{\"a\": $device(b)}}'", "f").needs_devices
    assert not read_mapping(f"{HEAD}events = '{{\"a\": $devices}}'", "f").needs_devices


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD, 1, "events: the key is missing: add it"),
        ("events = 'a'", 1, "description: the key is missing: add it"),
        (f"{HEAD}events = 3", 2, "events: should be text in quotes"),
        (f"{HEAD}events = ''", 2, "events: should not be empty"),
        (f"{HEAD}verified = 'yes'\nevents = 'a'", 2, "verified: should be true or false without quotes"),
        (
            f"{HEAD}evnts = 'a'\nevents = 'a'",
            2,
            "evnts: the key is not known: use description, events, source, verified",
        ),
        (f"{HEAD}events = 'a'\n[[source]]\ntitle = 'x'", 3, "source.url: the key is missing: add it"),
        (f"{HEAD}events = 'a'\n[[source]]\nurl = 'x'\ntitle = 'x'", 4, "source.url: should begin with http:// or"),
        (
            f"{HEAD}events = 'a'\n[[source]]\ntitle = 'x'\nurl = 'https://x'\nurll = 'x'\n",
            6,
            "source.urll: the key is not known: use title, url",
        ),
        (f"{HEAD}source = 'x'\nevents = 'a'", 2, "source: should be a list in brackets"),
        (f"{HEAD}\nevents = 'a +'", 3, "events: is no JSONata expression (Parse error: S0207"),
        (f"{HEAD}\nevents = '{{'", 3, "events: is no JSONata expression"),
        (f"{HEAD}events = '$eval(a)'", 2, "events: $eval may not be called, as it would run what a message says: do"),
        (f"{HEAD}events = '$pad(a, b)'", 2, "$pad may not be called, as a number of the message could make it fill"),
        (f"{HEAD}events = 'a ~> $formatInteger'", 2, "$formatInteger may not be called"),
        (f"{HEAD}events = '$random()'", 2, "$random may not be called, as the same message has to give the same"),
        (f"{HEAD}events = '$f := $shuffle'", 2, "$shuffle may not be called"),
        (f"{HEAD}events = ", 2, "Invalid value: correct it, as this is not TOML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_with_its_line_and_reason(text: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_mapping(text, "box.toml")
    message = str(caught.value)
    assert message.startswith(f"box.toml, line {line}: ")
    assert words in message
    assert not re.search(r"\n|pydantic|tuple|Value error", message)
