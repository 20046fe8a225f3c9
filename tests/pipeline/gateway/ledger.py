"""Which events have come to Kafka, next to which should have."""

import json

from tests.pipeline.gateway.samples import REJECTED
from tests.pipeline.gateway.stack import Tape
from tests.system.parts import wait_for


class Ledger:
    """Which events have come to Kafka since the test began."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._found: set[int] = set()
        self.refused = 0

    def found(self) -> set[int]:
        for one in self._tape.new():
            if one.topic == REJECTED:
                self.refused += 1
            else:
                self._found.add(int(json.loads(one.value)["id"].removeprefix("e-")))
        return self._found

    def wait_for(self, numbers: "set[int] | dict[int, float]", seconds: float = 60) -> None:
        """Returns when all of these are there."""
        missing: set[int] = set(numbers)

        def complete() -> bool:
            missing.difference_update(self.found())
            return not missing

        try:
            wait_for(complete, seconds, "all are in Kafka")
        except TimeoutError:
            raise AssertionError(f"{len(missing)} of {len(numbers)} are missing: {sorted(missing)[:10]}") from None
