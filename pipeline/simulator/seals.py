"""Takeaway orders: one event at the delivery, and for some of them later ones that prove, correct or cancel.

The moment of the delivery never changes for an order. In normal times about 94 of 100 delivered orders end with a
proved seal, in every town: most proofs come at once or within minutes, a few after hours.
"""

from random import Random
from typing import Any, Final

from pipeline.simulator.chance import chance, poisson, positions
from pipeline.simulator.city import City, Operator
from pipeline.simulator.demand import Demand
from pipeline.simulator.moments import DAY, HOUR, MINUTE, SECOND, iso, iso_utc, to_datetime
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.registry import RegistrySource
from pipeline.simulator.source import Draft, Source, draft
from schemas.seal import Order
from schemas.towns import TOWNS

_PLATFORM_WEIGHTS: Final = {"meituan": 0.58, "eleme": 0.29, "jd": 0.07, "douyin": 0.05, "other": 0.01}
_CODES: Final = {"meituan": "MT", "eleme": "EL", "jd": "JD", "douyin": "DY", "other": "OT"}
_INSPECTION: Final = "/inspection/zhuji"
_DRAWS: Final = 14
_EVENTS_MAX: Final = 4
"""At most so many events has one order."""


class SealSource(Source):
    """Orders minute by minute of delivery."""

    name = "seal"
    unit = MINUTE
    settled = 2 * HOUR + 5 * MINUTE

    def __init__(self, options: SimulationOptions, city: City, registry: RegistrySource) -> None:
        super().__init__(options)
        self._registry = registry
        self._demand = Demand(city.of_kind("takeaway"), options.orders_per_day)
        self._asleep = [one for one in city.of_kind("takeaway") if one.weight == 0]
        self._drops = options.incidents_named("seal-drop")
        self._coverage = {
            town: min(1.0, max(0.0, options.seal_coverage + (number * 7 % 11 - 5) / 1500 * (options.seal_coverage < 1)))
            for number, town in enumerate(TOWNS)
        }

    def bound(self, number: int) -> int:
        """Four times the orders of the minute, whose number is the first draw."""
        rng = chance(self.options.seed, "seal", number)
        return _EVENTS_MAX * poisson(rng, self._demand.mean(number * MINUTE))

    def cell(self, number: int) -> list[Draft]:
        """The orders that are delivered, picked up or given up in this minute."""
        begin = number * MINUTE
        rng = chance(self.options.seed, "seal", number)
        draw = rng.random
        count = poisson(rng, self._demand.mean(begin))
        slots = self._demand.choose(begin, [draw() for _ in range(count)])
        moments = sorted(begin + int(draw() * 60_000) * 1000 for _ in range(count))
        strangers = set(positions(chance(self.options.seed, "strangers", number), self._unregistered(), count))
        drops = [(one, chance(self.options.seed, "drop", place, number)) for place, one in self._drops]
        stamp = to_datetime(begin).strftime("%y%m%d%H%M")
        drafts: list[Draft] = []
        for place, (slot, moment) in enumerate(zip(slots, moments, strict=True)):
            operator = self._registry.tenant(self._demand.slots[slot], moment)
            if operator is None:  # the place stands empty between two shops
                continue
            platform = self._platform(rng, operator)
            data: dict[str, Any] = {
                "order_id": f"{_CODES[platform]}{stamp}-{place}",
                "operator_id": operator.operator_id,
                "platform": platform,
                "town_code": operator.town,
                "delivered_at": (iso_utc if platform == "eleme" else iso)(moment),
                "fulfilment": "delivered",
            }
            if place in strangers:
                data["operator_id"] = f"gx-{place % 7:05d}"
            coverage = self._coverage[operator.town]
            for incident, dice in drops:
                if (
                    incident.platform in (None, platform)
                    and incident.meets_place(operator.town, operator.operator_id)
                    and incident.window.covers(moment)
                    and dice.random() * coverage > incident.rate
                ):
                    coverage = 0.0
            self._tell(drafts, rng, data, moment, coverage)
        return drafts

    def _unregistered(self) -> float:
        return self.options.faults.unregistered

    @staticmethod
    def _platform(rng: Random, operator: Operator) -> str:
        names: list[str] = operator.record["platforms"]
        if len(names) == 1:
            return names[0]
        draw = rng.random() * sum([_PLATFORM_WEIGHTS[name] for name in names])
        for name in names:
            draw -= _PLATFORM_WEIGHTS[name]
            if draw < 0:
                return name
        return names[0]

    def _tell(self, drafts: list[Draft], rng: Random, data: dict[str, Any], moment: int, coverage: float) -> None:
        """All events of one order. What `coverage` 0 means is that the seal is not proved, whatever else happens."""
        # always the same number of draws, so that what befalls one order leaves the others as they are
        draw = iter([rng.random() for _ in range(_DRAWS)]).__next__
        size = draw()
        packages = 1 if size < 0.68 else 2 if size < 0.9 else 3 if size < 0.97 else 4 + int(draw() * 5)
        data["packages"] = packages
        data["sealed_packages"] = packages
        end = draw()
        proof = draw()
        style = draw()
        if end < 0.06:
            data["fulfilment"] = "pickup" if end < 0.03 else "cancelled"
            sealed = end < 0.01
            data["sealed_packages"] = packages if sealed else 0
            _seal(data, "intact" if sealed else "unknown", 1 if sealed else 0)
            self._say(drafts, draw, data, 1, moment)
        elif proof < coverage:
            self._prove(drafts, draw, data, moment, style)
        else:
            self._fail(drafts, draw, data, moment, style)

    def _prove(self, drafts: list[Draft], draw: Any, data: dict[str, Any], moment: int, style: float) -> None:
        order = data["order_id"]
        if style < 0.50:
            _seal(data, "intact", 2, photo=order)
        elif style < 0.62:
            _seal(data, "intact", 3, code=order)
        elif style < 0.90 or style >= 0.995:  # the platform's flag first, the rider's photo minutes or hours later
            _seal(data, "intact", 1)
            self._say(drafts, draw, data, 1, moment)
            later = 20 * SECOND + draw() * 340 * SECOND if style < 0.90 else (20 + draw() * 90) * MINUTE
            _seal(data, "intact", 2, photo=order)
            self._say(drafts, draw, data, 2, moment + int(later))
            return
        else:  # the photo first, the scan of the code when the customer opens it
            _seal(data, "intact", 2, photo=order)
            self._say(drafts, draw, data, 1, moment)
            _seal(data, "intact", 3, code=order, photo=order)
            self._say(drafts, draw, data, 2, moment + int((5 + draw() * 480) * SECOND))
            return
        self._say(drafts, draw, data, 1, moment)
        after = draw()
        if after < 0.004:  # the customer complains, the photo is looked at again
            data["seal_state"] = "broken" if after < 0.003 else "absent"
            data["sealed_packages"] = data["packages"] if after < 0.003 else 0
            self._say(drafts, draw, data, 2, moment + int((15 + draw() * 95) * MINUTE))
        elif after < 0.007:  # refused at the door
            data["fulfilment"] = "cancelled"
            self._say(drafts, draw, data, 2, moment + int((2 + draw() * 100) * MINUTE))
        elif after < 0.008:  # an inspector looked into the bag
            data["evidence_level"] = 4
            self._say(drafts, draw, data, 2, moment + int((1 + draw() * 9) * MINUTE), source=_INSPECTION)

    def _fail(self, drafts: list[Draft], draw: Any, data: dict[str, Any], moment: int, style: float) -> None:
        order = data["order_id"]
        if style < 0.30:
            _seal(data, "intact", 0 if style < 0.08 else 1)
        elif style < 0.48:
            data["sealed_packages"] = 0
            _seal(data, "unknown", 0 if style < 0.40 else 1)
        elif style < 0.68:
            _seal(data, "broken", 2, photo=order)
        elif style < 0.90 or data["packages"] == 1:
            data["sealed_packages"] = 0
            _seal(data, "absent", 2, photo=order)
        else:
            data["sealed_packages"] -= 1
            _seal(data, "intact", 2, photo=order)
        self._say(drafts, draw, data, 1, moment)

    def _say(
        self, drafts: list[Draft], draw: Any, data: dict[str, Any], number: int, moment: int, *, source: str = ""
    ) -> None:
        """Adds the event: it becomes true up to 3 s after the moment, and arrives a little later."""
        time = moment + int(draw() * 3000) * 1000
        order, platform = data["order_id"], data["platform"]
        drafts.append(
            draft(
                time + 100_000 + int(draw() * draw() * 8_000_000),
                Order,
                (source or f"/platform/{platform}", f"{order}-{number}"),
                (iso_utc if platform == "eleme" else iso)(time),
                data.copy(),
            )
        )

    def opening(self) -> list[Draft]:
        """The last order of each merchant before the start: in the last 30 days, of those that sleep, before."""
        if not self.options.history or not self.options.orders_per_day:
            return []
        drafts: list[Draft] = []
        origin = self.options.origin
        awake = {id(one) for one in self._demand.slots}
        for operator in (*self._demand.slots, *self._asleep):
            rng = chance(self.options.seed, "last order", operator.operator_id, origin)
            days = 0.1 + 29.4 * rng.random() ** 2 if id(operator) in awake else 31 + 30 * rng.random()
            moment = origin - int(days * DAY) // 1000 * 1000
            platform = self._platform(rng, operator) if operator.record["platforms"] else "meituan"
            data: dict[str, Any] = {
                "order_id": f"{_CODES[platform]}h-{operator.operator_id}-{moment // SECOND}",
                "operator_id": operator.operator_id,
                "platform": platform,
                "town_code": operator.town,
                "delivered_at": (iso_utc if platform == "eleme" else iso)(moment),
                "fulfilment": "delivered",
            }
            told: list[Draft] = []
            self._tell(told, rng, data, moment, self._coverage[operator.town])
            drafts.extend(one._replace(arrival=origin) for one in told)
        return drafts


def _seal(data: dict[str, Any], state: str, level: int, code: str | None = None, photo: str | None = None) -> None:
    data["seal_state"] = state
    data["evidence_level"] = level
    if code is not None:
        data["code"] = f"ZJFQ{code}"
    if photo is not None:
        data["photo_uri"] = f"https://photo.invalid/{photo}.jpg"
