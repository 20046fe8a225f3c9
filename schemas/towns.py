"""The 23 street and town units of Zhuji city (division code 330681), from `data/towns.csv`."""

import csv
from importlib.resources import files
from typing import Final, NamedTuple

CITY_CODE: Final = "330681"
CITY_NAME: Final = "诸暨市"


class Town(NamedTuple):
    """One township-level unit: nine-digit division code, Chinese name, and 街道, 镇 or 乡."""

    town_code: str
    name: str
    kind: str


def _load() -> dict[str, Town]:
    with files("schemas").joinpath("data/towns.csv").open(encoding="utf-8") as source:
        return {row["town_code"]: Town(**row) for row in csv.DictReader(source)}


TOWNS: Final = _load()
