"""Runs the parts of `yangguang up` as children: in order, restarted when they die, all gone when it is gone.

One thread owns all children and sleeps in one selector until a child ends, writes or becomes ready, a time is due, or
somebody asks for something; the public methods may be called from any thread.
"""

import logging
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Self

from pipeline.bounded_log import BoundedLog
from pipeline.child import Child, Memory, memory_of
from pipeline.home_lock import HomeTakenError, lock_home
from pipeline.part import HEALTHY_AFTER_S, Kind, Part, PartError, PartEvent, restart_delay, stages
from pipeline.ports import PortTakenError, require_free_port

__all__ = ["HomeTakenError", "Kind", "Memory", "Part", "PartError", "PartEvent", "PortTakenError", "Supervisor"]
__all__ += ["require_free_port"]

STOP_LIMIT_S = 10.0
_HURRY_S = 2.0  # before the limit all that still run are told together
_KILL_S = 0.7  # before the limit all that still run are killed
_DEATHS_AT_START = 3
_PROBE_FIRST_S = 0.05
_PROBE_LONGEST_S = 0.5

_log = logging.getLogger(__name__)


@dataclass
class _Run:
    """A part as the supervising thread sees it. `due` is when the present state ends by itself."""

    part: Part
    log: BoundedLog
    started: Future[None]
    child: Child | None = None
    due: float | None = None
    ready_since: float | None = None
    failures: int = 0
    stopping: bool = False  # told to end
    again: bool = False  # start again when it has ended as told
    reason: str = ""
    unready: str = ""
    probing: threading.Event = field(default_factory=threading.Event)  # set: the probe of this child may end


