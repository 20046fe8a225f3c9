"""Producers that push over HTTP as real ones do, and write down what they were told."""

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Any, Final, NamedTuple

import httpx

from tests.system.records import ORDER
from tests.system.stack import wait_for

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
FINAL: Final = frozenset({202, 207, 422})
_RETRY_SECONDS: Final = 0.1
_ENOUGH_SECONDS: Final = 120.0
_ENDED_SECONDS: Final = 60.0

Json = dict[str, Any]


class Item(NamedTuple):
    """An event as it is sent, and whether it is to be accepted."""

    id: str
    text: bytes
    good: bool


class Entry(NamedTuple):
    """One body: what was answered at last, after how many attempts that got another answer or none."""

    items: Sequence[Item]
    results: Sequence[Json]
    unanswered: int
    turned_away: int


class Producer:
    """Sends one body after the other; the same again until it is answered 202, 207 or 422."""

    def __init__(self, name: str, url: str, key: str, end: threading.Event) -> None:
        self.ledger: list[Entry] = []
        self.statuses: Counter[int] = Counter()
        self.error: BaseException | None = None
        self._chance = Random(name)
        self._name = name
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._end = end
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            with httpx.Client(timeout=30, headers=self._headers) as client:
                for items in _bodies(self._name, self._chance):
                    if self._end.is_set():
                        return
                    self._push(client, items)
        except BaseException as error:
            self.error = error
            raise

    def _push(self, client: httpx.Client, items: Sequence[Item]) -> None:
        content, headers = self._written(items)
        unanswered = turned_away = 0
        while True:
            try:
                answer = client.post(f"{self._url}/v1/events", content=content, headers=headers)
            except httpx.TransportError:
                unanswered += 1
            else:
                self.statuses[answer.status_code] += 1
                if answer.status_code in FINAL:
                    break
                assert answer.status_code == 503, answer.text
                turned_away += 1
            threading.Event().wait(_RETRY_SECONDS)  # as a producer does; it goes on after the end, to be answered
        self.ledger.append(Entry(items, answer.json()["results"], unanswered, turned_away))

    def _written(self, items: Sequence[Item]) -> tuple[bytes, dict[str, str]]:
        chance = self._chance
        if len(items) == 1 and chance.random() < 0.5:
            content, kind = items[0].text, JSON
        elif chance.random() < 0.5:
            content, kind = b"[" + b",".join(one.text for one in items) + b"]", JSON
        else:
            content, kind = b"\n".join(one.text for one in items), LINES
        if chance.random() < 0.3:
            return gzip.compress(content), {"Content-Type": kind, "Content-Encoding": "gzip"}
        return content, {"Content-Type": kind}


def _bodies(name: str, chance: Random) -> Iterator[Sequence[Item]]:
    """Bodies without end: of 1 to 60 events, of which every 20th is to be refused and some were sent before."""
    number = 0
    recent: list[Item] = []
    while True:
        items = []
        for _ in range(chance.choice((1, 1, 5, 20, 60))):
            number += 1
            items.append(_item(f"{name}-{number}", chance, good=number % 20 != 0))
        if recent and chance.random() < 0.2:
            items.append(chance.choice(recent))
        yield items
        recent = [*recent, *(one for one in items if one.good)][-500:]


def _item(identity: str, chance: Random, good: bool) -> Item:
    moment = (datetime.now(UTC) - timedelta(seconds=chance.randrange(60, 3600))).isoformat()
    event: Json = {
        "specversion": "1.0",
        "id": f"{'e' if good else 'bad'}-{identity}",
        "source": "/platform/meituan",
        "type": ORDER,
        "time": moment,
        "data": {
            "order_id": f"o-{identity}",
            "operator_id": f"op-{chance.randrange(20)}",
            "platform": "meituan",
            "town_code": "330681001",
            "delivered_at": moment,
            "fulfilment": "delivered",
            "packages": 1,
            "sealed_packages": 1,
            "seal_state": "intact",
            "evidence_level": 2,
        },
    }
    if not good:
        event["data"] |= chance.choice(({"packages": "1"}, {"colour": "red"}, {"town_code": "110000001"}))
    return Item(event["id"], json.dumps(event).encode(), good)


class Pushing:
    """Several producers at once, until the `with` block ends; every body that they began is answered by then."""

    def __init__(self, url: str, key: str, producers: int = 4) -> None:
        self._end = threading.Event()
        self.producers = [Producer(f"p{number}", url, key, self._end) for number in range(producers)]

    def __enter__(self) -> "Pushing":
        for one in self.producers:
            one.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        for one in self.producers:
            one.thread.join(_ENDED_SECONDS if error is None else 0)
        if error is None:
            assert not any(one.thread.is_alive() for one in self.producers), "a body is not answered in the end"
            assert not [one.error for one in self.producers if one.error], [one.error for one in self.producers]

    @property
    def ledger(self) -> list[Entry]:
        """All that was answered so far."""
        return [entry for one in self.producers for entry in one.ledger]

    @property
    def statuses(self) -> Counter[int]:
        """Of all answers."""
        return sum((one.statuses for one in self.producers), Counter())

    def more(self, bodies: int) -> None:
        """Returns when so many more bodies have been answered."""
        wanted = len(self.ledger) + bodies

        def enough() -> bool:
            assert not [one.error for one in self.producers if one.error], [one.error for one in self.producers]
            return len(self.ledger) >= wanted

        wait_for(enough, _ENOUGH_SECONDS, f"{bodies} more bodies are answered")
