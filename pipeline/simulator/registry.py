"""The registry: the whole of it at the start, then a few changes a day; and the kitchens' states.

The only source that remembers: it plays its days in order from the start, so the same day always meets the same city.
"""

import heapq
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from pipeline.simulator.chance import chance, poisson
from pipeline.simulator.city import City, Operator, make_operator
from pipeline.simulator.moments import DAY, HOUR, MINUTE, SECOND, date_text, day_number, iso
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.source import Draft, Source, draft
from schemas.camera import Kitchen
from schemas.event import EventData
from schemas.registry import Operator as OperatorRecord
from schemas.registry import Village

_REGISTRY: Final = "/registry/zhuji"
_KITCHENS: Final = "/kitchen/zhuji"
_MERCHANTS: Final = 3_800
"""The numbers of changes a day are those of a city with so many merchants."""

_REASONS: Final = {
    "active": "首帧审核通过，链接已公开",
    "degraded": "画面中断超时",
    "pending": "摄像头已安装，待审核",
    "none": "未安装",
    "withdrawn": "商家撤回授权",
}
_KITCHEN_MOVES: Final = (
    # from, to, share of them a day; in balance when about 93 of 100 are active
    ("active", "degraded", 0.004),
    ("active", "pending", 0.0012),
    ("active", "withdrawn", 0.0002),
    ("degraded", "active", 0.03),
    ("pending", "active", 0.06),
    ("none", "pending", 0.01),
    (None, "pending", 0.004),
    ("withdrawn", "pending", 0.03),
)
_REPAIRED_SOON: Final = 0.75
"""The share of kitchens that degrade and come back within a day and a half."""


