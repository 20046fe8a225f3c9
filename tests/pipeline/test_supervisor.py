"""Real child processes under the supervisor: small Python scripts, real signals, real kills."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bounded_log import BoundedLog
from pipeline.part import restart_delay, stages
from pipeline.ports import PortTakenError, free_port_near, is_free, require_free_port
from pipeline.supervisor import HomeTakenError, Kind, Part, PartError, PartEvent, Supervisor

SLEEP = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"


class Events:
    """Collects what the supervisor reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.all: list[PartEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: PartEvent) -> None:
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def await_one(self, kind: Kind, part: str, number: int = 1, timeout: float = 15) -> PartEvent:
        def seen() -> list[PartEvent]:
            return [event for event in self.all if event.kind is kind and event.part == part]

        with self._changed:
            assert self._changed.wait_for(lambda: len(seen()) >= number, timeout), [str(event) for event in self.all]
            return seen()[number - 1]

    def order(self, *kinds: Kind) -> list[tuple[str, str]]:
        return [(event.part, str(event.kind)) for event in self.all if event.kind in kinds]


def eventually(condition: Callable[[], bool], timeout: float = 15) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def supervisor(tmp_path: Path, events: Events) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, events) as running:
        yield running


def script(supervisor: Supervisor, name: str, code: str, **settings: Any) -> Part:
    part = Part(name, [sys.executable, "-c", code], supervisor.log_path(name))
    return replace(part, **settings)


def says(path: Path, text: str) -> Callable[[], None]:
    def ready() -> None:
        if text not in path.read_text("utf-8"):
            raise RuntimeError(f"{text} is not there yet")

    return ready


NEVER = says(Path(__file__), "never " * 9)


def test_a_part_starts_when_the_one_before_is_ready_and_stops_before_it(supervisor: Supervisor, events: Events) -> None:
    first = script(supervisor, "first", f"import time; time.sleep(0.3); print('open', flush=True); {SLEEP}")
    supervisor.start([replace(first, ready=says(first.log, "open")), script(supervisor, "second", SLEEP)])
    assert events.order(Kind.STARTED, Kind.READY) == [
        ("first", "started"),
        ("first", "ready"),
        ("second", "started"),
        ("second", "ready"),
    ]
    supervisor.stop()
    assert events.order(Kind.STOPPED) == [("second", "stopped"), ("first", "stopped")]
    assert supervisor.pids() == {}


def test_parts_of_one_stage_start_together(supervisor: Supervisor, events: Events) -> None:
    code = f"import time; time.sleep(0.3); print('open', flush=True); {SLEEP}"
    parts = [
        script(supervisor, name, code, stage="stores", ready=says(supervisor.log_path(name), "open"))
        for name in ("kafka", "clickhouse")
    ]
    supervisor.start(parts)
    assert [kind for _, kind in events.order(Kind.STARTED, Kind.READY)] == ["started", "started", "ready", "ready"]
    assert [[part.name for part in stage] for stage in stages(parts)] == [["kafka", "clickhouse"]]


def test_a_dead_part_is_reported_and_started_again_after_growing_delays(
    supervisor: Supervisor, events: Events, tmp_path: Path
) -> None:
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'lives')!r}).open('a').write('x'); print('no disk')"
    supervisor.start([script(supervisor, "worker", f"{code}; import time; time.sleep(0.3); raise SystemExit(7)")])
    died = events.await_one(Kind.DIED, "worker")
    assert (died.exit_code, died.signal, died.reason) == (7, None, "no disk")
    assert events.await_one(Kind.RESTARTING, "worker").delay == 1
    assert events.await_one(Kind.RESTARTING, "worker", number=2).delay == 2
    assert (tmp_path / "lives").read_text() == "xx"


def test_a_killed_part_is_reported_with_its_signal(supervisor: Supervisor, events: Events) -> None:
    supervisor.start([script(supervisor, "worker", SLEEP)])
    before = supervisor.pids()["worker"]
    os.kill(before, signal.SIGKILL)
    died = events.await_one(Kind.DIED, "worker")
    assert (died.signal, died.exit_code) == (signal.SIGKILL, None)
    assert str(died).startswith("worker died by SIGKILL")
    assert events.await_one(Kind.READY, "worker", number=2).pid == supervisor.pids()["worker"] != before


def test_a_part_that_may_end_is_not_started_again(supervisor: Supervisor, events: Events) -> None:
    supervisor.start([script(supervisor, "once", "import time; time.sleep(0.3)", restart=False)])
    assert events.await_one(Kind.DIED, "once").exit_code == 0
    supervisor.stop()
    assert events.order(Kind.RESTARTING) == []


