"""What a city sends on a bad day: orders above all, in few minutes, so that a recount of 20 000 of them stays cheap."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from tests.system.broken import broken, dump
from tests.system.entities import PLATFORMS, TOWNS, Entities
from tests.system.records import KITCHEN, OPERATOR, ORDER, STREAM_OF, Record

Json = dict[str, Any]

START: Final = datetime(2025, 11, 20, 2, 0, tzinfo=UTC)
BETWEEN: Final = timedelta(milliseconds=60)
"""Of event time from one event to the next: a thousand are a minute."""

INVALID_EVERY: Final = 50
TWICE_EVERY: Final = 10
_RECENT: Final = 2000


def feed(seed: int) -> Iterator[Record]:
    """Records without end; one and the same for a seed. Every 50th is invalid, every 10th comes a second time, some
    time later and perhaps on another partition; now and then an order is told of again with other evidence."""
    chance = Random(seed)
    entities = Entities(chance, TOWNS)
    recent: list[tuple[Json, Record]] = []
    number = 0
    while True:
        number += 1
        moment = START + number * BETWEEN
        event = _event(number, moment, entities, recent)
        record = _placed(Record(STREAM_OF[event["type"]], dump(event)), event)
        yield record
        recent.append((event, record))
        if number % INVALID_EVERY == 0:
            bad = broken(event | {"id": f"bad-{number}"}, chance)
            yield bad._replace(key=b"bad")  # the client wants a key where there is no value
        if number % TWICE_EVERY == 0:
            again = chance.choice(recent)[1]
            yield again._replace(key=chance.choice((again.key, None)))
        del recent[:-_RECENT]


def _event(number: int, moment: datetime, entities: Entities, recent: list[tuple[Json, Record]]) -> Json:
    chance = entities.chance
    case = chance.random()
    if case < 0.04:
        data = entities.operator(f"op-{chance.randrange(1, 25)}") | {"status": "active", "platforms": ["meituan", "jd"]}
        kind = OPERATOR
    elif case < 0.08:
        kind, data = KITCHEN, entities.kitchen(f"op-{chance.randrange(1, 25)}")
    else:
        kind, data = ORDER, _order(number, moment, entities, recent)
    if chance.random() < 0.1:  # late
        moment -= timedelta(minutes=chance.randrange(1, 10))
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": f"/platform/{chance.choice(PLATFORMS)}",
        "type": kind,
        "time": moment.isoformat(),
        "data": data,
    }


def _order(number: int, moment: datetime, entities: Entities, recent: list[tuple[Json, Record]]) -> Json:
    chance = entities.chance
    data = entities.fields() | {
        "order_id": f"o-{number}",
        "delivered_at": (moment - timedelta(seconds=chance.randrange(3600))).isoformat(),
    }
    if recent and chance.random() < 0.2:
        known = chance.choice(recent)[0]
        if known["type"] == ORDER:
            data |= {name: known["data"][name] for name in ("order_id", "delivered_at")}
    return data


def _placed(record: Record, event: Json) -> Record:
    """Under the key of its entity, as a good producer sends it."""
    data = event["data"]
    return record._replace(key=str(data.get("order_id") or data["operator_id"]).encode())
