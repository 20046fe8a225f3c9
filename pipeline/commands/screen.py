"""What `up` shows: a live table on a terminal, plain lines elsewhere."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pipeline.commands.show import alerts_table, query, rates_table
from pipeline.part import PartEvent
from pipeline.settings import LOOPBACK, Settings
from pipeline.supervisor import Supervisor
from sinks.clickhouse.client import brief

REFRESH_SECONDS: Final = 2.0
PLAIN_SECONDS: Final = 10.0
EVENTS_SHOWN: Final = 6

_CITY: Final = (
    "SELECT * FROM rates_now WHERE scope = 'city' "
    "ORDER BY indicator, indexOf(['now', '1h', '24h', '7d', '30d'], window)"
)
_ALERTS: Final = (
    "SELECT * FROM alerts WHERE state IN ('pending', 'firing') OR (state = 'resolved' AND since > as_of - 3600) "
    "ORDER BY state = 'firing' DESC, scope = 'city' DESC, since DESC LIMIT 12"
)


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
        rates = [
            f"{row['indicator']} {row['window']} {'-' if row['rate'] is None else format(row['rate'], '.1%')} "
            f"({row['numerator']}/{row['denominator']}) {row['status']}"
            for row in self._ask(_CITY)
            if row["window"] in ("now", "1h")
        ]
        firing = [row for row in self._ask(_ALERTS) if row["state"] == "firing"]
        return f"{now} " + "; ".join([*rates, f"{len(firing)} alerts firing", *self._backfill()])

    def _page(self) -> Group:
        rates = self._ask(_CITY)
        alerts = self._ask(_ALERTS)
        address = self._settings.analyst
        head = (
            f"yangguang 阳光 · dashboard http://{LOOPBACK}:{self._settings.http_port}/ · "
            f"Kafka {self._settings.servers} · ClickHouse http://{address.host}:{address.port}/ · Ctrl-C stops"
        )
        parts: list[Any] = [head, rates_table(rates, "诸暨市 rates")]
        parts.append(alerts_table(alerts, "alerts") if alerts else "no alerts")
        parts.append(self._memory())
        parts += [*self._backfill(), *self._lines]
        return Group(*parts)

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
