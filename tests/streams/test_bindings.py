"""Cameras that two processes bind at once, as a rebuild and a worker do: what began later stays, and buckets follow."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from schemas.catalogue import STREAMS
from schemas.indicators import INDICATORS
from sinks.clickhouse import slots
from sinks.clickhouse.client import Store
from sinks.clickhouse.progress import read_state, write_watermarks
from streams.rebuild import Rebuilder
from streams.recompute import Recomputer
from tests.streams.event_place import MINUTE, T0, Place, event

HOURS: Final = (("08:00", "20:00"), ("00:00", "00:00"), ("07:00", "08:00"))
"""Open hours of one operator, each from a later record on."""


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("bindings"))
    open_(place, 0)
    place.insert("raw_cameras", **event("h1", -300), camera_id="cam", operator_id="op", online=True, advancing=True,
                 picture="ok")  # fmt: skip
    yield place
    place.stop()


def open_(place: Place, number: int) -> None:
    """The operator's record says other hours."""
    place.insert(
        "raw_operators", **event(f"o{number}", number - 600), operator_id="op", kind="takeaway", status="active",
        open_hours=[HOURS[number]],
    )  # fmt: skip


async def recomputer(store: Store) -> Recomputer:
    found = Recomputer(store, INDICATORS, 0)
    found.begin(await read_state(store))
    return found


def buckets(place: Place) -> list[tuple[Any, ...]]:
    return place.rows(
        "SELECT minute, town_code, numerator, denominator FROM yangguang.flow_minutes FINAL "
        "WHERE indicator = 'camera_online' AND denominator > 0 ORDER BY minute, town_code"
    )


@pytest.mark.parametrize("step", ["openings", "read_bindings", "write_bindings", "recompute_slots"])
def test_who_read_before_another_bound_and_writes_after_it_spoils_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """:param step: after this one of the slow one the operator changes once more, and the quick one binds."""

    async def story(store: Store) -> None:
        await write_watermarks(store, dict.fromkeys(STREAMS, T0), T0 + MINUTE, "event", MINUTE)
        async for _ in Rebuilder(store, INDICATORS, 0).run():
            pass
        open_(place, 1)
        slow, quick = await recomputer(store), await recomputer(store)
        done = getattr(slots, step)

        async def then_the_quick_one(*asked: Any, **named: Any) -> Any:
            found = await done(*asked, **named)
            monkeypatch.setattr(slots, step, done)
            open_(place, 2)
            await quick.bind(["cam"])
            return found

        monkeypatch.setattr(slots, step, then_the_quick_one)
        await slow.bind(["cam"])
        found = buckets(place)
        async for _ in Rebuilder(store, INDICATORS, 0).run():
            pass
        assert found == buckets(place)
        assert found

    place.run(story)
