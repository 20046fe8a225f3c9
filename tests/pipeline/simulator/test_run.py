"""The city on a clock: caught up at full speed, in real time afterwards, and without a hole over any stop."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline.simulator import (
    DoorStoppedError,
    Emission,
    Progress,
    SimulationOptions,
    StateError,
    run_backfill_and_realtime,
    simulate,
)
from pipeline.simulator.run import FORGOTTEN_AFTER, State, plan
from tests.pipeline.simulator.cities import START, small

PATIENCE_S = 60


class Clock:
    """Unix seconds that go on only when a test says so."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment.timestamp()


class Collector:
    """A door that keeps what leaves, and tells the test when something has left."""

    def __init__(self, break_after: int | None = None) -> None:
        self.got: list[Emission] = []
        self.portions = 0
        self.news = threading.Condition()
        self._break_after = break_after

    def send(self, portion: Sequence[Emission]) -> None:
        if self.portions == self._break_after:
            raise DoorStoppedError("enough")
        with self.news:
            self.got.extend(portion)
            self.portions += 1
            self.news.notify_all()

    def close(self) -> None:
        pass

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, PATIENCE_S)

    def wait_for_all(self, expected: list[Emission]) -> None:
        self.wait_for(lambda: len(self.got) >= len(expected))
        assert self.got == expected


class Running:
    """A run in a thread of its own."""

    def __init__(
        self,
        door: Collector,
        options: SimulationOptions,
        clock: Clock,
        state: Path | None = None,
        speed: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.stop = threading.Event()
        self._thread = threading.Thread(
            target=run_backfill_and_realtime,
            args=(door, options),
            kwargs={
                "stop": self.stop,
                "state_file": state,
                "clock": clock,
                "speed": speed,
                "on_progress": on_progress,
            },
        )
        self._thread.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def due(options: SimulationOptions, moment: datetime) -> list[Emission]:
    return list(simulate(options, None, moment))


def test_what_is_past_leaves_at_once_and_what_is_to_come_at_its_time() -> None:
    now = START + timedelta(hours=6)
    clock, door, options = Clock(now), Collector(), small()
    past = due(options, now)
    with Running(door, options, clock):
        door.wait_for_all(past)
        for seconds in (20, 100, 101):
            clock.moment = now + timedelta(seconds=seconds)
            door.wait_for_all(due(options, clock.moment))


def test_at_a_speed_it_never_runs_ahead_of_the_clock() -> None:
    clock, door, options = Clock(START + timedelta(hours=2)), Collector(), small()
    begun = threading.Event()
    with Running(door, options, clock, speed=60.0, on_progress=lambda _: begun.set()):
        assert begun.wait(PATIENCE_S)
        clock.moment += timedelta(seconds=30)  # 30 minutes at this speed
        door.wait_for_all(due(options, START + timedelta(minutes=30)))
        clock.moment += timedelta(hours=5)  # more than enough to catch up
        door.wait_for_all(due(options, clock.moment))


def test_after_a_stop_it_goes_on_where_it_was_without_a_hole(tmp_path: Path) -> None:
    state = tmp_path / "home" / "simulator.json"
    options = small(orders_per_day=30_000)
    clock = Clock(START + timedelta(hours=8))
    first = Collector(break_after=3)
    run_backfill_and_realtime(first, options, stop=threading.Event(), state_file=state, clock=clock)
    clock.moment += timedelta(hours=1)
    second = Collector()
    later = small(orders_per_day=30_000, start=clock.moment)  # the start of a life that is known does not matter
    expected = due(options, clock.moment)
    with Running(second, later, clock, state):
        second.wait_for(lambda: bool(second.got) and second.got[-1] == expected[-1])
    repeated = len(first.got) + len(second.got) - len(expected)
    assert 0 <= repeated < 10
    assert first.got + second.got[repeated:] == expected


def test_what_was_not_acknowledged_is_not_reached(tmp_path: Path) -> None:
    state = tmp_path / "simulator.json"
    door = Collector(break_after=2)
    run_backfill_and_realtime(
        door,
        small(orders_per_day=30_000),
        stop=threading.Event(),
        state_file=state,
        clock=Clock(START + timedelta(days=1)),
    )
    saved = State.load(state)
    assert saved is not None
    assert saved.reached == door.got[-1].arrival


def test_it_stops_when_told_even_in_the_middle_of_a_backfill() -> None:
    door = Collector()
    with Running(door, small(orders_per_day=100_000), Clock(START + timedelta(days=30))):
        door.wait_for(lambda: door.portions >= 2)
    assert door.got[-1].arrival < START + timedelta(days=20)


def test_progress_tells_of_the_backfill_and_then_of_real_time() -> None:
    told: list[Progress] = []
    clock, door, options = Clock(START + timedelta(hours=3)), Collector(), small()
    seen = threading.Event()

    def tell(progress: Progress) -> None:
        told.append(progress)
        if progress.phase == "realtime":
            seen.set()

    with Running(door, options, clock, on_progress=tell):
        assert seen.wait(PATIENCE_S)
    assert told[0].phase == "backfill"
    assert 0 < told[0].share <= 1
    assert told[-1].sent == len(due(options, clock.moment))


def test_another_city_begins_a_new_life_after_the_old_one() -> None:
    old = State(START, START + timedelta(days=2), small(seed=1).fingerprint())
    now = START + timedelta(days=2, hours=1)
    wanted = small(seed=2, start=now - timedelta(days=1))
    options, since = plan(wanted, old, now)
    assert (options.start, options.predecessor, since) == (old.reached, old.reached, None)
    assert options.seed == 2


def test_the_same_city_goes_on_unless_it_was_away_too_long() -> None:
    old = State(START, START + timedelta(days=2), small().fingerprint())
    now = old.reached + FORGOTTEN_AFTER
    wanted = small(start=now - timedelta(days=1))
    options, since = plan(wanted, old, now)
    assert (options.start, since) == (START, old.reached)
    options, since = plan(wanted, old, now + timedelta(seconds=1))
    assert (options.start, options.predecessor, since) == (wanted.start, old.reached, None)


def test_a_damaged_state_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "simulator.json"
    path.write_text('{"start": "2026')
    with pytest.raises(StateError, match="delete it"):
        State.load(path)
    assert State.load(tmp_path / "none.json") is None


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    state = State(START, START + timedelta(microseconds=7), "x", START - timedelta(days=1))
    state.save(tmp_path / "simulator.json")
    assert State.load(tmp_path / "simulator.json") == state