class RegistrySource(Source):
    """Days of the registry and of the kitchens."""

    name = "registry"
    unit = DAY
    settled = DAY + 2 * HOUR
    remembers = True

    def __init__(self, options: SimulationOptions, city: City) -> None:
        super().__init__(options)
        self._city = city
        self._operators = {one.operator_id: one for one in city.operators}
        self._records = {one.operator_id: dict(one.record) for one in city.operators}
        self._kitchens = {one.operator_id: one.kitchen for one in city.operators if one.kind == "takeaway"}
        self._kitchens |= {one.operator_id: one.kitchen for one in city.operators if one.kitchen is not None}
        self._villages = [dict(one) for one in city.villages]
        self._agenda: list[tuple[int, int, str, tuple[Any, ...]]] = []
        self._number = 0
        self._heirs: dict[str, list[tuple[int, Operator | None]]] = {}
        self._holders = {one.operator_id: one.operator_id for one in city.operators if one.weight > 0}

    def tenant(self, slot: Operator, moment: int) -> Operator | None:
        """Who keeps the shop of this slot at the moment: the first one, a later one, or nobody."""
        heirs = self._heirs.get(slot.operator_id)
        current: Operator | None = slot
        for since, heir in heirs or ():
            if since <= moment:
                current = heir
        return current

    def opening(self) -> list[Draft]:
        """Everybody's record, with times in the months before the start."""
        origin = self.options.origin
        drafts = []
        for operator in self._city.operators:
            rng = chance(self.options.seed, "entered", operator.operator_id)
            time = self.options.entered(rng.random(), 400)
            drafts.append(self._operator_draft(operator.record, time)._replace(arrival=origin))
            if operator.kitchen is not None:
                time = self.options.entered(rng.random(), 90)
                drafts.append(self._kitchen_draft(operator, operator.kitchen, time)._replace(arrival=origin))
        for village in self._city.villages:
            time = self.options.entered(chance(self.options.seed, "entered", village["village_id"]).random(), 500)
            drafts.append(self._village_draft(village, time)._replace(arrival=origin))
        return drafts

    def cell(self, number: int) -> list[Draft]:
        """The changes of one day, in their order."""
        self._plan(number)
        end = self.begin(number + 1)
        drafts = []
        while self._agenda and self._agenda[0][0] < end:
            time, _, what, about = heapq.heappop(self._agenda)
            if time >= self.options.origin:
                drafts.extend(getattr(self, f"_do_{what}")(time, *about))
        return drafts

    def _push(self, time: int, what: str, *about: Any) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (time // 1000 * 1000, self._number, what, about))

    def _plan(self, day: int) -> None:
        """Draws what will begin on this day."""
        rng = chance(self.options.seed, "registry", day)
        begin = self.begin(day)

        def some_time() -> int:
            return begin + int((8 + rng.random() * 10) * HOUR)

        for source, target, share in _KITCHEN_MOVES:
            there = [name for name, state in self._kitchens.items() if state == source]
            for _ in range(poisson(rng, share * len(there)) if there else 0):
                self._push(begin + int((6 + rng.random() * 16) * HOUR), "kitchen", rng.choice(there), source, target)
        self._plan_merchants(rng, some_time, self.options.count("takeaway") / _MERCHANTS)
        unserved = [place for place, one in enumerate(self._villages) if one["served_by"] is None]
        canteens = self._city.of_kind("caring_canteen")
        for _ in range(poisson(rng, 0.15) if unserved and canteens else 0):
            place = rng.choice(unserved)
            near = [one for one in canteens if one.town == self._villages[place]["town_code"]] or canteens
            self._push(some_time(), "village", place, rng.choice(near).operator_id)
        soon, later = date_text(day + 10), date_text(day + 20)
        for name, record in self._records.items():
            for key in ("training_valid_until", "health_valid_until"):
                if record.get(key) == soon and rng.random() < 0.97:
                    self._push(some_time(), "change", name, {key: date_text(day + 375)})
            if record.get("certificates") and record["certificates"][0]["valid_until"] == later:
                renewed = [{**record["certificates"][0], "valid_until": date_text(day + 1115)}]
                self._push(some_time(), "change", name, {"certificates": renewed})
        for place, incident in self.options.incidents_named("kitchen-drop"):
            for low, high in incident.window.spans(day, self.options.origin):
                self._push(low, "drop", place, incident, high)

    def _plan_merchants(self, rng: Random, some_time: Any, scale: float) -> None:
        open_slots = [slot for slot, name in self._holders.items() if self._records[name]["status"] == "active"]
        if not open_slots:
            return
        for _ in range(poisson(rng, 1.2 * scale)):
            slot, time = rng.choice(open_slots), some_time()
            self._push(time, "close", slot)
            self._push(time + int((1 + rng.random() * 4) * DAY), "open", slot)
        for _ in range(poisson(rng, 0.5 * scale)):
            name, time = self._holders[rng.choice(open_slots)], some_time()
            self._push(time, "suspend", name)
            self._push(time + int((1 + rng.random() * 6) * DAY), "resume", name)
        for _ in range(poisson(rng, 0.3 * scale)):
            name, time = self._holders[rng.choice(open_slots)], some_time()
            self._push(time, "change", name, {"officers": 0})
            self._push(time + int((0.3 + rng.random() * 6) * HOUR), "change", name, {"officers": 1})
        for _ in range(poisson(rng, 2.0 * scale)):
            name = self._holders[rng.choice(open_slots)]
            grade = rng.choice("AABBBBC")
            self._push(some_time(), "change", name, {"grade": grade})

    def _do_change(self, time: int, name: str, change: dict[str, Any]) -> Iterator[Draft]:
        if self._records[name]["status"] != "closed":
            self._records[name].update(change)
            yield self._operator_draft(self._records[name], time)

    def _do_suspend(self, time: int, name: str) -> Iterator[Draft]:
        if self._records[name]["status"] == "active":
            yield from self._do_change(time, name, {"status": "suspended"})

    def _do_resume(self, time: int, name: str) -> Iterator[Draft]:
        if self._records[name]["status"] == "suspended":
            yield from self._do_change(time, name, {"status": "active"})

    def _do_close(self, time: int, slot: str) -> Iterator[Draft]:
        name = self._holders[slot]
        if self._records[name]["status"] != "closed":
            yield from self._do_change(time, name, {"status": "closed"})
            self._heirs.setdefault(slot, []).append((time, None))

    def _do_open(self, time: int, slot: str) -> Iterator[Draft]:
        if self._records[self._holders[slot]]["status"] != "closed":
            return
        first = self._operators[slot]
        generation = sum(1 for _, heir in self._heirs[slot] if heir is not None) + 2
        number = int(slot.split("-")[1]) - 1
        heir = make_operator(self.options.seed, first.kind, first.town, number, day_number(time), generation=generation)
        heir.record["open_hours"] = first.record["open_hours"]  # the demand of a slot is drawn by its hours
        self._operators[heir.operator_id] = heir
        self._records[heir.operator_id] = dict(heir.record)
        self._kitchens[heir.operator_id] = "none"
        self._heirs[slot].append((time, heir))
        self._holders[slot] = heir.operator_id
        yield self._operator_draft(heir.record, time)
        yield self._kitchen_draft(heir, "none", time + SECOND)
        rng = chance(self.options.seed, "built", heir.operator_id)
        ready = time + int((0.5 + rng.random() * 3) * DAY)
        self._push(ready, "kitchen", heir.operator_id, "none", "pending")
        self._push(ready + int((0.5 + rng.random() * 4) * DAY), "kitchen", heir.operator_id, "pending", "active")

    def _do_kitchen(self, time: int, name: str, source: str | None, target: str) -> Iterator[Draft]:
        if self._kitchens[name] == source and self._records[name]["status"] != "closed":
            self._kitchens[name] = target
            yield self._kitchen_draft(self._operators[name], target, time)
            rng = chance(self.options.seed, "repair", name, time)
            if (source, target) == ("active", "degraded") and rng.random() < _REPAIRED_SOON:
                self._push(time + 40 * MINUTE + int(rng.random() ** 2 * 36 * HOUR), "kitchen", name, target, source)

    def _do_village(self, time: int, place: int, canteen: str) -> Iterator[Draft]:
        self._villages[place]["served_by"] = canteen
        yield self._village_draft(self._villages[place], time)

    def _do_drop(self, time: int, place: int, incident: Any, end: int | None) -> Iterator[Draft]:
        """Kitchens in the scope of an incident degrade; their own state goes on beneath."""
        rng = chance(self.options.seed, "kitchen-drop", place, time)
        met = [
            name
            for name, state in self._kitchens.items()
            if state == "active"
            and self._records[name]["status"] == "active"
            and incident.meets_place(self._operators[name].town, name)
            and rng.random() < incident.rate
        ]
        for number, name in enumerate(met):
            yield self._kitchen_draft(self._operators[name], "degraded", time + number * 7_000)
        if end is not None:
            self._push(max(end, time + len(met) * 7_000), "recover", met)

    def _do_recover(self, time: int, met: list[str]) -> Iterator[Draft]:
        for number, name in enumerate(met):
            yield self._kitchen_draft(self._operators[name], self._kitchens[name] or "none", time + number * 7_000)

    def _operator_draft(self, record: dict[str, Any], time: int) -> Draft:
        return self._draft(OperatorRecord, _REGISTRY, record["operator_id"], time, dict(record))

    def _kitchen_draft(self, operator: Operator, state: str, time: int) -> Draft:
        data = {"operator_id": operator.operator_id, "town_code": operator.town, "state": state}
        data["reason"] = _REASONS[state]
        return self._draft(Kitchen, _KITCHENS, operator.operator_id, time, data)

    def _village_draft(self, village: dict[str, Any], time: int) -> Draft:
        return self._draft(Village, _REGISTRY, village["village_id"], time, dict(village))

    @staticmethod
    def _draft(model: type[EventData], source: str, subject: str, time: int, data: dict[str, Any]) -> Draft:
        arrival = time + 400_000 + time // 1000 % 1900 * 1000
        return draft(arrival, model, (source, f"{subject}-{time // 1000}"), iso(time), data)
