"""Duties of clause 2: an official for every business, a pledge of every business, and visits that are due in time."""

from typing import Final

from pipeline.simulator.chance import chance, poisson
from pipeline.simulator.city import City
from pipeline.simulator.moments import DAY, HOUR, MINUTE, iso
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.source import Draft, Source, draft
from schemas.measure import Measure

_SOURCE: Final = "/duties/zhuji"
_STANDING: Final = (("guarantee_relation", "gr", 1.0), ("pledge", "pl", 0.9995))
"""Which duty, how its identity begins, and the share that is done."""
_VISITED_A_DAY: Final = 0.03
_DONE_IN_TIME: Final = 0.998
_TIME_FOR_A_VISIT: Final = 3 * DAY
_SECOND_LATEST: Final = 4 * DAY


class DutySource(Source):
    """Standing duties at the start, then a few visits a day."""

    name = "duties"
    unit = DAY
    settled = _SECOND_LATEST + DAY
    past = 30 * DAY

    def __init__(self, options: SimulationOptions, city: City) -> None:
        super().__init__(options)
        self._businesses = [
            one for one in city.operators if one.kind not in ("banquet_cook", "cook_company", "dining_street")
        ]

    def opening(self) -> list[Draft]:
        """Relations and pledges, with times in the year before the start."""
        drafts = []
        for one in self._businesses:
            for measure, prefix, share in _STANDING:
                rng = chance(self.options.seed, measure, one.operator_id)
                time = self.options.entered(rng.random(), 300) // 1000 * 1000
                done = rng.random() < share
                identity = f"{prefix}-{one.operator_id}"
                data = {
                    "measure_id": identity,
                    "measure": measure,
                    "town_code": one.town,
                    "operator_id": one.operator_id,
                    "status": "done" if done else "due",
                } | ({"done_at": iso(time)} if done else {})
                event = draft(self.options.origin, Measure, (_SOURCE, f"{identity}-{time}"), iso(time), data)
                drafts.append(event)
        return drafts

    def cell(self, number: int) -> list[Draft]:
        """Visits that become due on a day, and when they are done."""
        rng = chance(self.options.seed, "visits", number)
        begin = self.begin(number)
        drafts = []
        for place in range(poisson(rng, _VISITED_A_DAY * len(self._businesses)) if self._businesses else 0):
            one = rng.choice(self._businesses)
            known = begin + int((8 + rng.random()) * HOUR) // 1000 * 1000
            due = known + _TIME_FOR_A_VISIT
            share = rng.random() if rng.random() < _DONE_IN_TIME else 1 + rng.random() * 0.3
            done = known + 10 * MINUTE + int(share * (_TIME_FOR_A_VISIT - 20 * MINUTE)) // 1000 * 1000
            identity = f"sv-{number}-{place}"
            data = {
                "measure_id": identity,
                "measure": "supervision_visit",
                "town_code": one.town,
                "operator_id": one.operator_id,
                "status": "due",
                "due_at": iso(due),
            }
            after = data | {"status": "done", "done_at": iso(done)}
            for time, said in ((known, data), (done, after)):
                drafts.append(draft(time + 500_000, Measure, (_SOURCE, f"{identity}-{time // 1000}"), iso(time), said))
        return drafts
