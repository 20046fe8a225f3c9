"""The simulated city on a clock: first what has happened up to now at full speed, then each record at its time.

What was reached is kept in a small file, written only after the door has acknowledged, so that a simulation that was
stopped or killed goes on without a hole. What it sends twice is the same bytes, and counts once.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import orjson

from pipeline.simulator.doors import Door, DoorStoppedError
from pipeline.simulator.moments import SECOND, to_datetime
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.simulation import Emission, Simulation

_log = logging.getLogger(__name__)

PORTION: Final = 4_000
"""Records that are sent and acknowledged together at full speed."""
TICK_S: Final = 0.1
"""In real time records leave at most so much after their time."""
FORGOTTEN_AFTER: Final = timedelta(days=7)
"""After a longer pause the city begins a new life, instead of telling weeks that nobody saw."""
_PROGRESS_EVERY_S: Final = 0.5
_SAVE_EVERY_S: Final = 1.0
_REAL_TIME_US: Final = 5 * SECOND


class StateError(RuntimeError):
    """The file of what was reached cannot be used; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is: `reached` of `target`, both in simulated time; `sent` records, and the rate of the last
    while in records/s. `backfill` is over when the clock is caught up."""

    phase: Literal["backfill", "realtime"]
    began: datetime
    reached: datetime
    target: datetime
    sent: int
    per_second: float

    @property
    def share(self) -> float:
        """0 to 1: how much of the way to the target is done."""
        whole = (self.target - self.began).total_seconds()
        return 1.0 if whole <= 0 else min(1.0, (self.reached - self.began).total_seconds() / whole)


@dataclass(frozen=True, slots=True)
class State:
    """What is kept between runs: the start of the city's life, the moment reached, and which city it is."""

    start: datetime
    reached: datetime
    fingerprint: str
    predecessor: datetime | None = None

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all."""
        fields = {
            "start": self.start.isoformat(),
            "reached": self.reached.isoformat(),
            "fingerprint": self.fingerprint,
            "predecessor": None if self.predecessor is None else self.predecessor.isoformat(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        with beside.open("wb") as file:
            file.write(orjson.dumps(fields, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "State | None":
        """The state of the last run; None if there was none. Raises StateError for a damaged file."""
        try:
            fields = orjson.loads(path.read_bytes())
            predecessor = fields["predecessor"]
            return cls(
                datetime.fromisoformat(fields["start"]),
                datetime.fromisoformat(fields["reached"]),
                fields["fingerprint"],
                None if predecessor is None else datetime.fromisoformat(predecessor),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path} is damaged ({error}): delete it to begin a new simulated city") from None


def plan(options: SimulationOptions, state: State | None, now: datetime) -> tuple[SimulationOptions, datetime | None]:
    """With which start, and from which moment, a simulation goes on: as before if it is the same city and was not away
    too long, else with a new life that begins after the old one."""
    if state is None:
        return options, None
    if state.fingerprint == options.fingerprint() and now - state.reached <= FORGOTTEN_AFTER:
        return replace(options, start=state.start, predecessor=state.predecessor), state.reached
    return replace(options, start=max(options.start, state.reached), predecessor=state.reached), None


def run_backfill_and_realtime(
    door: Door,
    options: SimulationOptions,
    *,
    stop: threading.Event,
    state_file: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    speed: float | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Tells the city's life through the door until `stop` is set.

    Up to the clock's moment at full speed, or at `speed` times real time if that is given (never ahead of the clock,
    as events of the future are refused); from then on each record leaves at its arrival time.

    :param options: `start` is where a life begins that no state file knows, usually 24 hours ago.
    :param state_file: what was reached; None keeps nothing.
    :param clock: Unix seconds.

    Raises StateError for a damaged state file, DoorError for a door that will never take the records.
    """
    state = None if state_file is None else State.load(state_file)
    options, since = plan(options, state, to_datetime(int(clock() * SECOND)))
    if since is not None:
        _log.info("the simulated city goes on from %s", since.isoformat())
    _Runner(door, options, since, stop, state_file=state_file, on_progress=on_progress).run(speed, clock)


class _Runner:
    def __init__(
        self,
        door: Door,
        options: SimulationOptions,
        since: datetime | None,
        stop: threading.Event,
        *,
        state_file: Path | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._door = door
        self._options = options
        self._stop = stop
        self._state_file = state_file
        self._on_progress = on_progress
        self._simulation = Simulation(options, since)
        self._began = self._reached = self._simulation.since_us
        self._caught_up = False
        self._sent = 0
        self._saved_at = self._told_at = 0.0
        self._told_sent = 0

    def run(self, speed: float | None, clock: Callable[[], float]) -> None:
        begin = clock()
        try:
            while not self._stop.is_set():
                now = clock()
                target = int(now * SECOND)
                if speed is not None:
                    target = min(target, self._began + int((now - begin) * speed * SECOND))
                self._caught_up = self._caught_up or int(now * SECOND) - self._reached < _REAL_TIME_US
                self._send_until(target)
                if target - self._reached < _REAL_TIME_US:
                    self._stop.wait(TICK_S)
        except DoorStoppedError as error:
            _log.info("%s", error)
        finally:
            self._save()

    def _send_until(self, target: int) -> None:
        arriving = self._simulation.advance_us(target)
        for portion in _portions(arriving, PORTION):
            self._door.send(portion)
            self._sent += len(portion)
            self._reached = portion[-1].arrival_us
            self._keep_and_tell(target)
            if self._stop.is_set():
                return
        self._reached = max(self._reached, target)
        self._keep_and_tell(target)

    def _keep_and_tell(self, target: int) -> None:
        now = time.monotonic()
        if now - self._saved_at >= _SAVE_EVERY_S:
            self._saved_at = now
            self._save()
        elapsed = now - self._told_at
        if self._on_progress is not None and elapsed >= _PROGRESS_EVERY_S:
            rate = (self._sent - self._told_sent) / elapsed if self._told_at else 0.0
            self._told_at, self._told_sent = now, self._sent
            phase: Literal["backfill", "realtime"] = "realtime" if self._caught_up else "backfill"
            began, reached, goal = map(to_datetime, (self._began, self._reached, target))
            self._on_progress(Progress(phase, began, reached, goal, self._sent, rate))

    def _save(self) -> None:
        if self._state_file is not None:
            options = self._options
            State(options.start, to_datetime(self._reached), options.fingerprint(), options.predecessor).save(
                self._state_file
            )


def _portions(arriving: Iterator[Emission], size: int) -> Iterator[list[Emission]]:
    while portion := list(islice(arriving, size)):
        yield portion


__all__ = ["Progress", "State", "StateError", "plan", "run_backfill_and_realtime"]
