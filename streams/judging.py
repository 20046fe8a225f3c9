"""All that is judged of alerts, in its order, by the one worker that owns the alert stage."""

from collections.abc import Sequence
from typing import Protocol

from sinks.clickhouse import alerts
from sinks.clickhouse.client import Store
from streams.alert import PublishTransitions


class Judging(Protocol):
    """A kind of alerts that is judged when time has moved on."""

    async def evaluate(self) -> int:
        """Judges what has not been judged yet; returns the number of transitions."""
        ...

    def forget(self) -> None:
        """Another owner may have gone on: read the states again before the next evaluation."""
        ...


class Judges:
    """Each kind records its transitions as one block and publishes them before the next kind records anything. So after
    a crash only the last block may be unpublished, and that is published again, under the same ids, before anything
    else is recorded.

    :param judges: in the order in which they are asked.
    :param publish: puts transitions on their topic and returns when the broker has acknowledged them."""

    def __init__(self, store: Store, judges: Sequence[Judging], publish: PublishTransitions) -> None:
        self._store = store
        self._judges = judges
        self._publish = publish
        self._adopted = False

    def forget(self) -> None:
        """Another owner may have gone on, and may have died in the middle."""
        self._adopted = False

    async def evaluate(self) -> int:
        """Judges what has not been judged yet; returns the number of transitions."""
        if not self._adopted:
            for one in self._judges:
                one.forget()
            await self._publish(await alerts.last_transitions(self._store))
            self._adopted = True
        return sum([await one.evaluate() for one in self._judges])
