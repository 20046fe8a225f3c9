"""When alerts change their states, once more and in another way: the rules read as patterns over a place's history.

Every minute that has a value is one letter: B on the wrong side of the target with a sample that proves it, R at or
beyond the recovery level, N neither. Minutes without a value have no letter, so the time of `for` stands still. An
alert is pending from a B on, fires at the end of `for` + 1 of them in a row, and resolves at the end of as many R.
The history is read anew from its beginning each time: nothing is carried on that could be lost.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

Z: Final = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


class Numbers(NamedTuple):
    """What was counted at one minute."""

    numerator: int
    denominator: int


class Rules(NamedTuple):
    """What a machine's indicator is judged by.

    :ivar targets: (from this day on, target), the days in order."""

    targets: tuple[tuple[date, float], ...]
    recovery: float | None
    high_is_bad: bool
    floor: int
    minutes: int
    flow: bool
    counts: bool
    deadline: date | None

    def target(self, minute: datetime) -> float | None:
        """None while nothing is judged."""
        day = minute.astimezone(ZoneInfo("Asia/Shanghai")).date()
        if self.deadline is not None and day <= self.deadline:
            return None
        valid = [target for begin, target in self.targets if begin <= day]
        return valid[-1] if valid else None

    def letter(self, minute: datetime, numbers: Numbers) -> str:
        """How the minute reads; empty where it has no value or is not judged."""
        target = self.target(minute)
        if target is None or (not self.counts and not numbers.denominator):
            return ""
        if self.counts:
            value, enough = float(numbers.numerator), True
        else:
            value, enough = numbers.numerator / numbers.denominator, numbers.denominator >= self.floor
        if not enough:
            return "N"
        sign = -1 if self.high_is_bad else 1
        missing = sign * (target - value)
        # The score test: the share's Wilson interval leaves the target out exactly when the share is farther from it
        # than this (Wilson 1927).
        margin = Z * sqrt(target * (1 - target) / numbers.denominator) if self.flow and not self.counts else 0.0
        if missing > margin:
            return "B"
        level = self.recovery
        if level is None:
            level = target if self.counts or self.high_is_bad else min(round(target + 0.02, 10), 1.0)
        return "R" if sign * (value - level) >= 0 else "N"


class Expected(NamedTuple):
    """A transition that has to be there."""

    minute: datetime
    from_state: str
    to_state: str


def transitions(rules: Rules, start: datetime, history: Sequence[Numbers]) -> list[Expected]:
    """All transitions of one place whose first minute is `start`."""
    minutes, letters = [], ""
    for number, numbers in enumerate(history):
        minute = start + timedelta(minutes=number)
        if letter := rules.letter(minute, numbers):
            minutes.append(minute)
            letters += letter
    whole = rules.minutes + 1
    found: list[Expected] = []
    calm, at = "ok", 0
    while (begin := letters.find("B", at)) >= 0:
        found.append(Expected(minutes[begin], calm, "pending"))
        if not re.compile(f"B{{{whole}}}").match(letters, begin):
            back = re.compile("[^B]").search(letters, begin)
            if back is None:
                break
            found.append(Expected(minutes[back.start()], "pending", "ok"))
            calm, at = "ok", back.end()
            continue
        fires = begin + rules.minutes
        found.append(Expected(minutes[fires], "pending", "firing"))
        well = re.compile(f"R{{{whole}}}").search(letters, fires + 1)
        if well is None:
            break
        found.append(Expected(minutes[well.end() - 1], "firing", "resolved"))
        calm, at = "resolved", well.end()
    return found


def fires_after(found: Sequence[Expected], minute: datetime) -> bool:
    """Whether the alert with these transitions fires when the minute is over."""
    past = [one for one in found if one.minute <= minute]
    return bool(past) and past[-1].to_state == "firing"
