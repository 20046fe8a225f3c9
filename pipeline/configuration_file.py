"""Reading `yangguang.toml`: what is wrong is refused in one sentence with file, line, key, reason and way out."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from pydantic import BaseModel

from pipeline.configuration import (
    DATED,
    Configuration,
    IndicatorSettings,
    VendorSettings,
    settings_of,
)
from pipeline.configuration_channels import ChannelSettings
from pipeline.configuration_events import EventSettings
from pipeline.configuration_routes import MaintenanceSettings, MatchSettings, RouteSettings, route_faults
from pipeline.toml_file import Fault, read_toml
from pipeline.toml_lines import Location
from schemas.indicator import Dated, Indicator, valid_on
from schemas.indicators import CATALOGUE

_MONTH: Final = timedelta(days=31)
_VENDOR_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def read_configuration(text: str, name: str) -> Configuration:
    """Parses the file's text. Raises SettingsError that names the first line that is wrong."""
    return read_toml(text, name, Configuration, _known, _faults)


def _known(location: Location) -> list[str]:
    """The keys that may stand where an unknown one does."""
    model: type[BaseModel]
    match location:
        case (_,):
            model = Configuration
        case ("indicator", _):
            return sorted(CATALOGUE)
        case ("indicator", str(code), _):
            model = settings_of(CATALOGUE[code])
        case ("retention" | "rejects" | "notify" | "event" as table, _):
            model = cast(type[BaseModel], Configuration.model_fields[table].annotation)
        case ("event", str(code), _):
            model = cast(type[BaseModel], EventSettings.model_fields[code].annotation)
        case ("route" | "maintenance", _, "match", *_):
            model = MatchSettings
        case ("route", *_):
            model = RouteSettings
        case ("maintenance", *_):
            model = MaintenanceSettings
        case ("channel", *_):
            model = ChannelSettings
        case ("vendor", *_):
            model = VendorSettings
        case _:
            model = Dated[float]
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _faults(configuration: Configuration) -> Iterator[Fault]:
    """What no single value shows."""
    for code, given in configuration.indicator.items():
        at: Location = ("indicator", code)
        for location, reason in _indicator_faults(CATALOGUE[code], given):
            yield Fault((*at, *location), reason)
    for code, several in configuration.event.given().items():
        for name, values in several.items():
            for location, reason in _list_faults(name, values):
                yield Fault(("event", code, *location), reason)
    needed = timedelta(days=configuration.takeaway_active_days) + _MONTH
    kept = configuration.retention.orders
    if kept is not None and kept <= needed:
        yield Fault(
            ("retention", "orders"),
            f"should be more than {needed.days}d, as takeaway_active_days is {configuration.takeaway_active_days} and "
            "whole months are dropped at a time",
        )
    for place, reason in route_faults(configuration.route, configuration.maintenance, configuration.channel):
        yield Fault(place, reason)
    for vendor in configuration.vendor:
        if not _VENDOR_NAME.fullmatch(vendor):
            yield Fault(
                ("vendor", vendor),
                "the name stands in the address /v1/vendors/NAME: write 1 to 64 of a-z, 0-9, . _ -, and a letter or "
                "digit first",
            )


def _indicator_faults(entry: Indicator, given: IndicatorSettings) -> Iterator[Fault]:
    for name in sorted(given.model_fields_set & {*DATED, *entry.parameters}):
        yield from _list_faults(name, getattr(given, name))
    if entry.comparator is None:
        for name in sorted(given.model_fields_set & {"target", "recovery", "deadline"}):
            yield Fault((name,), f"{entry.code} is shown only, nothing is judged by it: remove the line")
    for name in ("target", "recovery"):
        for position, one in enumerate(getattr(given, name) or ()):
            if one.value < 0 or (one.value > 1 and not entry.counts):
                share = f"{entry.code} is a share, from 0 to 1: write 0.9 for 90 %"
                count = f"{entry.code} is a number of units: write 0 or more"
                yield Fault((name, position, "value"), count if entry.counts else share)
    yield from _recovery_faults(given.applied_to(entry), given)
    if given.settle is not None:
        if entry.kind == "stock":
            yield Fault(("settle",), f"{entry.code} is stock and has no window that could settle: remove the line")
        elif given.settle > timedelta(days=1):
            yield Fault(("settle",), "should be at most 1d, as nothing is alerted any earlier")
    yield from _window_faults(entry, given.alert_windows)


def _list_faults(name: str, several: Sequence[Dated[Any]]) -> Iterator[Fault]:
    if not several:
        yield Fault((name,), "the list is empty: add an entry, or remove the line to take the default")
    days = [one.from_ for one in several]
    for position, day in enumerate(days):
        if day in days[:position]:
            yield Fault((name, position, "from"), f"there is another entry from {day}: keep one of them")


def _recovery_faults(entry: Indicator, given: IndicatorSettings) -> Iterator[Fault]:
    """Levels that a firing alert could reach while its value is still on the wrong side of the target."""
    for day in sorted({one.from_ for one in (*entry.target, *entry.recovery)}):
        target, level = entry.target_on(day), valid_on(entry.recovery, day)
        if target is None or level is None or not (level > target if entry.comparator == "<=" else level < target):
            continue
        side, way = ("above", "less") if entry.comparator == "<=" else ("below", "more")
        days = [one.from_ for one in given.recovery or ()]
        latest = max((one for one in days if one <= day), default=None)
        yield Fault(
            ("target",) if latest is None else ("recovery", days.index(latest), "value"),
            f"recovery {level:.12g} is {side} the target {target:.12g} that is valid on {day}: "
            f"write {target:.12g} or {way}",
        )


def _window_faults(entry: Indicator, windows: tuple[str, ...] | None) -> Iterator[Fault]:
    """A list of alert windows has one at least, each once, of those that the indicator has."""
    choice = ", ".join(entry.windows)
    if windows == ():
        yield Fault(("alert_windows",), f"the list is empty: use {choice}, or remove the line to take the default")
    for position, window in enumerate(windows or ()):
        if window not in entry.windows:
            yield Fault(("alert_windows", position), f"{entry.code} has no window {window!r}: use {choice}")
        elif window in (windows or ())[:position]:
            yield Fault(("alert_windows", position), f"{window} is there twice: keep one of them")
