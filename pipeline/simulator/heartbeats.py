"""Cameras: a heartbeat every 60 s of the open hours, dark periods, and at night a word that they are off."""

from functools import lru_cache
from typing import Any, Final

from pipeline.simulator.chance import chance, poisson
from pipeline.simulator.city import City
from pipeline.simulator.incidents import Incident
from pipeline.simulator.moments import HOUR, MINUTE, day_number, iso, minute_of_day
from pipeline.simulator.options import SimulationOptions
from pipeline.simulator.source import Draft, Source, draft
from schemas.camera import Heartbeat

_DARK_A_DAY: Final = 0.04
"""The share of cameras that are dark for a while on a day."""
_DARK_MODES: Final = (("offline", 0.45), ("black", 0.12), ("covered", 0.15), ("frozen", 0.18), ("silent", 0.10))
_SAYS: Final[dict[str, tuple[bool, bool, str]]] = {
    "black": (True, True, "black"),
    "covered": (True, True, "covered"),
    "frozen": (True, False, "frozen"),
    "offline": (False, False, "black"),
}
_NIGHT_EVERY: Final = 10
"""A camera that is switched off says so every so many minutes."""


class HeartbeatSource(Source):
    """Heartbeats minute by minute."""

    name = "heartbeat"
    unit = MINUTE
    settled = 5 * MINUTE
    late_max = HOUR  # a camera keeps no more; and a later start would have to draw days of heartbeats again

    def __init__(self, options: SimulationOptions, city: City) -> None:
        super().__init__(options)
        self._cameras = city.cameras
        self._incidents = options.incidents_named("camera-dark")
        self._dark_on = lru_cache(maxsize=8)(self._draw_dark)
        self._met = lru_cache(maxsize=100_000)(self._draw_met)

    def bound(self, _number: int) -> int:
        """One of each camera."""
        return len(self._cameras)

    def cell(self, number: int) -> list[Draft]:
        """What the cameras say in this minute."""
        begin = number * MINUTE
        minute = minute_of_day(begin)
        dark = self._dark_on(day_number(begin))
        incidents = [(place, one) for place, one in self._incidents if one.window.covers(begin)]
        draw = chance(self.options.seed, "heartbeat", number).random
        drafts = []
        for index, camera in enumerate(self._cameras):
            night = not (camera.open_minutes[minute] or camera.always_on)
            if night and minute % _NIGHT_EVERY != index % _NIGHT_EVERY:
                continue
            state = "off" if night else self._state(index, begin, dark, incidents)
            chancy = draw()
            if state == "silent" or (chancy < 0.004 and state == "ok"):  # a keepalive lost on the way
                continue
            time = begin + camera.second * 1_000_000 + int(draw() * 1500) * 1000
            online, advancing, picture = _SAYS.get(state, (True, True, "ok"))
            if state == "off":
                online, advancing = False, False
            elif state == "ok" and chancy > 0.985:
                picture = "blurred"
            data: dict[str, Any] = {
                "camera_id": camera.camera_id,
                "operator_id": camera.operator.operator_id,
                "town_code": camera.operator.town,
                "online": online,
                "advancing": advancing,
                "picture": picture,
            }
            drafts.append(
                draft(
                    time + 50_000 + int(draw() * 900_000),
                    Heartbeat,
                    (f"/camera/{camera.vendor}", f"{camera.camera_id}-{number}"),
                    iso(time),
                    data,
                )
            )
        return drafts

    def _state(
        self,
        index: int,
        begin: int,
        dark: dict[int, tuple[int, int, str]],
        incidents: list[tuple[int, Incident]],
    ) -> str:
        for place, incident in incidents:
            if self._met(place, incident, index, day_number(begin)):
                return incident.mode
        if index in dark:
            first, last, mode = dark[index]
            if first <= minute_of_day(begin) < last:
                return mode
        return "ok"

    def _draw_dark(self, day: int) -> dict[int, tuple[int, int, str]]:
        """The dark periods of a day by camera: first and last minute, and how it shows."""
        rng = chance(self.options.seed, "dark", day)
        count = poisson(rng, _DARK_A_DAY * len(self._cameras))
        dark = {}
        for _ in range(count):
            begin = rng.randrange(360, 1300)
            mode = rng.choices([name for name, _ in _DARK_MODES], [share for _, share in _DARK_MODES])[0]
            dark[rng.randrange(len(self._cameras))] = (begin, min(1440, begin + rng.randrange(20, 150)), mode)
        return dark

    def _draw_met(self, place: int, incident: Incident, index: int, day: int) -> bool:
        camera = self._cameras[index]
        return (
            incident.vendor in (None, camera.vendor)
            and incident.meets_place(camera.operator.town, camera.operator.operator_id)
            and (
                incident.rate >= 1
                or chance(self.options.seed, "camera-dark", place, day, index).random() < incident.rate
            )
        )