def test_a_restart_on_request_needs_no_death(supervisor: Supervisor, events: Events) -> None:
    supervisor.start([script(supervisor, "worker", SLEEP)])
    before = supervisor.pids()["worker"]
    supervisor.restart("worker", "its offsets stand still")
    assert events.await_one(Kind.RESTARTING, "worker").reason == "its offsets stand still"
    assert events.await_one(Kind.READY, "worker", number=2).pid != before
    assert is_gone(before)
    assert events.order(Kind.DIED) == []
    with pytest.raises(PartError, match="there is no part wroker; the parts are worker"):
        supervisor.restart("wroker", "")


def test_a_part_that_is_not_ready_in_time_is_refused_with_the_last_reason(supervisor: Supervisor) -> None:
    part = script(supervisor, "deaf", SLEEP, ready=NEVER, ready_timeout=0.5)
    with pytest.raises(PartError, match=r"deaf is not ready after 0.5 s \(.* is not there yet\); read .*deaf.log"):
        supervisor.start([part])
    assert eventually(lambda: supervisor.pids() == {})


def test_a_part_that_cannot_run_is_refused_with_what_it_said(supervisor: Supervisor, events: Events) -> None:
    missing = Part("missing", ["/nonexistent/java"], supervisor.log_path("missing"), ready=NEVER)
    with pytest.raises(PartError, match=r"missing ends at once .*/nonexistent/java cannot be run"):
        supervisor.start([missing])
    assert len([event for event in events.all if event.kind is Kind.DIED]) == 3


def test_a_listener_that_fails_costs_no_part(tmp_path: Path) -> None:
    def broken(_: PartEvent) -> None:
        raise BrokenPipeError

    with Supervisor(tmp_path, broken) as supervisor:
        supervisor.start([script(supervisor, "worker", SLEEP)])
        assert list(supervisor.pids()) == ["worker"]


def test_a_stop_while_parts_start_ends_the_start(supervisor: Supervisor, events: Events) -> None:
    part = script(supervisor, "slow", SLEEP, ready=NEVER)
    threading.Timer(0.3, supervisor.request_stop).start()
    with pytest.raises(PartError, match="slow was not ready yet when a stop was requested"):
        supervisor.start([part, script(supervisor, "later", SLEEP)])
    assert supervisor.wait(5)
    supervisor.stop()
    assert events.order(Kind.STARTED) == [("slow", "started")]
    with pytest.raises(PartError, match="never was not started: a stop was requested"):
        supervisor.start([script(supervisor, "never", SLEEP)])


def test_a_child_that_ignores_sigterm_is_killed_when_its_time_is_up(supervisor: Supervisor, events: Events) -> None:
    part = script(
        supervisor, "stubborn", STUBBORN, stop_timeout=0.5, ready=says(supervisor.log_path("stubborn"), "deaf")
    )
    supervisor.start([part])
    began = time.monotonic()
    supervisor.stop()
    assert 0.5 <= time.monotonic() - began < 3
    assert events.await_one(Kind.STOPPED, "stubborn").signal == signal.SIGKILL


def test_many_children_that_ignore_sigterm_are_gone_within_10_s_in_all(supervisor: Supervisor) -> None:
    parts = [
        script(supervisor, name, STUBBORN, stop_timeout=60, ready=says(supervisor.log_path(name), "deaf"))
        for name in ("one", "two", "three")
    ]
    supervisor.start(parts)
    pids = supervisor.pids().values()
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began <= 10
    assert all(is_gone(pid) for pid in pids)


def test_a_second_request_to_stop_kills_at_once(supervisor: Supervisor, events: Events) -> None:
    ready = says(supervisor.log_path("stubborn"), "deaf")
    supervisor.start([script(supervisor, "stubborn", STUBBORN, stop_timeout=60, ready=ready)])
    supervisor.request_stop()
    supervisor.request_stop()
    events.await_one(Kind.STOPPED, "stubborn", timeout=3)


@pytest.mark.parametrize("end", ["stop", "die"])
def test_what_a_part_started_ends_with_it(supervisor: Supervisor, events: Events, end: str) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print('pid', child.pid, flush=True); time.sleep(600)"
    )
    log = supervisor.log_path("parent")
    supervisor.start([script(supervisor, "parent", code, ready=says(log, "pid"))])
    grandchild = int(log.read_text().split()[1])
    assert not is_gone(grandchild)
    if end == "stop":
        supervisor.stop()
    else:
        os.kill(supervisor.pids()["parent"], signal.SIGKILL)
        events.await_one(Kind.DIED, "parent")
    assert eventually(lambda: is_gone(grandchild))


