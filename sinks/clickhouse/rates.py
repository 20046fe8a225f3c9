"""The pieces of SQL that rates are made of, derived from the catalogue.

A flow indicator has a bucket a minute, town and platform; a stock indicator has spans, in which the conditions of an
operator do not change. Both are spread over the scopes by one array (`spread`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.indicators import INDICATORS, Z_95, Indicator
from schemas.places import PLATFORMS
from schemas.towns import CITY_CODE, TOWNS
from sinks.clickhouse.raw import DATABASE

SPAN_FIELDS: Final = (
    "kind", "town_code", "status", "platforms", "grade", "certified", "director", "officers", "accepted", "trained",
    "healthy", "kitchen", "ordered",
)  # fmt: skip
"""What a span of an operator's timeline says besides its minutes."""


def flow_indicators() -> list[Indicator]:
    """The entries that are counted in minutes."""
    return [one for one in INDICATORS if one.kind == "flow"]


def stock_groups() -> dict[tuple[str, ...], list[Indicator]]:
    """The entries that are counted in spans, by the streams that they read and so by their watermark."""
    groups: dict[tuple[str, ...], list[Indicator]] = {}
    for one in INDICATORS:
        if one.kind == "stock":
            groups.setdefault(one.streams, []).append(one)
    return groups


def contributions(indicators: Iterable[Indicator]) -> str:
    """Array of (code, numerator, denominator, unknown) that a unit gives, for ARRAY JOIN; used on buckets and spans.

    A count has no denominator; where the condition of the denominator fails, nothing counts."""
    entries = []
    for one in indicators:
        where = f"({one.where})"
        denominator = "toUInt8(0)" if one.counts else f"toUInt8({where})"
        entries.append(
            f"('{one.code}', toUInt8({where} AND ({one.numerator})), {denominator}, "
            f"toUInt8({where} AND ({one.unknown})))"
        )
    return "[" + ",\n        ".join(entries) + "]"


def scope_ids(indicator: Indicator) -> list[tuple[str, str]]:
    """(scope, scope_id) of every place at which the indicator is shown."""
    ids: dict[str, Sequence[str]] = {"city": (CITY_CODE,), "town": tuple(TOWNS), "platform": tuple(PLATFORMS)}
    return [(scope, scope_id) for scope in indicator.scopes for scope_id in ids[scope]]


def spread(platforms: str) -> str:
    """Array of (scope, scope_id) that something in a town and on platforms counts under; `platforms` is an array."""
    return (
        f"arrayConcat([('city', '{CITY_CODE}'), ('town', town_code)], "
        f"arrayMap(p -> ('platform', toString(p)), {platforms}))"
    )


def spans_of(indicators: Iterable[Indicator]) -> str:
    """Subquery: one row a span, indicator and scope, with what the span adds there."""
    fields = ", ".join(f"span.{name} AS {name}" for name in SPAN_FIELDS)
    return f"""SELECT part.1 AS indicator, place.1 AS scope, place.2 AS scope_id, from, until,
        toInt64(part.2) AS numerator, toInt64(part.3) AS denominator, toInt64(part.4) AS unknown
    FROM (
        SELECT span.from AS from, span.until AS until, {fields}
        FROM {DATABASE}.operator_timelines FINAL ARRAY JOIN spans AS span
    )
    ARRAY JOIN {contributions(indicators)} AS part
    ARRAY JOIN {spread("platforms")} AS place
    WHERE part.2 + part.3 > 0"""


def wilson(sign: str) -> str:
    """SQL of Wilson's score bound of numerator / denominator at 95 %: lower with `-`, upper with `+` (Wilson 1927)."""
    z2 = Z_95 * Z_95
    share, n = "(numerator / denominator)", "denominator"
    return (
        f"(({share} + {z2} / (2 * {n})) {sign} {Z_95} * sqrt({share} * (1 - {share}) / {n} + {z2} / (4 * {n} * {n})))"
        f" / (1 + {z2} / {n})"
    )
