"""On which line of a TOML file each key and each entry of a list is written; `tomllib` does not tell."""

import re
import tomllib
from typing import Any, Final

Location = tuple[str | int, ...]
"""Names of keys, and positions in lists."""

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEY: Final = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER: Final = re.compile(rf"\[(\[?)[ \t]*({_KEY})[ \t]*\]+")
_PAIR: Final = re.compile(rf"({_KEY})[ \t]*=[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK_OR_COMMA: Final = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\]|\\.)*"' + r"|'[^']*'", re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


class Lines:
    """The lines of a text that `tomllib` accepts."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Location, int] = {(): 1}
        self._tables: dict[Location, int] = {}
        """Lists of `[[tables]]`, and the position of the last."""
        table: Location = ()
        while self._skip(_BLANK):
            if header := _HEADER.match(text, self._at):
                table = self._header(_names(header[2]), bool(header[1]))
                self._at = header.end()
            else:
                self._pair(table)

    def written(self, location: Location) -> Location:
        """As much of the location as is written in the file: a default, or what is missing, is not."""
        return next(location[:depth] for depth in range(len(location), -1, -1) if location[:depth] in self._found)

    def line(self, location: Location) -> int:
        """The line of what is written of the location; 1 where nothing is."""
        return self._found[self.written(location)]

    def _note(self, location: Location) -> None:
        self._found.setdefault(location, self._text.count("\n", 0, self._at) + 1)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Goes on behind the pattern, and tells whether there is more."""
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _header(self, names: list[str], is_entry: bool) -> Location:
        table: Location = ()
        for depth, name in enumerate(names, 1):
            table = (*table, name)
            self._note(table)
            if is_entry and depth == len(names):
                self._tables[table] = self._tables.get(table, -1) + 1
            if table in self._tables:
                table = (*table, self._tables[table])
                self._note(table)
        return table

    def _pair(self, table: Location) -> None:
        match = _PAIR.match(self._text, self._at)
        assert match is not None, "tomllib has accepted the text"
        for name in _names(match[1]):
            table = (*table, name)
            self._note(table)
        self._at = match.end()
        self._value(table)

    def _value(self, location: Location) -> None:
        opening = self._text[self._at]
        if opening not in "[{":
            self._skip(_STRING if opening in "\"'" else _SCALAR)
            return
        self._at += 1
        position = 0
        while self._skip(_BLANK_OR_COMMA) and self._text[self._at] not in "]}":
            if opening == "{":
                self._pair(location)
                continue
            self._note((*location, position))
            self._value((*location, position))
            position += 1
        self._at += 1


def _names(key: str) -> list[str]:
    """The parts of a dotted key, without quotes."""
    names: list[str] = []
    inner: Any = tomllib.loads(f"{key} = 0")
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        names.append(name)
    return names