def test_memory_counts_a_part_and_what_it_started(supervisor: Supervisor) -> None:
    code = f"held = b'x' * 40_000_000; print('big', flush=True); {SLEEP}"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    supervisor.start([script(supervisor, "big", parent, ready=says(supervisor.log_path("big"), "big"))])
    memory = supervisor.memory()["big"]
    assert 40_000_000 < memory.pss <= memory.rss < 120_000_000


def test_a_second_supervisor_on_the_same_home_is_refused_and_told_the_holder(tmp_path: Path) -> None:
    holder = rf"is in use by process {os.getpid()}; .*YANGGUANG_HOME"
    with Supervisor(tmp_path), pytest.raises(HomeTakenError, match=holder):
        Supervisor(tmp_path)
    with Supervisor(tmp_path):  # free again
        pass


OUTER = """
import sys, time
from pathlib import Path
from pipeline.supervisor import Part, Supervisor
home = Path(sys.argv[1])
with Supervisor(home) as supervisor:
    supervisor.stop_on_signals()
    code = '''
import signal, time, pathlib
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda n, _: print("got", n, flush=True))
if NAME == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    time.sleep(600)
'''
    def part(name):
        log = supervisor.log_path(name)
        def ready():
            assert "ready" in log.read_text()
        code_of = f"NAME = {name!r}\\n" + code
        return Part(name, [sys.executable, "-c", code_of], log, ready=ready, stop_timeout=1)
    supervisor.start([part("polite"), part("deaf")])
    print(*supervisor.pids().values(), flush=True)
    supervisor.wait()
"""


@pytest.fixture
def outer(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OUTER, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    assert not any(is_gone(pid) for pid in pids)
    yield process, pids
    process.kill()
    process.wait()
    process.stdout.close()
    assert eventually(lambda: all(is_gone(pid) for pid in pids))


def test_a_killed_supervisor_leaves_no_child(
    outer: tuple["subprocess.Popen[str]", list[int]], tmp_path: Path, events: Events
) -> None:
    process, pids = outer
    process.kill()
    process.wait()
    assert eventually(lambda: all(is_gone(pid) for pid in pids), timeout=2)
    with Supervisor(tmp_path, events):  # and its lock does not outlive it
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_supervisors_group_reaches_the_children_only_as_an_orderly_stop(
    outer: tuple["subprocess.Popen[str]", list[int]], tmp_path: Path, number: signal.Signals
) -> None:
    process, pids = outer
    os.killpg(process.pid, number)  # what a terminal does on Ctrl-C and when it is closed
    assert process.wait(10) == 0
    assert all(is_gone(pid) for pid in pids)
    assert "got" not in (tmp_path / "logs" / "polite.log").read_text()


@given(failures=st.integers(min_value=1, max_value=10**6))
def test_restart_delays_double_from_1_s_to_30_s(failures: int) -> None:
    assert restart_delay(1) == 1
    assert restart_delay(failures) <= restart_delay(failures + 1) <= 30
    assert restart_delay(failures + 1) == min(30, 2 * restart_delay(failures)) or restart_delay(failures) == 30


@given(chunks=st.lists(st.binary(max_size=60), max_size=40), limit=st.integers(1, 50), kept=st.integers(0, 3))
def test_a_bounded_log_keeps_the_latest_bytes_in_files_of_bounded_size(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], limit: int, kept: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "part.log"
    log = BoundedLog(path, max_bytes=limit, kept=kept)
    for chunk in chunks:
        log.write(chunk)
    log.close()
    files = [path.with_name(f"part.log.{number}") for number in range(kept, 0, -1)] + [path]
    contents = [file.read_bytes() for file in files if file.exists()]
    assert b"".join(chunks).endswith(b"".join(contents))
    assert all(len(content) <= limit for content in contents)
    assert len(list(path.parent.iterdir())) <= kept + 1
    if len(b"".join(chunks)) <= limit:
        assert contents == [b"".join(chunks)]


def test_a_log_changes_files_between_lines(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "part.log", max_bytes=10, kept=1)
    log.write(b"one\ntwo\nthree\nfo")
    assert ((tmp_path / "part.log.1").read_bytes(), (tmp_path / "part.log").read_bytes()) == (
        b"one\ntwo\n",
        b"three\nfo",
    )
    assert log.last_line() == "fo"
    log.close()


def test_a_taken_port_is_refused_with_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port} on 127.0.0.1 is taken.*set YANGGUANG_HTTP_PORT"):
            require_free_port(port, "YANGGUANG_HTTP_PORT")
        assert is_free(free_port_near(port))
    require_free_port(port, "YANGGUANG_HTTP_PORT")
