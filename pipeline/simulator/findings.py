"""Findings of the cameras' programs: raw at first, then confirmed or refused by a person, then put right or not.

Each vendor names them in its own way: words of the enumeration, words or numbers of its own, and now and then a number
that nobody knows.
"""

from random import Random
from typing import Any, Final

from pipeline.simulator.chance import chance, poisson
from pipeline.simulator.city import VENDORS, City
from pipeline.simulator.moments import DAY, HOUR, MINUTE, SECOND, iso, minute_of_day, to_datetime
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.source import Draft, Source, draft
from schemas.camera import Finding
from schemas.findings import FINDINGS

_SHARES: Final = {
    "NO_CHEF_HAT": 20,
    "NO_MASK": 24,
    "NO_UNIFORM": 9,
    "NO_GLOVES": 8,
    "PHONE_USE": 8,
    "BIN_UNCOVERED": 7,
    "FLOOR_WATER": 5,
    "IMPROPER_PLACEMENT": 4,
    "SMOKING": 2,
    "LEAVE_POST": 3,
    "RAW_COOKED_MIX": 1,
    "STRANGER": 2,
    "CAM_COVERED": 1.5,
    "CAM_SHIFTED": 1,
    "CAM_OFFLINE": 1,
    "CAM_BLURRED": 1,
    "FLAME_UNATTENDED": 1,
    "RODENT": 0.8,
    "PEST": 0.4,
    "OPEN_FIRE": 0.3,
}
_KNOWN: Final = [one for one in FINDINGS if one.code in _SHARES]
_WEIGHTS: Final = [_SHARES[one.code] for one in _KNOWN]
_HOURS_TO_CLOSE: Final = {"minor": 24, "major": 8, "critical": 2}
_STRANGE_CODES: Final = ("699", "100999", "KITCHEN_EVT_77", "未知告警")
_ZONES: Final = ("切配间", "烹饪间", "备餐间", "洗消间", "粗加工间", "库房门口")
_OPEN_HOURS_A_DAY: Final = 12.0


class FindingSource(Source):
    """Findings hour by hour of their being seen."""

    name = "finding"
    unit = HOUR
    settled = 6 * DAY
    past = 10 * DAY

    def __init__(self, options: SimulationOptions, city: City) -> None:
        super().__init__(options)
        self._cameras = city.cameras

    def cell(self, number: int) -> list[Draft]:
        """The whole lives of the findings that are seen in this hour."""
        begin = number * HOUR
        rng = chance(self.options.seed, "finding", number)
        mean = len(self._cameras) * self.options.findings_per_camera_day / _OPEN_HOURS_A_DAY
        stamp = to_datetime(begin).strftime("%y%m%d%H")
        drafts: list[Draft] = []
        for place in range(poisson(rng, mean)):
            camera = rng.choice(self._cameras)
            seen = begin + int(rng.random() * HOUR) // 1000 * 1000
            kind = rng.choices(_KNOWN, _WEIGHTS)[0]
            word, code = _words(rng, camera.vendor, (kind.code, *kind.aliases))
            if not camera.open_minutes[minute_of_day(seen)]:
                continue
            limit = _HOURS_TO_CLOSE[kind.severity] * HOUR
            finding_id = f"f-{stamp}-{place:04d}"
            data: dict[str, Any] = {
                "finding_id": finding_id,
                "camera_id": camera.camera_id,
                "operator_id": camera.operator.operator_id,
                "town_code": camera.operator.town,
                "finding": word,
                "vendor": camera.vendor,
                "vendor_code": code,
                "confidence": round(0.51 + 0.48 * rng.random(), 3),
                "review": "raw",
                "found_at": iso(seen),
                "zone": rng.choice(_ZONES),
                "snapshot_uri": f"https://snapshot.invalid/{camera.vendor}/{finding_id}.jpg",
            }
            if rng.random() < 0.1:
                data["extensions"] = {"model": f"kitchen-{rng.randrange(3, 6)}.{rng.randrange(10)}", "track": place}
            self._live(drafts, rng, data, seen, limit)
            if rng.random() < 0.05:  # programs see the same thing again some minutes later
                again = seen + int((2 + rng.random() * 6) * MINUTE) // 1000 * 1000
                raw = {"finding_id": f"{finding_id}r", "review": "raw", "found_at": iso(again)}
                twin = {k: v for k, v in data.items() if k not in ("due_at", "closed_at")} | raw
                self._say(drafts, rng, twin, again, 1)
        return drafts

    def _live(self, drafts: list[Draft], rng: Random, data: dict[str, Any], seen: int, limit: int) -> None:
        self._say(drafts, rng, data, seen, 1)
        fate = rng.random()
        if fate > 0.85:  # nobody looks at it
            return
        reviewed = seen + int((4 + rng.random() ** 2 * 300) * MINUTE) // 1000 * 1000
        if fate > 0.38:
            data["review"] = "false_positive"
            self._say(drafts, rng, data, reviewed, 2)
            return
        data["review"] = "confirmed"
        due = reviewed + limit
        data["due_at"] = iso(due)
        self._say(drafts, rng, data, reviewed, 2)
        speed = rng.random()
        if speed < 0.96:
            closed = reviewed + int((0.05 + 0.9 * rng.random()) * limit) // 1000 * 1000
        elif speed < 0.99:
            closed = due + int((0.2 + rng.random() * 70) * HOUR) // 1000 * 1000
        else:
            return
        data["review"] = "closed"
        data["closed_at"] = iso(closed)
        self._say(drafts, rng, data, closed + 30 * SECOND, 3)

    @staticmethod
    def _say(drafts: list[Draft], rng: Random, data: dict[str, Any], time: int, number: int) -> None:
        drafts.append(
            draft(
                time + 200_000 + int(rng.random() * 3_000_000),
                Finding,
                (f"/camera/{data['vendor']}", f"{data['finding_id']}-{number}"),
                iso(time),
                dict(data),
            )
        )


def _words(rng: Random, vendor: str, names: tuple[str, ...]) -> tuple[str, str]:
    """What the vendor says, and its own code. The first vendor speaks the enumeration, the others their own words."""
    if rng.random() < 0.012:
        strange = rng.choice(_STRANGE_CODES)
        return strange, strange
    numbers = [name for name in names[1:] if name.isdigit()]
    words = [name for name in names[1:] if not name.isdigit()]
    code = numbers[0] if numbers else names[0]
    wanted = {
        VENDORS[0]: names[:1],
        VENDORS[1]: [name for name in numbers if len(name) == 3],
        VENDORS[2]: words,
        VENDORS[3]: [name for name in numbers if len(name) == 6],
    }[vendor]
    return (wanted or names)[0], code
