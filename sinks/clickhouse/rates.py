"""The pieces of SQL that rates are made of, derived from the catalogue.

Flow and availability have a bucket a minute, town and platform; stock has spans, in which nothing about a unit changes.
Both are spread over the scopes by one array (`spread`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.indicator import Z_95, Indicator
from schemas.places import PLATFORMS
from schemas.relations import Kind, RelationName
from schemas.towns import CITY_CODE, TOWNS
from sinks.clickhouse.raw import DATABASE

SLOT_SECONDS: Final = 300
"""A slot of availability: the clock's 5 minutes."""
WIDTHS: Final[dict[Kind, int]] = {"stock": 0, "flow": 60, "availability": SLOT_SECONDS}
"""Seconds that one bucket covers, by the kind of its indicator."""

VALUES: Final = ("numerator", "denominator", "unknown")


def of_kind(catalogue: Iterable[Indicator], *kinds: Kind) -> list[Indicator]:
    """The entries of these kinds."""
    return [one for one in catalogue if one.kind in kinds]


def by_relation(catalogue: Iterable[Indicator], kind: Kind) -> dict[RelationName, list[Indicator]]:
    """The entries of a kind by what they count."""
    groups: dict[RelationName, list[Indicator]] = {}
    for one in of_kind(catalogue, kind):
        groups.setdefault(one.relation, []).append(one)
    return groups


def contributions(indicators: Iterable[Indicator]) -> str:
    """Array of (code, numerator, denominator, unknown, begin, end) that a unit gives, for ARRAY JOIN: one tuple for
    each phase of each entry, to be taken where the unit's time lies in [begin, end), Unix seconds.

    A count has no denominator; where the condition of the denominator fails, nothing counts."""
    entries = []
    for one in indicators:
        for phase in one.phases():
            where = f"ifNull({phase.where}, false)"
            denominator = "toUInt8(0)" if one.counts else f"toUInt8({where})"
            entries.append(
                f"('{one.code}', toUInt8({where} AND ifNull({phase.numerator}, false)), {denominator}, "
                f"toUInt8({where} AND ifNull({phase.unknown}, false)), toUInt32({phase.begin}), toUInt32({phase.end}))"
            )
    return "[" + ",\n        ".join(entries) + "]"


def counted(indicators: Iterable[Indicator], moment: str) -> str:
    """Arrays `numerators`, `denominators` and `unknowns`, one number an indicator, of a group of units.

    :param moment: SQL for the time by which a unit counts, Unix seconds; asked for where a definition has phases."""
    numbers: dict[str, list[str]] = {name: [] for name in VALUES}
    for one in indicators:
        phases = one.phases()
        bounds = [
            f"({moment} >= {phase.begin} AND {moment} < {phase.end}) AND " if len(phases) > 1 else ""
            for phase in phases
        ]
        where = [f"{bound}({phase.where})" for bound, phase in zip(bounds, phases, strict=True)]
        also = {
            "numerator": [f"({phase.numerator})" for phase in phases],
            "denominator": ["true"] * len(phases),
            "unknown": [f"({phase.unknown})" for phase in phases],
        }
        for name, conditions in also.items():
            units = " OR ".join(f"({a} AND {b})" for a, b in zip(where, conditions, strict=True))
            numbers[name].append("toUInt64(0)" if name == "denominator" and one.counts else f"countIf({units})")
    return ", ".join(f"[{', '.join(several)}] AS {name}s" for name, several in numbers.items())


def scope_ids(indicator: Indicator) -> list[tuple[str, str]]:
    """(scope, scope_id) of every place at which the indicator is shown."""
    ids: dict[str, Sequence[str]] = {"city": (CITY_CODE,), "town": tuple(TOWNS), "platform": tuple(PLATFORMS)}
    return [(scope, scope_id) for scope in indicator.scopes for scope_id in ids[scope]]


def spread(platforms: str) -> str:
    """Array of (scope, scope_id) that something in a town and on platforms counts under; `platforms` is an array, an
    empty platform is none."""
    return (
        f"arrayConcat([('city', '{CITY_CODE}'), ('town', toString(town_code))], "
        f"arrayMap(p -> ('platform', toString(p)), arrayFilter(p -> p != '', {platforms})))"
    )


def stock_parts(wanted: str, extra: str = "") -> str:
    """Subquery: one row a span, indicator and scope of every unit of stock, with what the span adds there.

    :param wanted: condition on `span`, to read fewer.
    :param extra: more columns of the unit, each with a comma before it."""
    return f"""SELECT part.indicator AS indicator, place.1 AS scope, place.2 AS scope_id, span.from AS begin,
        span.until AS end, toInt64(part.numerator) AS numerator, toInt64(part.denominator) AS denominator,
        toInt64(part.unknown) AS unknown{extra}
    FROM (
        SELECT unit_id, arrayJoin(arrayFilter(span -> {wanted}, spans)) AS span, span.town_code AS town_code
        FROM {DATABASE}.stock_spans FINAL
    )
    ARRAY JOIN span.counts AS part
    ARRAY JOIN {spread("span.platforms")} AS place"""


def wilson(sign: str) -> str:
    """SQL of Wilson's score bound of numerator / denominator at 95 %: lower with `-`, upper with `+` (Wilson 1927)."""
    z2 = Z_95 * Z_95
    share, n = "(numerator / denominator)", "denominator"
    return (
        f"(({share} + {z2} / (2 * {n})) {sign} {Z_95} * sqrt({share} * (1 - {share}) / {n} + {z2} / (4 * {n} * {n})))"
        f" / (1 + {z2} / {n})"
    )
