"""Random logs of a small city: every event type, and everything that makes counting hard.

Times lie in the past and end with a moment that the log names, so as_of and the edges of all windows are known while
the log is being made.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from tests.system.broken import broken, dump
from tests.system.entities import TOWNS, Entities, Json
from tests.system.records import (
    FINDING,
    HEARTBEAT,
    KITCHEN,
    OPERATOR,
    ORDER,
    RECORD,
    STREAM_OF,
    VILLAGE,
    Record,
)

SOURCES: Final = ("/platform/meituan", "/platform/eleme", "/licensing", "/box/海康")
_MICRO: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_WINDOWS: Final = (timedelta(hours=1), _DAY, 7 * _DAY, 30 * _DAY)


class Log(NamedTuple):
    """Records in the order of their events, and the moment that the last event has."""

    records: list[Record]
    end: datetime


class Maker(Entities):
    """Makes one log.

    :param size: events; duplicates, rivals and invalid records come on top.
    :param towns: codes of the towns to use.
    """

    def __init__(self, seed: int, size: int, towns: Sequence[str] = TOWNS) -> None:
        super().__init__(Random(seed), towns)
        self.size = size
        self.window_end = self.as_of - 15 * _MINUTE
        self._count = 0
        self._identities: set[tuple[str, str, str]] = set()

    def log(self) -> Log:
        """The whole log: the events, then what repeats, contradicts and breaks them."""
        events = list(self._events())
        told = Counter(event["data"].get("order_id") for event in events)
        once = frozenset(order for order, count in told.items() if count == 1)
        some = self.chance.sample(events, len(events) // 8)
        half = len(some) // 2
        events += [self._rival(event, once) for event in some[:half]]
        events += [self._twin(event) for event in some[half:]]
        records = [self._record(event) for event in events]
        records += [self._record(event) for event in self.chance.sample(events, len(events) // 12)]
        records += self.chance.choices(records, k=len(records) // 12)
        bad = [broken(event, self.chance) for event in self.chance.choices(events, k=len(events) // 10)]
        records += [self._placed(one) for one in bad]
        return Log(records, self.end)

    def _events(self) -> Iterator[Json]:
        yield self._event(HEARTBEAT, self.heartbeat(), self.end)
        yield from self._edges()
        makers = (
            (ORDER, self.order, 10), (OPERATOR, self.operator, 3), (KITCHEN, self.kitchen, 3),
            (HEARTBEAT, self.heartbeat, 2), (FINDING, self.finding, 1), (RECORD, self.banquet, 1),
            (VILLAGE, self.village, 1),
        )  # fmt: skip
        kinds = self.chance.choices(makers, [weight for _, _, weight in makers], k=self.size)
        for kind, make, _ in kinds:
            data = make()
            yield self._event(kind, data, self._moment(data))

    def _edges(self) -> Iterator[Json]:
        """Operators of one order each, delivered or known just inside or just outside a window."""
        edges = [self.as_of - 30 * _DAY, self.as_of, *(self.window_end - one for one in _WINDOWS), self.window_end]
        moments = [edge + step for edge in edges for step in (-_MICRO, timedelta(0), _MICRO)]
        cases = [(one, one - _DAY) for one in moments] + [(self.as_of - 2 * _DAY, one) for one in moments[:6]]
        for number, (delivered, known) in enumerate(cases):
            operator = f"edge-{number}"
            registry = self.operator(operator) | {"kind": "takeaway", "status": "active", "platforms": ["jd", "eleme"]}
            yield self._event(OPERATOR, registry, self.as_of - 50 * _DAY)
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

    # events

    def _event(self, kind: str, data: Json, time: datetime) -> Json:
        self._count += 1
        source, name = self.chance.choice(SOURCES), f"e{self._count}"
        if self.chance.random() < 0.2:  # ids are unique in their source and type only
            name = f"e{self.chance.randrange(1, self._count + 1)}"
        while (kind, source, name) in self._identities:
            name += "-"
        self._identities.add((kind, source, name))
        event = {
            "specversion": "1.0",
            "id": name,
            "source": source,
            "type": kind,
            "time": self.text(time),
            "data": data,
        }
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
            later = chance.choice((timedelta(0), _MINUTE, timedelta(seconds=chance.randrange(3600)), 10 * _DAY))
            return min(delivered + later, self.end)
        back = chance.choice((timedelta(hours=3), 2 * _DAY, 30 * _DAY, 45 * _DAY)) * chance.random()
        moment = self.end - back
        if chance.random() < 0.3:
            moment = moment.replace(second=0, microsecond=0)
        if chance.random() < 0.1:
            moment = self.as_of - chance.choice((timedelta(0), _MICRO, _MINUTE, 10 * _DAY))
        return moment

    # what contradicts and repeats

    def _rival(self, event: Json, once: frozenset[str]) -> Json:
        """Another event with the same identity: another time, or the same one and other content, or both.

        :param once: orders of one event, which may move to another time of delivery."""
        rival: Json = json.loads(json.dumps(event))
        case = self.chance.randrange(3)
        if case != 1:
            rival["time"] = self.text(self.end - 45 * _DAY * self.chance.random())
        if case != 0:
            self.change(rival["type"], rival["data"])
            if rival["data"].get("order_id") in once and self.chance.random() < 0.5:
                rival["data"]["delivered_at"] = self.fields()["delivered_at"]
        return rival

    def _twin(self, event: Json) -> Json:
        """An event of the same entity at the same time, from another source, often with the same id."""
        twin: Json = json.loads(json.dumps(event))
        twin["source"] = f"{event['source']}/{self.chance.choice('12')}"
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
