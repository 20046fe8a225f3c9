"""What was true in the simulated city, from its sources before anything went wrong on the way. Pure.

Kitchens and cameras are counted here a second time, by hand and by the words of the catalogue, from what the city's own
sources say at the moment of a firing: nothing of the pipeline is asked. Seals are drawn by chance from a coverage, so
what is true of them is the coverage, not the sample of an hour.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from pipeline.backtest.firings import Firing
from pipeline.simulator.city import City, build_city
from pipeline.simulator.heartbeats import HeartbeatSource
from pipeline.simulator.moments import MINUTE, day_number, minute_of_day, to_us
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.registry import RegistrySource
from schemas.durations import window_length
from schemas.indicators import CATALOGUE

_SLOT: Final = 5
_HEALTHY: Final = ("ok", "blurred")

Share = tuple[int, int]
"""Numerator and denominator."""


class SimulatedTruth:
    """The simulated city between its start and `end`, asked for shares at places and moments."""

    def __init__(self, options: SimulationOptions, end: datetime) -> None:
        self._options = options
        self._city: City = build_city(options)
        self._asleep = {one.operator_id for one in self._city.of_kind("takeaway") if one.weight == 0}
        self._heartbeats = HeartbeatSource(options, self._city)
        self._records: dict[str, tuple[list[int], list[dict[str, Any]]]] = defaultdict(lambda: ([], []))
        self._kitchens: dict[str, tuple[list[int], list[str]]] = defaultdict(lambda: ([], []))
        registry = RegistrySource(options, self._city)
        told = registry.opening()
        for day in range(registry.first(), day_number(to_us(end)) + 1):
            told += registry.cell(day)
        for one in sorted(told, key=lambda draft: datetime.fromisoformat(draft.event["time"])):
            data, at = one.event["data"], to_us(datetime.fromisoformat(one.event["time"]))
            if "state" in data:
                times, states = self._kitchens[data["operator_id"]]
                times.append(at)
                states.append(data["state"])
            elif "kind" in data:
                moments, records = self._records[data["operator_id"]]
                moments.append(at)
                records.append(data)

    def kitchen_build(self, scope: str, scope_id: str, at: datetime) -> Share:
        """Licensees with a built kitchen, of those that are open and have orders: in the simulated city, of all but the
        few that sleep."""
        built = count = 0
        for name, (moments, records) in self._records.items():
            place = bisect_right(moments, to_us(at)) - 1
            record = records[place] if place >= 0 else None
            if record is None or record["kind"] != "takeaway" or name in self._asleep:
                continue
            if record["status"] != "active" or not record["platforms"] or not _lies_in(record, scope, scope_id):
                continue
            count += 1
            times, states = self._kitchens[name]
            known = bisect_right(times, to_us(at)) - 1
            built += known >= 0 and states[known] == "active"
        return built, count

    def camera_online(self, scope: str, scope_id: str, at: datetime, window: timedelta) -> Share:
        """Slots of five minutes in which a camera of an open business said that it is well, of all of the window.

        By the catalogue a business is what its current record says: cameras of one that has closed since count no
        more."""
        last = to_us(at) // MINUTE // _SLOT
        slots = range(last - int(window.total_seconds()) // 60 // _SLOT, last)
        well: set[tuple[str, int]] = set()
        for minute in range(slots.start * _SLOT, slots.stop * _SLOT):
            for one in self._heartbeats.cell(minute):
                data = one.event["data"]
                if data["online"] and data["advancing"] and data["picture"] in _HEALTHY:
                    well.add((data["camera_id"], minute // _SLOT))
        up = count = 0
        for camera in self._city.cameras:
            record = self._records[camera.operator.operator_id][1][-1]
            if record["status"] != "active" or not _lies_in(record, scope, scope_id):
                continue
            for slot in slots:
                if camera.open_minutes[minute_of_day(slot * _SLOT * MINUTE)]:
                    count += 1
                    up += (camera.camera_id, slot) in well
        return up, count

    def below(self, firing: Firing) -> bool:
        """Whether the place of an alert was below the target when it began to fire, by what the city knows of itself.

        Of seals only the coverage of normal times is asked: what incidents take from it explains an alert already."""
        target = CATALOGUE[firing.indicator].target_on(firing.begin.date())
        if target is None:
            return False
        if firing.indicator == "seal_coverage":
            return self._options.seal_coverage < target
        if firing.indicator == "kitchen_build":
            share = self.kitchen_build(firing.scope, firing.scope_id, firing.begin)
        elif firing.indicator == "camera_online":
            share = self.camera_online(firing.scope, firing.scope_id, firing.begin, window_length(firing.window))
        else:
            return False
        return share[1] > 0 and share[0] < target * share[1]

    def confirmed(self, several: Iterable[Firing]) -> set[Firing]:
        """Those of the firings that are true."""
        return {one for one in several if self.below(one)}


def _lies_in(record: dict[str, Any], scope: str, scope_id: str) -> bool:
    if scope == "town":
        return bool(record["town_code"] == scope_id)
    return scope == "city" or scope_id in record.get("platforms", ())
