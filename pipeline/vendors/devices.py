"""Whose a device is: a table that the operator keeps, as devices do not know it.

CSV with a header. `device_id`, `operator_id` and `town_code` have to be there; `camera_id` is the camera's identity in
the events where it is another than the device's, as it has to be where the device's cannot stand in an event; what
other columns there are a mapping may use too.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipeline.configuration import SettingsError
from schemas.fields import Id, TownCode

REQUIRED: Final = ("device_id", "operator_id", "town_code")
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_CHECKED: Final[Mapping[str, tuple[TypeAdapter[str], str]]] = {
    "operator_id": (_ID, "should be 1 to 64 of A-Z, a-z, 0-9, . _ : -"),
    "camera_id": (_ID, "should be 1 to 64 of A-Z, a-z, 0-9, . _ : -"),
    "town_code": (TypeAdapter(TownCode), "should be one of the 23 of towns.csv"),
}
_ROUNDED: Final = re.compile(r"\d[.,]\d*E\+?\d+", re.IGNORECASE)

Devices = Mapping[str, Mapping[str, str]]
"""Rows by `device_id`."""


def read_devices(text: str, name: str) -> Devices:
    """The table in `text`. Raises SettingsError that names the first line that cannot be used.

    :param name: of the file, as people know it."""
    rows = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)
    devices: dict[str, dict[str, str]] = {}
    try:
        header = [one.strip() for one in next(rows, [])]
        _check_header(header, name)
        for row in rows:
            where = f"{name}, line {rows.line_num}"
            if any(row):
                device = _device(header, row, where)
                if device["device_id"] in devices:
                    raise SettingsError(f"{where}: device_id {device['device_id']} is there twice: keep one line")
                devices[device["device_id"]] = device
    except csv.Error as error:
        raise SettingsError(f"{name}, line {rows.line_num}: {error}: save the table as CSV") from None
    return devices


def _check_header(header: list[str], name: str) -> None:
    missing = [one for one in REQUIRED if one not in header]
    if missing:
        raise SettingsError(f"{name}, line 1: column {missing[0]} is missing: the first line names the columns")
    twice = [one for one in header if header.count(one) > 1]
    if twice:
        raise SettingsError(f"{name}, line 1: column {twice[0]} is there twice: keep one")


def _device(header: list[str], row: list[str], where: str) -> dict[str, str]:
    if len(row) != len(header):
        raise SettingsError(f"{where}: has {len(row)} values for {len(header)} columns: write one for each")
    device = {column: value.strip() for column, value in zip(header, row, strict=True) if value.strip()}
    for column, problem in _problems(device):
        raise SettingsError(f"{where}: {column} {device.get(column, '')!r} {problem}")
    if _keeps(_ID, device["device_id"]):
        device.setdefault("camera_id", device["device_id"])
    return device


def _problems(device: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for column in REQUIRED:
        if column not in device:
            yield column, "is empty: fill it in"
    for column, value in device.items():
        if _ROUNDED.fullmatch(value):
            yield column, "is a number that a spreadsheet has rounded: make the column text, and fill it in again"
        rule, words = _CHECKED.get(column, (None, ""))
        if rule is not None and not _keeps(rule, value):
            yield column, words


def _keeps(rule: TypeAdapter[str], value: str) -> bool:
    try:
        rule.validate_python(value)
    except ValidationError:
        return False
    return True
