"""What analysts ask with a time, `rate_between` and `why`, against the oracle, for a sample of spans and places."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from tests.system.compare_rates import NOTHING, places
from tests.system.differing import differ, keyed
from tests.system.oracle import Event, Oracle, shown
from tests.system.oracle_events import DAY, HOUR, MINUTE, minute_of
from tests.system.oracle_indicators import INDICATORS, LENGTHS, Indicator, Rate, Unit
from tests.system.stack import Stack

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_EVER: Final = 400 * DAY


def between_differences(stack: Stack, oracle: Oracle, asked: int) -> Iterable[str]:
    """Of all that has been, and of so many spans of some indicators, which end at as_of at the latest."""
    chance = Random(oracle.as_of)
    client = stack.client()
    try:
        for indicator in _some(chance, asked):
            for start, end in _spans(oracle, indicator.code, chance, asked):
                yield from _between(client, oracle, indicator, start, end, chance)
    finally:
        client.close()


def _some(chance: Random, asked: int) -> list[Indicator]:
    """All indicators for two or more, else a third, others for each log, as a question takes 0.1 s of CPU."""
    return chance.sample(list(INDICATORS.values()), len(INDICATORS) // (1 if asked > 1 else 3))


def _spans(oracle: Oracle, code: str, chance: Random, asked: int) -> Iterable[tuple[int, int]]:
    """All that has been, and spans that begin or end about where something counts."""
    yield oracle.as_of - _EVER, oracle.as_of
    moments = [one for one in oracle.moments(code) if one < oracle.as_of] or [oracle.as_of - HOUR]
    for _ in range(asked):
        about = minute_of(chance.choice(moments))
        end = min(about + chance.choice((0, MINUTE, 7 * MINUTE, HOUR, 3 * DAY)), oracle.as_of)
        yield end - chance.choice((MINUTE, 7 * MINUTE, HOUR, 5 * DAY)), end


def _between(
    client: Client, oracle: Oracle, indicator: Indicator, start: int, end: int, chance: Random
) -> Iterable[str]:
    called = f"rate_between(indicator='{indicator.code}', start='{_text(start, chance)}', end='{_text(end, chance)}')"
    rows = _rows(client, f"SELECT scope, scope_id, numerator, denominator, unknown, rate FROM yangguang.{called}")
    rates = oracle.between(indicator.code, start, end)
    expected = {}
    for place in places(indicator):
        rate = rates.get((indicator.code, *place), NOTHING)
        expected[place] = (rate, rate.value(indicator))
    actual, twice = keyed(
        called,
        (
            (
                (row["scope"], row["scope_id"]),
                (Rate(row["numerator"], row["denominator"], row["unknown"]), row["rate"]),
            )
            for row in rows
        ),
    )
    return [*twice, *differ(called, expected, actual)]


def why_differences(stack: Stack, oracle: Oracle, asked: int) -> Iterable[str]:
    """Of the units behind some rates, in so many places with units, and now and then in any."""
    chance = Random(oracle.as_of)
    client = stack.client()
    try:
        for indicator in _some(chance, asked) if asked else ():
            window, at = _asked(oracle, indicator, chance)
            units = oracle.units(indicator.code, at - LENGTHS.get(window, 0), at)
            some = sorted({scope for unit in units for scope in unit.scopes})
            scopes = set(chance.sample(some, min(asked, len(some))))
            if not scopes or chance.random() < 0.2:
                scopes.add(chance.choice(places(indicator)))
            for scope in sorted(scopes):
                there = {unit.id: unit for unit in units if scope in unit.scopes}
                yield from _why(client, indicator, scope, window, _text(at, chance), there)
    finally:
        client.close()


def _asked(oracle: Oracle, indicator: Indicator, chance: Random) -> tuple[str, int]:
    """One of the windows, and an end for it shortly after something counts, or the one that is shown now."""
    window = chance.choice(indicator.windows)
    moments = [one for one in oracle.moments(indicator.code) if one < oracle.as_of]
    if not moments or chance.random() < 0.4:
        return window, oracle.as_of - indicator.settle
    later = chance.choice((0, MINUTE, 7 * MINUTE, HOUR))
    return window, min(minute_of(chance.choice(moments)) + later, oracle.as_of)


def _why(
    client: Client, indicator: Indicator, scope: tuple[str, str], window: str, at: str, there: Mapping[str, Unit]
) -> Iterable[str]:
    called = (
        f"why(indicator='{indicator.code}', scope='{scope[0]}', scope_id='{scope[1]}', window='{window}', at='{at}')"
    )
    rows = _rows(client, f"SELECT unit_id, numerator, denominator, unknown, events FROM yangguang.{called}")
    actual, twice = keyed(
        called, ((row["unit_id"], Rate(row["numerator"], row["denominator"], row["unknown"])) for row in rows)
    )
    yield from twice
    yield from differ(called, {name: NOTHING.plus(unit) for name, unit in there.items()}, actual)
    for row in rows:
        said = {_event(one) for one in row["events"]}
        if len(said) != len(row["events"]):
            yield f"{called} {row['unit_id']} names an event twice: {row['events']}"
        for event in there[row["unit_id"]].events if row["unit_id"] in there else ():
            if _named(event) not in said:
                yield f"{called} {row['unit_id']} does not name {_named(event)}: {sorted(said, key=str)}"


def _event(one: Any) -> tuple[Any, ...]:
    """A tuple as the client reads it, with names or without."""
    values = one if isinstance(one, Mapping) else dict(zip(("type", "source", "id", "time"), one, strict=True))
    return values["type"], values["source"], values["id"], values["time"]


def _named(event: Event) -> tuple[Any, ...]:
    return event.type, event.source, event.id, shown(event.time)


def _rows(client: Client, sql: str) -> list[dict[str, Any]]:
    return list(client.query(sql).named_results())


def _text(minute: int, chance: Random) -> str:
    """A minute in Shanghai's time without an offset, or in any with one."""
    local = shown(minute).astimezone(_SHANGHAI)
    return chance.choice(
        (
            local.strftime("%Y-%m-%d %H:%M:%S"),
            local.strftime("%Y-%m-%dT%H:%M:%S"),
            local.isoformat(),
            shown(minute).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    )
