"""The quick start, followed to the letter: its commands run, and what it shows is what they say."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import pytest

from pipeline.child import dying_with_this_process
from tests.pages import ROOT, blocks, commands, text_of
from tests.pipeline.gateway.stack import free_port
from tests.system.parts import wait_for

ENGLISH: Final = "docs/quickstart.md"
CHINESE: Final = "docs/quickstart.zh-CN.md"
PORTS: Final = ("KAFKA_PORT", "CLICKHOUSE_PORT", "HTTP_PORT")
_DONE: Final = "=== done with "
_MOMENT: Final = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?"


class Step(NamedTuple):
    """Commands, and what the page says that they print, if it says so."""

    commands: str
    shown: str


def steps(page: str) -> list[Step]:
    """What a reader types, block by block."""
    found = re.findall(r"^```(sh|text)\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    after = [*found[1:], ("", "")]
    return [
        Step(text, follows if kind == "text" else "")
        for (language, text), (kind, follows) in zip(found, after, strict=True)
        if language == "sh"
    ]


def pattern(shown: str) -> re.Pattern[str]:
    """What a page shows, as a pattern: moments are others, and `...` is what was left out."""
    escaped = re.escape(re.sub(_MOMENT, "MOMENT", shown.rstrip()))
    return re.compile(escaped.replace("MOMENT", _MOMENT).replace(re.escape("..."), ".*"))


class Terminal:
    """A shell in a folder, in which a reader types."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._errors = folder / "errors.log"
        with self._errors.open("wb") as errors:
            self._shell = subprocess.Popen(
                dying_with_this_process(["sh"]),
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def type(self, text: str) -> str:
        """Types commands, and returns what they print once all have ended well."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f'{text}\necho "{_DONE}$?"\n')
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_DONE):
                assert line == f"{_DONE}0\n", f"{text} failed: {self._errors.read_text()}"
                return "\n".join(lines)
            lines.append(line.rstrip())
        raise AssertionError(f"the shell ended: {self._errors.read_text()}")

    def close(self) -> None:
        """Leaves it."""
        self._shell.kill()
        self._shell.communicate()


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """This folder as somebody finds it who has installed it, and nothing else of theirs."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        os.utime(tmp_path / name, (0, 0))  # older than the installation, which is not to be made anew
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.fixture(name="env")
def _env() -> dict[str, str]:
    """A reader's environment, with ports that are free."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("YANGGUANG_", "MAKE"))}
    return {**own, **{f"YANGGUANG_{name}": str(free_port()) for name in PORTS}}


@pytest.fixture(name="up")
def _up(folder: Path, env: dict[str, str]) -> Iterator[Path]:
    """The first terminal, in which everything runs; its screen."""
    screen = folder / "up.log"
    with screen.open("wb") as out:
        process = subprocess.Popen(
            dying_with_this_process(["sh", "-c", steps(ENGLISH)[0].commands]),
            cwd=folder,
            env=env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, screen.read_text()
            return "ready: dashboard" in screen.read_text()

        wait_for(ready, 60, "it says ready")
        yield screen
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        process.wait(15)
        assert not psutil.wait_procs(family, timeout=5)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def test_whoever_follows_the_page_sees_what_it_shows(up: Path, folder: Path, env: dict[str, str]) -> None:
    terminal = Terminal(folder, env)
    try:
        for step in steps(ENGLISH)[1:]:
            lines = step.commands.replace("8080", env["YANGGUANG_HTTP_PORT"]).splitlines()
            acts = list(takewhile(lambda line: not is_question(line), lines))
            told = [terminal.type("\n".join(acts))] if acts else []
            asks = "\n".join(lines[len(acts) :])
            if asks:  # what was pushed counts a moment later, so a reader asks again
                wait_for(partial(shows, terminal, asks, told, step.shown), 30, f"{asks} shows {step.shown}")
            elif step.shown:
                assert pattern(step.shown).fullmatch(told[0]), told[0]
        assert (folder / "first.ndjson").read_text().count("\n") == 3
        assert "order-2/1" in terminal.type(".venv/bin/yangguang rejected list --json")
    finally:
        terminal.close()
    assert "ready" in up.read_text()


def shows(terminal: Terminal, asks: str, told: list[str], shown: str) -> bool:
    """Whether questions are answered as a page shows, after what was told before."""
    return pattern(shown).fullmatch("\n".join([*told, terminal.type(asks)])) is not None


def is_question(line: str) -> bool:
    """Whether a command only asks, so that it may be repeated."""
    return line.startswith((".venv/bin/yangguang rates", ".venv/bin/yangguang why"))


def test_the_page_shows_enough_to_be_checked() -> None:
    assert [bool(step.shown) for step in steps(ENGLISH)] == [False, False, True, True, True, True, True]


def test_both_languages_show_the_same_commands_and_the_same_answers() -> None:
    assert commands(ENGLISH) == commands(CHINESE)
    assert blocks(text_of(ENGLISH), "text") == blocks(text_of(CHINESE), "text")
    assert text_of(ENGLISH).count("\n## ") == text_of(CHINESE).count("\n## ")
