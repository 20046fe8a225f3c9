"""The line on which each key and entry of a TOML file is written: in these texts every number is its own line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.toml_lines import Lines, Location

ROOT: Final = Path(__file__).resolve().parents[2]

TRICKY: Final = r"""# [no.table] x = 0
plain = 2 # {a = 0}
"quoted key".'a.b'."\"]=" = 3
text = ["a # no comment \" [ {", 4]
literal = ['c:\', 5]
long = '''
x = 0 ''
''''
after_long = 9
escaped = ["\\", 10, '"', 10, "'''", 10]
when = [2027-01-01 00:00:00, 11] # ]
list = [ # first
  13, [13,
  {a = 14, "b,c" = [
    15, # ]]
  ], d.e = 16}, 16,

], -1.5e3, nan, true,
]
[ "spaced" . table ]
a.b.c = 21
a . d = 22
[[entries]]
a = 24
[[entries.inner]]
a = 26
[[entries.inner]]
[entries.inner.table]
a = 29
[[entries]]
inner = [{a = 31}, {}, {a = 31}]
"""
MULTILINE: Final = '"""\\"""\n@ = """""'


def leaves(value: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Every key and entry that is no table or list, with its value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*location, key))
    else:
        yield location, value


def numbers(text: str) -> dict[Location, int]:
    return {at: value for at, value in leaves(tomllib.loads(text)) if type(value) is int}


def test_every_number_of_a_text_full_of_traps_is_on_its_line() -> None:
    lines = Lines(TRICKY)
    expected = numbers(TRICKY)
    assert len(expected) == 22
    assert {location: lines.line(location) for location in expected} == expected
    assert all(lines.written(location) == location for location, _ in leaves(tomllib.loads(TRICKY)))


@pytest.mark.parametrize(
    ("location", "line", "written"),
    [
        ((), 1, 0),
        (("nothing",), 1, 0),
        (("plain", 0, "value"), 2, 1),
        (("spaced", "table"), 20, 2),
        (("spaced", "table", "x"), 20, 2),
        (("entries",), 23, 1),
        (("entries", 0, "inner", 1), 27, 4),
        (("entries", 1), 30, 2),
        (("entries", 2), 23, 1),
        (("list", 1, 1, "b,c", 7), 14, 4),
    ],
)
def test_of_what_is_not_written_the_line_is_that_of_the_deepest_part_that_is(
    location: Location, line: int, written: int
) -> None:
    assert Lines(TRICKY).line(location) == line
    assert Lines(TRICKY).written(location) == location[:written]


KEYS: Final = st.sampled_from(["a", "b-1", "3", '"c.d"', "'[e]'", '"\\"="', '"#"', '""'])
BLANKS: Final = st.sampled_from(["", " ", "\n", "\t\n \n", " # , ] } = [\n", "\r\n"])
STRINGS: Final = st.sampled_from(
    ['"x"', "'\\'", '""', "''", '"\\\\"', '"# [{"', "'''\n''a'''", '"""\n\\" """', MULTILINE, "2027-01-01", "1e3"]
)


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A list over several lines."""
    entries = draw(st.lists(inner, max_size=3))
    text = "".join(f"{draw(BLANKS)}{one}{draw(BLANKS)}," for one in entries)
    return f"[{text}{draw(BLANKS)}]" if draw(st.booleans()) or not entries else f"[{text[:-1]}{draw(BLANKS)}]"


@st.composite
def tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """An inline table."""
    keys = draw(st.lists(KEYS, max_size=3, unique=True))
    return "{ " + ", ".join(f"{key} = {draw(inner)}" for key in keys) + " }"


VALUES: Final = st.recursive(st.just("@") | STRINGS, lambda inner: lists(inner) | tables(inner), max_leaves=8)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Headers and pairs, `@` in place of each number."""
    text = ""
    for number in range(draw(st.integers(1, 4))):
        header = draw(st.sampled_from(["[t{}]", "[[many]]", "[[ many ]]\n[many.'in.ner']", "[t{}.{}]", "[a.'b'.t{}]"]))
        text += header.replace("{}", str(number)) if number else ""
        text += " # ]\n" if draw(st.booleans()) else "\n"
        for key in draw(st.lists(KEYS, max_size=3, unique=True)):
            dotted = draw(st.sampled_from(["", "x.", "x . 'y'."]))
            text += f"{draw(BLANKS)}{dotted}p{number}.{key} = {draw(VALUES)}\n"
    return "".join(str(text.count("\n", 0, at) + 1) if one == "@" else one for at, one in enumerate(text))


@given(texts())
def test_every_number_of_any_text_is_on_its_line(text: str) -> None:
    lines = Lines(text)
    expected = numbers(text)
    assert {location: lines.line(location) for location in expected} == expected
    assert all(lines.written(location) == location for location, _ in leaves(tomllib.loads(text)))


@pytest.mark.parametrize("path", ["pyproject.toml", "deploy/yangguang.toml", "pipeline/embedded/kafka.lock.toml"])
def test_every_key_of_a_file_of_ours_is_found(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = Lines(text)
    for location, _ in leaves(tomllib.loads(text)):
        assert lines.written(location) == location
        name = next(part for part in reversed(location) if isinstance(part, str))
        assert isinstance(location[-1], int) or name in text.splitlines()[lines.line(location) - 1]
