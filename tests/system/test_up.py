"""`yangguang up` as its user knows it: it starts, says what happens, mends what dies, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.stack import ROOT, free_port, wait_for
from tests.system.test_alerts import orders

START_SECONDS = 60
STOP_SECONDS = 10


class Up:
    """One `yangguang up` with its own home and ports; without a terminal, so it prints plain lines."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        ports = ("KAFKA_PORT", "CLICKHOUSE_PORT", "HTTP_PORT")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YANGGUANG_")},
            "PYTHONPATH": str(ROOT),
            "YANGGUANG_HOME": str(home / "data"),
            **{f"YANGGUANG_{name}": str(free_port()) for name in ports},
            **settings,
        }
        self._log = home / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Starts it and returns when it says that it is ready."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "up", *arguments],
                stdout=log,
                stderr=log,
                env=self.env,
                cwd=self.home,
            )
        self.says("ready: dashboard", START_SECONDS)

    @property
    def key(self) -> str:
        """The API key that it has printed."""
        match = re.search(r"API key of this machine: (yg_\w+) ", self.text())
        assert match, self.text()
        return match[1]

    def text(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def says(self, text: str, seconds: float = 30) -> None:
        """Returns when it has printed the text."""

        def said() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"up ended: {self.text()}"
            return re.search(text, self.text()) is not None

        wait_for(said, seconds, f"up says {text!r}, it says {self.text() if self._log.exists() else ''}")

    def parts(self) -> dict[str, psutil.Process]:
        """The processes of the parts by their names, as `up` last told them."""
        found = re.findall(r" (\S+) started \(process (\d+)\)", self.text())
        return {name: psutil.Process(int(pid)) for name, pid in found if psutil.pid_exists(int(pid))}

    def family(self) -> list[psutil.Process]:
        """`up` and everything below it."""
        assert self._process is not None
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self, number: int = signal.SIGINT) -> None:
        """Signals it and checks that it and all its children end in time."""
        assert self._process is not None
        family = self.family()
        self._process.send_signal(number)
        assert self._process.wait(STOP_SECONDS + 2) == 0, self.text()
        _, alive = psutil.wait_procs(family, timeout=1)
        assert not alive, f"left behind: {alive}"

    def end(self) -> None:
        """Ends it whatever its state."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Another command with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env=self.env,
            cwd=self.home,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def get(self, path: str) -> Any:
        """A JSON answer of the gateway."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.env['YANGGUANG_HTTP_PORT']}{path}", timeout=5) as answer:
            return json.load(answer)


@pytest.fixture(name="up")
def _up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path, YANGGUANG_STALL_SECONDS="8", YANGGUANG_CLOCK="event")
    yield up
    up.end()


def landed(up: Up) -> int:
    rates = up.get("/v1/rates?indicator=seal_coverage&scope=city&window=30d")["rates"]
    return int(rates[0]["denominator"])


def lines(first: int, last: int) -> bytes:
    return b"\n".join(record.value or b"" for record in orders(first, last))


def test_up_refuses_a_second_one_mends_what_dies_and_continues_after_a_stop(up: Up) -> None:
    up.start("--no-simulate")
    second = up.run("up", "--no-simulate")
    assert second.returncode == 1
    assert b"is in use by process" in second.stderr
    assert second.stderr.count(b"\n") == 1
    produced = up.run("produce", "-", stdin=lines(0, 60))
    assert produced.returncode == 0, produced.stderr
    wait_for(lambda: landed(up) > 0, 30, "orders are counted")

    up.parts()["worker-1"].kill()
    up.says(r"(?s)worker-1 died by SIGKILL.*worker-1 started.*worker-1 ready")
    assert up.run("produce", "-", stdin=lines(60, 120)).returncode == 0
    wait_for(lambda: landed(up) == 3 * (120 - 17), 30, "the new worker goes on")

    up.parts()["worker-1"].suspend()  # alive, and does nothing
    assert up.run("produce", "-", stdin=lines(120, 180)).returncode == 0
    up.says("offsets of .* do not advance while there is lag", 60)
    wait_for(lambda: landed(up) == 3 * (180 - 17), 60, "the restarted worker goes on")
    doctor = up.run("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    up.stop(signal.SIGINT)

    up.start("--no-simulate")
    assert landed(up) == 3 * (180 - 17)
    assert up.run("produce", "-", stdin=lines(0, 200)).returncode == 0
    wait_for(lambda: landed(up) == 3 * (200 - 17), 30, "the second start continues where the first stopped")
    up.stop(signal.SIGTERM)


def push_until_accepted(up: Up, minute: int) -> None:
    """Posts the three orders of a minute as a producer does: again and again until they are durable."""

    def accepted() -> bool:
        body = b"[" + b",".join(record.value or b"" for record in orders(minute, minute + 1)) + b"]"
        url = f"http://127.0.0.1:{up.env['YANGGUANG_HTTP_PORT']}/v1/events"
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {up.key}"}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return bool(answer.status == 202)
        except OSError:
            return False

    wait_for(accepted, 60, f"the orders of minute {minute} are accepted")


def test_whatever_part_is_killed_comes_back_and_what_was_accepted_counts_once(up: Up) -> None:
    def came_back(name: str, before: int) -> bool:
        return up.text().count(f"{name} ready") > before

    up.start("--no-simulate")
    minute = 0
    for name in ("kafka", "clickhouse", "gateway", "worker-1", "notifier", "clickhouse", "kafka"):
        for _ in range(10):
            push_until_accepted(up, minute)
            minute += 1
        before = up.text().count(f"{name} ready")
        up.parts()[name].kill()
        for _ in range(10):
            push_until_accepted(up, minute)
            minute += 1
        wait_for(partial(came_back, name, before), 60, f"{name} is back")

    def counted() -> int:
        try:
            return landed(up)
        except OSError:
            return -1

    wait_for(lambda: counted() == 3 * (minute - 17), 90, "every accepted order counts once")
    up.stop()


def test_a_newcomer_sees_rates_of_a_simulated_city_at_every_window(tmp_path: Path) -> None:
    up = Up(tmp_path)
    try:
        up.start("--orders-per-day", "5000", "--cameras", "10")
        # what happens a few times a day, and cameras of kitchens that are closed now, have numbers in long windows
        rare = ("banquet_", "finding_", "supervision_", "camera_")

        def counted() -> bool:
            rows = up.get("/v1/rates?scope=city")["rates"]
            often = [row for row in rows if not row["indicator"].startswith(rare) or row["window"] in ("30d", "365d")]
            return all(row["rate"] is not None for row in often)

        wait_for(counted, 90, "every rate of the city has numbers")
        up.says(r"kitchen_build now \d")
        up.stop(signal.SIGHUP)
    finally:
        up.end()


def test_a_taken_port_is_refused_with_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    up = Up(tmp_path)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(up.env["YANGGUANG_HTTP_PORT"])))
        taken.listen()
        done = up.run("up", "--no-simulate")
    assert done.returncode == 1
    assert b"YANGGUANG_HTTP_PORT" in done.stderr
    assert b"started" not in done.stdout
