"""What `up` shows: a live table on a terminal, plain lines elsewhere."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pipeline.commands.questions import query
from pipeline.commands.tables import Row, alerts_table, grouped_rates, is_count, shown_counts, shown_rate
from pipeline.indicator_groups import groups, main_window
from pipeline.part import PartEvent
from pipeline.settings import LOOPBACK, Settings
from pipeline.supervisor import Supervisor
from sinks.clickhouse.client import brief

REFRESH_SECONDS: Final = 2.0
PLAIN_SECONDS: Final = 10.0
EVENTS_SHOWN: Final = 6

_CITY: Final = "SELECT * FROM rates_now WHERE scope = 'city'"
_ALERTS: Final = (
    "SELECT * FROM alerts WHERE state IN ('pending', 'firing') OR (state = 'resolved' AND since > as_of - 3600) "
    "ORDER BY state = 'firing' DESC, scope = 'city' DESC, since DESC LIMIT 12"
)
_TABLE_LINES: Final = 4
"""Of a table of rates: title, headings, as_of, and the line of what is left out."""
_GOOD: Final = ("ok", "no_activity")

Part = tuple[str | None, list[Row]]
"""A heading, and the rates below it."""


def main_rows(rows: Sequence[Row]) -> list[Part]:
    """Each indicator once, in the window on which its alerts are judged, under the heading of its group."""
    found = {(row["indicator"], row["window"]): row for row in rows}
    return [
        (
            group.name_en,
            [found[one.code, main_window(one)] for one in group.indicators if (one.code, main_window(one)) in found],
        )
        for group in groups()
    ]


def fitting(parts: Sequence[Part], height: int) -> tuple[list[Part], str]:
    """As much as fits so many lines, and a line that says what is left out: headings go first, then what is well, then
    the last."""
    rows = [row for _, several in parts for row in several]
    if len(rows) + len(parts) <= height:
        return list(parts), ""
    if len(rows) <= height:
        return [(None, rows)], ""
    bad = [row for row in rows if row["status"] not in _GOOD]
    good = [row for row in rows if row["status"] in _GOOD]
    kept = [*bad, *good][: max(height, 1)]
    shown = [row for row in rows if row in kept]
    left = len(rows) - len(shown)
    bad_left = sum(row in bad for row in rows if row not in kept)
    return [(None, shown)], f"{left} more rates, {bad_left or 'none'} of them not ok: yangguang rates"


def in_one_line(rows: Sequence[Row]) -> list[str]:
    """What a log needs: the first group, whatever else is not ok, and how many are."""
    (_, first), *others = main_rows(rows)
    rest = [row for _, several in others for row in several]
    shown = [*first, *(row for row in rest if row["status"] not in _GOOD)]
    return [*(_in_words(row) for row in shown), f"{len(first) + len(rest) - len(shown)} more ok"] if rows else []


def _in_words(row: Row) -> str:
    code = row["indicator"]
    numbers = shown_counts(row) if is_count(code) else f"{shown_rate(code, row['rate'])} ({shown_counts(row)})"
    return f"{code} {row['window']} {numbers} {row['status']}"


class Screen:
    """What `up` shows: a live table on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console, settings: Settings) -> None:
        self._console = console
        self._settings = settings
        self._lines: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._live = False
        self.supervisor: Supervisor | None = None

    def say(self, text: str) -> None:
        """One line for people."""
        line = f"{datetime.now().astimezone():%H:%M:%S} {text}"
        self._lines.append(line)
        if not self._live:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def event(self, event: PartEvent) -> None:
        """Something happened to a part."""
        self.say(str(event))

    @contextlib.contextmanager
    def download(self) -> Iterator[Callable[[int, int], None]]:
        """A progress bar for bytes, on a terminal."""
        with Progress(
            TextColumn("Apache Kafka"), BarColumn(), DownloadColumn(), console=self._console,
            disable=not self._console.is_terminal,
        ) as progress:  # fmt: skip
            task = progress.add_task("fetch", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def show(self) -> None:
        """Shows rates and alerts until a stop is asked for."""
        assert self.supervisor is not None
        for noisy in ("kafka", "urllib3", "clickhouse_connect"):  # what a client says would tear the table
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        if not self._console.is_terminal:
            while not self.supervisor.wait(PLAIN_SECONDS):
                self._console.print(self._plain(), highlight=False, markup=False, soft_wrap=True)
            return
        self._live = True
        try:
            with Live(self._page(), console=self._console, screen=False, auto_refresh=False) as live:
                while not self.supervisor.wait(REFRESH_SECONDS):
                    live.update(self._page(), refresh=True)
        finally:
            self._live = False

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        try:
            return query(self._settings, sql, {})
        except (click.ClickException, ClickHouseError) as error:
            self.say(f"no answer from ClickHouse ({brief(error)})")
            return []

    def _plain(self) -> str:
        now = f"{datetime.now().astimezone():%H:%M:%S}"
        firing = [row for row in self._ask(_ALERTS) if row["state"] == "firing"]
        return f"{now} " + "; ".join(
            [*in_one_line(self._ask(_CITY)), f"{len(firing)} alerts firing", *self._backfill()]
        )

    def _page(self) -> Group:
        alerts = self._ask(_ALERTS)
        address = self._settings.analyst
        head = (
            f"yangguang 阳光 · dashboard http://{LOOPBACK}:{self._settings.http_port}/ · "
            f"Kafka {self._settings.kafka_address} · ClickHouse {address.url} · Ctrl-C stops"
        )
        below: list[Any] = [alerts_table(alerts, "alerts") if alerts else "no alerts", self._memory()]
        below += [*self._backfill(), *self._lines]
        others = len(self._console.render_lines(Group(head, *below)))
        shown, left_out = fitting(main_rows(self._ask(_CITY)), self._console.height - others - _TABLE_LINES)
        parts: list[Any] = [head, grouped_rates(shown, "诸暨市 rates")]
        return Group(*parts, *([left_out] if left_out else []), *below)

    def _memory(self) -> str:
        assert self.supervisor is not None
        used = self.supervisor.memory()
        own = ", ".join(f"{name} {one.pss // 2**20}" for name, one in used.items())
        return f"memory {sum(one.pss for one in used.values()) // 2**20} MB ({own})"

    def _backfill(self) -> list[str]:
        """How far the simulated city is with its past, as its log says last."""
        assert self.supervisor is not None
        log = self.supervisor.log_path("simulator")
        last = _last_line(log) if log.exists() else ""
        return [last] if last.startswith("simulated up to") and "(100%)" not in last else []


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""
