"""Random logs of a small city: every event type, and everything that makes counting hard.

Times lie in the past and end with a moment that the log names, so as_of and the edges of all windows are known while
the log is being made.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final

from tests.system.broken import broken, dump
from tests.system.entities import DAY, HOUR, LEAD, MICRO, MINUTE, SHANGHAI, TOWNS, Entities, Json
from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    MEASURE,
    OPERATOR,
    ORDER,
    RECORD,
    STREAM_OF,
    VILLAGE,
    Record,
)

SOURCES: Final = ("/platform/meituan", "/platform/eleme", "/licensing", "/box/海康")
_NONE: Final = timedelta(0)
_STEPS: Final = (-MICRO, _NONE, MICRO)
_WINDOWS: Final = (HOUR, DAY, 7 * DAY, 30 * DAY)
_SETTLE: Final = 15 * MINUTE


class Maker(Entities):
    """Makes one log.

    :param size: events at random; edges, duplicates, rivals and invalid records come on top.
    :param towns: codes of the towns to use.
    :param prefix: of every id, so that several logs can land in one city.
    :param edges: whether something happens on every edge of every window and day.
    :param crowd: whether there are so many operators that counts reach their targets.
    """

    def __init__(
        self,
        seed: int,
        size: int,
        towns: Sequence[str] = TOWNS,
        prefix: str = "",
        edges: bool = True,
        crowd: bool = False,
    ) -> None:
        super().__init__(Random(seed), towns, prefix)
        self.size = size
        self._edges, self._crowd = edges, crowd
        self._count = 0
        self._identities: set[tuple[str, str, str]] = set()

    def log(self) -> list[Record]:
        """All records: the events, then what repeats, contradicts and breaks them, and what comes very late."""
        events = list(self._events())
        told = Counter(event["data"].get("order_id") for event in events)
        once = frozenset(order for order, count in told.items() if count == 1)
        some = self.chance.sample(events, len(events) // 8)
        half = len(some) // 2
        events += [self._rival(event, once) for event in some[:half]]
        events += [self._twin(event) for event in some[half:]]
        events += self._first_beats()
        records = [self._record(event) for event in events]
        records += [self._record(event) for event in self.chance.sample(events, len(events) // 12)]
        records += self.chance.choices(records, k=len(records) // 12)
        bad = [broken(event, self.chance) for event in self.chance.choices(events, k=len(events) // 10)]
        return records + [self._placed(one) for one in bad]

    def _events(self) -> Iterator[Json]:
        yield self._event(HEARTBEAT, self.heartbeat(), self.end)
        if self._edges:
            yield from self._order_edges()
            yield from self._window_edges()
            yield from self._last_days()
        if self._crowd:
            yield from self._many()
        yield from self._bursts()
        makers = (
            (ORDER, self.order, 10), (OPERATOR, self.operator, 6), (KITCHEN, self.kitchen, 3),
            (HEARTBEAT, self.heartbeat, 1), (FINDING, self.finding, 3), (RECORD, self.banquet, 3),
            (VILLAGE, self.village, 1), (MEASURE, self.measure, 3),
        )  # fmt: skip
        kinds = self.chance.choices(makers, [weight for _, _, weight in makers], k=self.size)
        for kind, make, _ in kinds:
            data = make()
            yield self._event(kind, data, self._moment(data))

    # what happens on purpose

    def _order_edges(self) -> Iterator[Json]:
        """Operators of one order each, delivered or known just inside or just outside a window."""
        window_end = self.as_of - _SETTLE
        edges = [self.as_of - 30 * DAY, self.as_of, *(window_end - one for one in _WINDOWS), window_end]
        moments = [edge + step for edge in edges for step in _STEPS]
        cases = [(one, one - DAY) for one in moments] + [(self.as_of - 2 * DAY, one) for one in moments[:6]]
        for number, (delivered, known) in enumerate(cases):
            operator = f"{self.prefix}edge-{number}"
            registry = self.operator(operator) | {"kind": "takeaway", "status": "active", "platforms": ["jd", "eleme"]}
            yield self._event(OPERATOR, registry, self.as_of - 50 * DAY)
            yield self._event(KITCHEN, self.kitchen(operator), min(known, self.as_of))
            order = self.order(f"edge-{number}") | {
                "operator_id": operator,
                "delivered_at": self.text(delivered),
                "fulfilment": self.chance.choice(("delivered", "pickup")),
            }
            yield self._event(ORDER, order, min(known, self.end))
        for number in range(6):  # cancelled, so that nothing that is not promised has to be known
            order = self.order(f"torn-{number // 2}") | {"fulfilment": "cancelled"}
            yield self._event(ORDER, order, self._moment(order))

    def _window_edges(self) -> Iterator[Json]:
        """Meals and days by which something is due on the edges of windows."""
        edges = (self.as_of, *(self.as_of - one for one in (*_WINDOWS, 365 * DAY)))
        for number, at in enumerate(edge + step for edge in edges for step in _STEPS):
            name, moment = f"{self.prefix}edge-{number}", self.text(at)
            meal = {"held_at": moment, "declared_at": self.near(at - LEAD), "status": "held", "diners": 100}
            yield self._sometime(RECORD, self.banquet() | meal | {"banquet_id": name})
            due = {"due_at": moment, "review": "closed", "closed_at": self.near(at)}
            yield self._sometime(FINDING, self.finding() | due | {"finding_id": name})
            visit = {"due_at": moment, "measure": "supervision_visit", "done_at": self.near(at), "status": "done"}
            yield self._sometime(MEASURE, self.measure() | visit | {"measure_id": name})

    def _last_days(self) -> Iterator[Json]:
        """Certificates that end about as_of, and cooks whose papers end with the day of a meal or with the next."""
        for number, stem in enumerate(("supplier", "unit", "cook") * 3):
            day = self.day(self.as_of, number // 3 - 1)
            papers = {"training_valid_until": day, "health_valid_until": self.day(self.as_of, 1)}
            paper = {"certificates": [{"scheme": "HACCP", "valid_until": day}], "status": "active"}
            operator = self.operator(f"{self.prefix}{stem}-last-{number}") | paper | papers
            yield self._event(OPERATOR, operator, self.as_of - 3 * DAY)
        midnight = (self.as_of - 4 * DAY).astimezone(SHANGHAI).replace(hour=0, minute=0)
        cooks = [f"{self.prefix}cook-of-{number}" for number in range(3)]
        for number, cook in enumerate(cooks):
            papers = {name: self.day(midnight, number - 1) for name in ("training_valid_until", "health_valid_until")}
            registry = self.operator(cook) | papers | {"kind": "banquet_cook"}
            yield self._event(OPERATOR, registry, self.as_of - self.chance.choice((0, 30)) * DAY)
            for held in (midnight - MICRO, midnight, midnight + DAY - MICRO):
                meal = {"held_at": self.text(held), "cook_id": cook, "status": "held", "diners": 100}
                yield self._sometime(RECORD, self.banquet() | meal | {"banquet_id": f"{cook}-{held:%d-%H}"})

    def _many(self) -> Iterator[Json]:
        """Elder-care canteens with kitchens, and schools; and one town in which all is well."""
        for number in range(16):
            elder = f"{self.prefix}elder-of-{number}"
            yield self._sometime(OPERATOR, self.operator(elder) | {"status": "active", "grade": "AB"[number % 2]})
            yield self._sometime(KITCHEN, self.kitchen(elder) | {"state": "active"})
        for number in range(46):
            school = self.operator(f"{self.prefix}school-of-{number}") | {"accepted": ["6H", "model"]}
            yield self._sometime(OPERATOR, school | {"status": "active"})
        cook = self.operator(f"{self.prefix}cook-good") | {"kind": "banquet_cook", "status": "active"}
        papers = dict.fromkeys(("training_valid_until", "health_valid_until"), self.day(self.as_of, 40))
        yield self._event(OPERATOR, cook | papers, self.as_of)
        for number in range(40):
            good, at = {"town_code": "330681110"}, self.as_of - HOUR / 2 * self.chance.random() - _SETTLE
            due, done = self.text(at), self.text(at - MICRO)
            closed = {"due_at": due, "closed_at": done, "review": "closed"}
            yield self._sometime(FINDING, self.finding() | closed | good)
            visit = {"measure": "supervision_visit", "due_at": due, "done_at": done, "status": "done"}
            yield self._sometime(MEASURE, self.measure() | visit | good)
            order = self.order(f"good-{number}") | {"delivered_at": due, "packages": 1, "sealed_packages": 1}
            yield self._sometime(ORDER, order | {"seal_state": "intact", "evidence_level": 4} | good)
            meal = {"held_at": due, "guided_at": done, "declared_at": self.text(at - LEAD), "status": "held"}
            whole = {"diners": 100, "samples_retained": True, "cook_id": cook["operator_id"]}
            yield self._sometime(RECORD, self.banquet() | meal | whole | good)

    def _bursts(self) -> Iterator[Json]:
        """Cameras that beat every minute for an hour or two, with gaps, dark times, and a move to another kitchen."""
        chance, kitchens = self.chance, self.ids["kit"]
        for number, kitchen in enumerate(kitchens):
            hours = self.hours(now=True) if number else [{"from": "09:00", "to": "13:30"}]
            state = {"open_hours": hours, "status": "active" if number < len(kitchens) - 1 else "suspended"}
            yield self._event(OPERATOR, self.operator(kitchen) | state, self.as_of - MINUTE * chance.random())
        for number, kitchen in enumerate([*kitchens, "nobody"]):
            data = self.heartbeat(f"cam-{number}") | {"operator_id": kitchen}
            begins = [chance.choice((26 * HOUR, 8 * DAY, 33 * DAY)), 3 * HOUR, chance.choice((_NONE, 90 * MINUTE))]
            for begin in begins[number % 2 :]:
                if chance.random() < 0.2:
                    data |= {"operator_id": chance.choice(kitchens), "town_code": chance.choice(self.towns)}
                yield from self._burst(data, self.as_of - begin - 40 * MINUTE * chance.random())

    def _burst(self, data: Json, moment: datetime) -> Iterator[Json]:
        chance = self.chance
        for _ in range(chance.randrange(15, 50)):
            if chance.random() < 0.25:  # well or not for some minutes
                state = (True, True, chance.choice(("ok", "blurred")))
                if chance.random() < 0.5:
                    state = chance.choice(((False, True, "ok"), (True, False, "ok"), (True, True, "frozen")))
                data = data | dict(zip(("online", "advancing", "picture"), state, strict=True))
            moment += 58 * timedelta(seconds=1) + 4 * timedelta(seconds=1) * chance.random()
            if chance.random() < 0.1:
                moment += chance.choice((3, 7, 12)) * MINUTE
            if chance.random() < 0.15:  # at the begin of a slot, or just before it
                moment = moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0) + 5 * MINUTE
                moment += chance.choice((_NONE, -MICRO))
            if moment > self.end:
                return
            yield self._event(HEARTBEAT, data, moment)

    def _first_beats(self) -> list[Json]:
        """Heartbeats that come after everything else and are older than all others of their cameras."""
        cameras = self.chance.sample(range(5), 2)
        agos = [self.chance.choice((5 * HOUR, 9 * DAY, 40 * DAY)) for _ in cameras]
        beats = [self.heartbeat(f"cam-{number}") for number in cameras]
        return [self._event(HEARTBEAT, beat, self.as_of - ago) for beat, ago in zip(beats, agos, strict=True)]

    # events

    def _sometime(self, kind: str, data: Json) -> Json:
        return self._event(kind, data, self._moment(data))

    def _event(self, kind: str, data: Json, time: datetime) -> Json:
        self._count += 1
        source, name = self.chance.choice(SOURCES) + self.prefix, f"e{self._count}"
        if self.chance.random() < 0.2:  # ids are unique in their source and type only
            name = f"e{self.chance.randrange(1, self._count + 1)}"
        while (kind, source, name) in self._identities:
            name += "-"
        self._identities.add((kind, source, name))
        event = {
            "specversion": "1.0", "id": name, "source": source, "type": kind, "time": self.text(time), "data": data,
        }  # fmt: skip
        if self.chance.random() < 0.5:
            event["subject"] = f"s-{self._count}"
        if self.chance.random() < 0.1:
            event |= {"datacontenttype": "application/json", "traceparent": "00-1"}
        return event

    def _moment(self, data: Json) -> datetime:
        """When it became true: often on the minute, often the same as another's, up to 45 days ago."""
        chance = self.chance
        if "delivered_at" in data and chance.random() < 0.7:
            delivered = datetime.fromisoformat(data["delivered_at"].replace("Z", "+00:00"))
            later = chance.choice((_NONE, MINUTE, timedelta(seconds=chance.randrange(3600)), 10 * DAY))
            return min(delivered + later, self.end)
        moment = self.end - chance.choice((3 * HOUR, 2 * DAY, 30 * DAY, 45 * DAY)) * chance.random()
        if chance.random() < 0.3:
            moment = moment.replace(second=0, microsecond=0)
        if chance.random() < 0.1:
            moment = self.as_of - chance.choice((_NONE, MICRO, MINUTE, 10 * DAY))
        return moment

    # what contradicts and repeats

    def _rival(self, event: Json, once: frozenset[str]) -> Json:
        """Another event with the same identity: another time, or the same one and other content, or both.

        :param once: orders of one event, which may move to another time of delivery."""
        rival: Json = json.loads(json.dumps(event))
        case = self.chance.randrange(3)
        if case != 1:
            rival["time"] = self.text(self.end - 45 * DAY * self.chance.random())
        if case != 0:
            self.change(rival["type"], rival["data"])
            if rival["data"].get("order_id") in once and self.chance.random() < 0.5:
                rival["data"]["delivered_at"] = self.fields()["delivered_at"]
        return rival

    def _twin(self, event: Json) -> Json:
        """An event of the same entity at the same time, from another source, often with the same id."""
        twin: Json = json.loads(json.dumps(event))
        twin["source"] = self.chance.choice((f"{event['source']}/1", f"/1{event['source']}"))
        if self.chance.random() < 0.5:
            twin["id"] = self.chance.choice((f"{event['id']}0", "e10", "e9"))
        self.change(twin["type"], twin["data"])
        return twin

    # records

    def _record(self, event: Json) -> Record:
        """As a producer writes it: fields in another order, spaces, keys that stand twice of which the last counts."""
        chance = self.chance
        names = list(event)
        chance.shuffle(names)
        value = dump({name: event[name] for name in names})
        if chance.random() < 0.1:
            value = b'{"id":"not-this-one",' + value[1:]
        if chance.random() < 0.1:
            value = json.dumps(event, indent=1).encode()
        return self._placed(Record(STREAM_OF[event["type"]], value))

    def _placed(self, record: Record) -> Record:
        """With the entity as key, with another key, or with none; on any partition now and then."""
        case = self.chance.randrange(4)
        if case == 0 and record.value is not None:
            return record._replace(partition=self.chance.randrange(4))
        key = (None, b"k%d" % self.chance.randrange(20), b"")[case - 1]
        return record._replace(key=key if record.value is not None else b"tombstone")  # the client wants one of them