class Supervisor:
    """Starts parts, keeps them running, stops them. A context manager: on leaving, everything is stopped.

    `home` is locked against a second supervisor; `on_event` is called from the supervising thread and must not block.
    Raises HomeTakenError when another supervisor holds the home."""

    def __init__(self, home: Path, on_event: Callable[[PartEvent], None] = lambda _: None) -> None:
        self.home = home.absolute()
        self._on_event = on_event
        self._lock = lock_home(self.home)
        self._runs: dict[str, _Run] = {}
        self._stages: list[list[str]] = []
        self._requests: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ, self._be_woken)
        self._asking = threading.RLock()  # re-entrant: a signal handler may ask while its own thread asks
        self._ended_for_good = False
        self._stop_by: float | None = None  # set once stopping has begun
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def log_path(self, name: str) -> Path:
        """Where a part's output belongs."""
        return self.home / "logs" / f"{name}.log"

    def start(self, parts: list[Part]) -> None:
        """Start parts in order, each stage when the one before is ready; returns when all are.

        Raises PartError when a part is not ready in time or keeps dying, or when a stop was requested meanwhile."""
        for stage in stages(parts):
            futures: list[Future[None]] = [Future() for _ in stage]
            self._ask(partial(self._begin, stage, futures))
            for future in futures:
                future.result()

    def restart(self, name: str, reason: str) -> None:
        """Ask for a part to be stopped and started again at once; returns without waiting for it.

        For a part that lives but does not work. One that waits for its restart is started now; one that is being
        stopped or started is left alone. Raises PartError when there is no such part."""
        if name not in self._runs:
            raise PartError(f"there is no part {name}; the parts are {', '.join(self._runs) or 'none'}")
        self._ask(lambda: self._restart_now(self._runs[name], reason))

    def request_stop(self) -> None:
        """Begin to stop everything; asked a second time, kill what still runs. Safe in a signal handler."""
        # The event is set by the supervising thread: a handler that interrupts `wait` would wait for its own lock.
        self._ask(lambda: self._begin_stop(STOP_LIMIT_S if self._stop_by is None else 0.0))

    def stop_on_signals(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP (a closed terminal) as `request_stop`. Call it in the main thread.

        What the caller's shell had ignored (nohup, a background job) stays ignored."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.request_stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handle)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a stop to be requested; True if it was."""
        return self._stop_requested.wait(timeout)

    def stop(self) -> None:
        """Stop everything in reverse order, within 10 s in all, and give the home free."""
        self._ask(lambda: self._begin_stop(STOP_LIMIT_S))
        self._thread.join()
        self._lock.close()

    def pids(self) -> dict[str, int]:
        """Process id of each running part."""
        return {name: run.child.pid for name, run in list(self._runs.items()) if run.child}

    def memory(self) -> dict[str, Memory]:
        """What each running part holds now."""
        return {name: memory for name, pid in self.pids().items() if (memory := memory_of(pid))}

    # What follows runs in the supervising thread, but for _ask and _probe.

    def _ask(self, request: Callable[[], None]) -> None:
        with self._asking:
            if self._ended_for_good:
                request()  # nothing runs any more: requests only find that out
                return
            self._requests.put(request)
        with suppress(OSError):  # full: it is awake anyway; closed: it has just served the last requests
            self._wake.send(b"\0")

    def _be_woken(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _loop(self) -> None:
        try:
            while not (self._stop_by is not None and self._all_over()):
                dues = [run.due for run in self._runs.values() if run.due is not None]
                self._turn(max(0.0, min(dues) - time.monotonic()) if dues else None)
        except Exception:
            _log.exception("the supervisor failed; its parts are killed")
        finally:
            self._begin_stop(0.0)
            with self._asking:
                self._ended_for_good = True
                self._serve_requests()
            for run in self._runs.values():
                if run.child:
                    run.child.signal_group(signal.SIGKILL)
                run.log.close()
            self._selector.close()
            self._wake.close()
            self._woken.close()

    def _turn(self, wait: float | None) -> None:
        for key, _ in self._selector.select(wait):
            key.data()
        self._serve_requests()
        now = time.monotonic()
        for run in self._runs.values():
            if run.due is not None and run.due <= now:
                self._time_is_up(run)
        if self._stop_by is not None:
            self._go_on_stopping(self._stop_by)

    def _serve_requests(self) -> None:
        with suppress(Empty):
            while True:
                self._requests.get_nowait()()

    def _all_over(self) -> bool:
        return all(run.child is None for run in self._runs.values())

    def _emit(self, event: PartEvent) -> None:
        try:
            self._on_event(event)
        except Exception:  # a closed terminal, a fault of the listener: no reason to lose the children
            _log.exception("the listener failed on: %s", event)

    def _begin(self, stage: list[Part], futures: list[Future[None]]) -> None:
        for part, future in zip(stage, futures, strict=True):
            if self._stop_by is not None:
                future.set_exception(PartError(f"{part.name} was not started: a stop was requested"))
            elif part.name in self._runs:
                future.set_exception(PartError(f"two parts are named {part.name}; give each its own name"))
            else:
                self._runs[part.name] = _Run(part, BoundedLog(part.log), future)
                self._spawn(self._runs[part.name])
        self._stages.append([part.name for part in stage if part.name in self._runs])

    def _spawn(self, run: _Run) -> None:
        part = run.part
        try:
            child = Child(part.command, run.log, part.env, part.cwd)
        except OSError as error:
            self._emit(PartEvent(part.name, Kind.DIED, reason=f"no process could be started ({error.strerror})"))
            self._after_death(run)
            return
        run.child, run.stopping, run.again, run.ready_since, run.unready = child, False, False, None, ""
        run.due = time.monotonic() + part.ready_timeout
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._ended(run, child))
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._written(child))
        self._emit(PartEvent(part.name, Kind.STARTED, pid=child.pid))
        run.probing = threading.Event()
        probe = threading.Thread(target=self._probe, args=(run, child, run.probing), name=f"{part.name}?", daemon=True)
        probe.start()

    def _probe(self, run: _Run, child: Child, over: threading.Event) -> None:
        pause = _PROBE_FIRST_S
        while not over.is_set():
            try:
                run.part.ready()
            except Exception as error:  # whatever it raises means: not ready yet
                run.unready = str(error)
                over.wait(pause)
                pause = min(_PROBE_LONGEST_S, pause * 1.5)
            else:
                self._ask(lambda: self._is_ready(run, child))
                return

    def _is_ready(self, run: _Run, child: Child) -> None:
        if run.child is not child or run.stopping:
            return
        run.ready_since, run.due = time.monotonic(), None
        self._emit(PartEvent(run.part.name, Kind.READY, pid=child.pid))
        if not run.started.done():
            run.started.set_result(None)

    def _written(self, child: Child) -> None:
        if not child.drain():
            self._selector.unregister(child.output)

    def _ended(self, run: _Run, child: Child) -> None:
        run.probing.set()
        self._selector.unregister(child.pidfd)
        with suppress(KeyError):
            self._selector.unregister(child.output)
        status = child.reap()
        run.child, run.due = None, None
        told = run.stopping
        self._emit(
            PartEvent(
                run.part.name,
                Kind.STOPPED if told else Kind.DIED,
                pid=child.pid,
                exit_code=status if status >= 0 else None,
                signal=-status if status < 0 else None,
                reason=run.reason if told else run.log.last_line(),
            )
        )
        run.reason = ""
        if not told:
            self._after_death(run)
        elif run.again and self._stop_by is None:
            self._spawn(run)

    def _after_death(self, run: _Run) -> None:
        now = time.monotonic()
        if run.ready_since is not None and now - run.ready_since >= HEALTHY_AFTER_S:
            run.failures = 0
        run.failures += 1
        run.ready_since = None
        if not run.started.done() and (run.failures >= _DEATHS_AT_START or not run.part.restart):
            self._fail(run, f"{run.part.name} ends at once ({run.log.last_line() or 'it wrote nothing'})")
        elif run.part.restart and self._stop_by is None:
            delay = restart_delay(run.failures)
            run.due = now + delay
            self._emit(PartEvent(run.part.name, Kind.RESTARTING, delay=delay))

    def _fail(self, run: _Run, what: str) -> None:
        run.started.set_exception(PartError(f"{what}; read {run.log.path} and start again"))

    def _time_is_up(self, run: _Run) -> None:
        run.due = None
        if run.child is None:
            self._spawn(run)
        elif run.stopping:
            run.child.signal_group(signal.SIGKILL)
        else:
            why = f"not ready after {run.part.ready_timeout:g} s ({run.unready or 'no answer'})"
            if not run.started.done():
                self._fail(run, f"{run.part.name} is {why}")
                self._tell(run, why)
            else:
                self._tell(run, why, again=True)

    def _tell(self, run: _Run, reason: str, again: bool = False) -> None:
        """Tell a running part to end, and kill it when its time is up."""
        assert run.child is not None
        run.probing.set()
        run.stopping, run.again, run.reason = True, again, reason
        run.due = time.monotonic() + run.part.stop_timeout
        run.child.signal_group(run.part.stop_signal)

    def _restart_now(self, run: _Run, reason: str) -> None:
        if self._stop_by is not None or run.stopping or not run.started.done():
            return
        if run.child is None:
            run.failures = 0
            self._spawn(run)
        elif run.ready_since is not None:
            self._emit(PartEvent(run.part.name, Kind.RESTARTING, pid=run.child.pid, delay=0, reason=reason))
            self._tell(run, reason, again=True)

    def _begin_stop(self, limit: float) -> None:
        self._stop_requested.set()
        by = time.monotonic() + limit
        self._stop_by = by if self._stop_by is None else min(by, self._stop_by)
        for run in self._runs.values():
            run.again = False
            if run.child is None:
                run.due = None
            if not run.started.done():
                run.started.set_exception(PartError(f"{run.part.name} was not ready yet when a stop was requested"))

    def _go_on_stopping(self, by: float) -> None:
        """Tell the last stage that still runs to end; near the limit tell all of them, and then kill them."""
        left = by - time.monotonic()
        told = False
        for stage in reversed(self._stages):
            running = [run for run in (self._runs[name] for name in stage) if run.child]
            if told and running and left > _HURRY_S:
                return
            for run in running:
                assert run.child is not None
                if left <= _KILL_S:
                    run.child.signal_group(signal.SIGKILL)
                    run.stopping, run.due = True, None
                elif not run.stopping:
                    self._tell(run, "")
                if run.due is not None:  # so the loop also wakes up in time to hurry
                    run.due = min(run.due, by - (_HURRY_S if left > _HURRY_S else _KILL_S))
            told = told or bool(running)
