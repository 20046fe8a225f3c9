"""The views of rates: how stored buckets and spans become `rates_now` and `rates_history`.

A window is whole hours and the minutes at its two ends, so what is read does not grow with the number of units.
"""

from typing import Final

from schemas.columns import TableColumn
from sinks.clickhouse.catalogue_views import LATEST
from sinks.clickhouse.rates import VALUES, WIDTHS, spread, stock_parts, wilson
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.sql import create_view

MINUTE: Final = "DateTime64(0, 'Asia/Shanghai')"

RATE_COLUMNS: Final = (
    TableColumn("numerator", "UInt64", "Units in the numerator"),
    TableColumn("denominator", "UInt64", "Units in the denominator, 0 for a count"),
    TableColumn("unknown", "UInt64", "Units in the denominator of which too little is known"),
    TableColumn("rate", "Nullable(Float64)", "Numerator by denominator, or the number for a count; NULL without units"),
)
PLACE_COLUMNS: Final = (
    TableColumn("indicator", "LowCardinality(String)", "Code of the indicator"),
    TableColumn("scope", "LowCardinality(String)", "city, town or platform"),
    TableColumn("scope_id", "LowCardinality(String)", "Division code or platform"),
)
RATE: Final = "multiIf(counts, toFloat64(numerator), denominator = 0, NULL, numerator / denominator)"

WITH_MARKS: Final = f"""WITH (
    SELECT groupArray((indicator, as_of, window_end, stale, error, ranges, silence, registry_silent, width))
    FROM {DATABASE}.indicator_marks
) AS marks
"""
"""Before a view's SELECT: all marks as one array, so that they are asked for once however often they are used."""

MARK_ROWS: Final = """SELECT mark.1 AS indicator, mark.2 AS as_of, mark.3 AS window_end, mark.4 AS stale,
        mark.5 AS error, mark.6 AS ranges, mark.7 AS silence, mark.8 AS registry_silent, mark.9 AS bucket
    FROM (SELECT arrayJoin(marks) AS mark)"""
_EARLIEST: Final = "arrayMin(arrayMap(mark -> ifNull(mark.2, toDateTime(4294967295, 'UTC')), marks))"
_LATEST_MARK: Final = "arrayMax(arrayMap(mark -> ifNull(mark.2, toDateTime(0, 'UTC')), marks))"


def valid(entries: str, moment: str) -> str:
    """SQL for the value of dated entries that is valid on the day of `moment` in Asia/Shanghai, or NULL."""
    day = f"toDate({moment}, 'Asia/Shanghai')"
    found = f"arrayFilter(dated -> dated.1 <= assumeNotNull({day}), {entries})"
    return f"if(empty({found}), NULL, arraySort({found})[-1].2)"


def version_at(moment: str) -> str:
    """SQL for the version of the definition at a moment; before the first one there is, the first one."""
    return f"arrayLast(phase -> phase.1 <= assumeNotNull({moment}), phases).2"


def _flow_now() -> str:
    """Sums of every flow and availability indicator, window and scope at its as_of; `recent` counts what silence asks
    for. A window takes the hours that lie in it, and at both ends the minutes of the hours that do not."""
    values = ", ".join(VALUES)
    range_rows = "SELECT mark, arrayJoin(mark.6) AS r FROM (SELECT arrayJoin(marks) AS mark)"
    hours = f"""SELECT mark.1, toDateTime(arrayJoin(range(intDiv(min(r.2), 3600) * 3600, max(r.3), 3600)))
        FROM ({range_rows}) GROUP BY mark.1"""
    minutes = f"""SELECT DISTINCT mark.1, toDateTime(arrayJoin(arrayConcat(
            range(r.2, least(r.3, intDiv(r.2 + 3599, 3600) * 3600), 60),
            range(greatest(r.2, intDiv(r.3, 3600) * 3600), r.3, 60)
        )))
        FROM ({range_rows})"""
    hour = "intDiv(begin, 3600) * 3600"
    inside = (
        f"begin >= r.2 AND begin + greatest(whole, bucket) <= r.3 "
        f"AND NOT (whole = 0 AND {hour} >= r.2 AND {hour} + 3600 <= r.3)"
    )
    sums = ",\n            ".join(
        f"sumForEach(arrayMap(r -> if({inside}, {value}, 0), ranges)) AS {value}s" for value in VALUES
    )
    return f"""SELECT indicator, window, place.1 AS scope, place.2 AS scope_id, sum(n) AS numerator,
        sum(d) AS denominator, sum(u) AS unknown, sum(denominators[-1]) AS recent
    FROM (
        SELECT indicator, town_code, platform, any(ranges.name) AS names,
            {sums}
        FROM (
            SELECT indicator, toUnixTimestamp(hour) AS begin, toUInt32(3600) AS whole, town_code, platform, {values}
            FROM {DATABASE}.flow_hours FINAL WHERE (indicator, hour) IN ({hours})
            UNION ALL
            SELECT indicator, toUnixTimestamp(minute) AS begin, toUInt32(0), town_code, platform, {values}
            FROM {DATABASE}.flow_minutes FINAL
            WHERE (indicator, minute) IN ({minutes})
        ) AS buckets
        INNER JOIN ({MARK_ROWS}) AS mark USING (indicator)
        GROUP BY indicator, town_code, platform
    )
    ARRAY JOIN names AS window, numerators AS n, denominators AS d, unknowns AS u
    ARRAY JOIN {spread("[platform]")} AS place
    GROUP BY indicator, window, scope, scope_id"""


def _stock_now() -> str:
    """Every stock indicator and scope at its as_of."""
    wanted = f"span.from <= {_LATEST_MARK} AND span.until > {_EARLIEST}"
    return f"""SELECT indicator, 'now' AS window, scope, scope_id, toUInt64(sum(numerator)) AS numerator,
        toUInt64(sum(denominator)) AS denominator, toUInt64(sum(unknown)) AS unknown, toUInt64(1) AS recent
    FROM ({stock_parts(wanted)}) AS parts
    INNER JOIN ({MARK_ROWS}) AS mark USING (indicator)
    WHERE begin <= as_of AND end > as_of
    GROUP BY indicator, scope, scope_id"""


def _rates_now() -> str:
    columns = [
        *PLACE_COLUMNS,
        TableColumn("window", "LowCardinality(String)", "Length of the window, now for stock"),
        *RATE_COLUMNS,
        TableColumn("lower", "Nullable(Float64)", "Wilson 95 % lower bound, flow only"),
        TableColumn("upper", "Nullable(Float64)", "Wilson 95 % upper bound, flow only"),
        TableColumn("target", "Nullable(Float64)", "Target that is valid on the day of as_of; NULL where shown only"),
        TableColumn(
            "comparator", "LowCardinality(String)", "On which side of the target is good; empty where shown only"
        ),
        TableColumn("status", "LowCardinality(String)", "ok, below, low_sample, no_activity, no_data, stale or error"),
        TableColumn(
            "as_of", f"Nullable({MINUTE})", "Minute up to which the rate counts; NULL before the first watermark"
        ),
        TableColumn("window_end", f"Nullable({MINUTE})", "End of the window, which as_of - settle is; as_of for stock"),
        TableColumn("definition", "LowCardinality(String)", "Version of the indicator's definition"),
    ]
    silent = (
        "multiIf(kind = 'stock', registry_silent, kind = 'flow', recent = 0 AND toHour(mark_as_of, 'Asia/Shanghai') "
        ">= silence.from_hour AND toHour(mark_as_of, 'Asia/Shanghai') < silence.until_hour, false)"
    )
    body = f"""{WITH_MARKS}SELECT indicator, scope, scope_id, window, numerator, denominator, unknown,
    {RATE} AS rate,
    if(kind = 'flow' AND NOT counts AND denominator > 0, {wilson("-")}, NULL) AS lower,
    if(kind = 'flow' AND NOT counts AND denominator > 0, {wilson("+")}, NULL) AS upper,
    {valid("targets", "mark_as_of")} AS target, comparator,
    multiIf(
        mark_as_of IS NULL, 'no_data',
        error, 'error',
        stale, 'stale',
        NOT counts AND denominator = 0, if({silent}, 'no_data', 'no_activity'),
        NOT counts AND denominator < ifNull({valid("floors", "mark_as_of")}, 0), 'low_sample',
        comparator = '' OR target IS NULL, 'ok',
        if(comparator = '>=', rate >= target, rate <= target), 'ok', 'below') AS status,
    toDateTime64(mark_as_of, 0, 'Asia/Shanghai') AS as_of, toDateTime64(mark_end, 0, 'Asia/Shanghai') AS window_end,
    {version_at("mark_as_of")} AS definition
FROM (
    SELECT skeleton.*, counted.numerator AS numerator, counted.denominator AS denominator, counted.unknown AS unknown,
        counted.recent AS recent
    FROM (
        SELECT entry.*, mark.as_of AS mark_as_of, mark.window_end AS mark_end, stale, error, silence, registry_silent,
            place.1 AS scope, place.2 AS scope_id
        FROM (
            SELECT code AS indicator, kind, counts, comparator, floors, phases, targets, arrayJoin(windows) AS window,
                arrayJoin(places) AS place
            FROM {LATEST}
        ) AS entry
        INNER JOIN ({MARK_ROWS}) AS mark USING (indicator)
    ) AS skeleton
    LEFT JOIN (
    {_flow_now()}
    UNION ALL
    {_stock_now()}
    ) AS counted USING (indicator, window, scope, scope_id)
)"""
    return create_view("rates_now", columns, body, "Every rate as it is now, one row an indicator, window and place")


def _rates_history() -> str:
    columns = [
        *PLACE_COLUMNS,
        TableColumn(
            "minute",
            MINUTE,
            "Flow: first second of the minute that is counted; availability: of the slot; stock: end of the minute",
        ),
        *RATE_COLUMNS,
        TableColumn("definition", "LowCardinality(String)", "Version of the indicator's definition at that minute"),
    ]
    flow = f"""SELECT indicator, place.1 AS scope, place.2 AS scope_id, minute, sum(numerator) AS numerator,
        sum(denominator) AS denominator, sum(unknown) AS unknown
    FROM {DATABASE}.flow_minutes FINAL ARRAY JOIN {spread("[platform]")} AS place
    WHERE indicator NOT IN (SELECT code FROM {LATEST} AND kind = 'availability')
        OR minute + {WIDTHS["availability"]} <= {as_of_of("indicator")}
    GROUP BY indicator, scope, scope_id, minute
    HAVING denominator + numerator > 0"""
    minute = "toDateTime64(counted.minute, 0, 'Asia/Shanghai')"
    body = f"""{WITH_MARKS}SELECT indicator, scope, scope_id, {minute} AS minute, numerator, denominator, unknown,
    {RATE} AS rate, {version_at("counted.minute")} AS definition
FROM (
    {flow}
    UNION ALL
    {_stock_history()}
) AS counted
INNER JOIN (SELECT code AS indicator, counts, phases FROM {LATEST}) AS entry USING (indicator)"""
    return create_view(
        "rates_history",
        columns,
        body,
        "Flow and availability: each minute's own units; stock: the value where it changed, which then holds",
    )


def as_of_of(code: str) -> str:
    """SQL for the as_of of the indicator that a column names; 1970 while it has none."""
    return (
        f"transform({code}, arrayMap(mark -> mark.1, marks), "
        f"arrayMap(mark -> ifNull(mark.2, toDateTime(0, 'UTC')), marks), toDateTime(0, 'UTC'))"
    )


def _stock_history() -> str:
    """Running sums over the minutes at which spans begin and end, up to as_of."""
    order = "OVER (PARTITION BY indicator, scope, scope_id ORDER BY minute)"
    sums = ", ".join(f"toUInt64(sum(d_{one}) {order}) AS {one}" for one in VALUES)
    changes = ", ".join(f"sum(edge.2 * {one}) AS d_{one}" for one in VALUES)
    return f"""SELECT indicator, scope, scope_id, minute, {sums}
    FROM (
        SELECT indicator, scope, scope_id, edge.1 AS minute, {changes}
        FROM ({stock_parts("true")})
        ARRAY JOIN [(begin, 1), (end, -1)] AS edge
        WHERE minute <= {as_of_of("indicator")}
        GROUP BY indicator, scope, scope_id, minute
        HAVING {" OR ".join(f"d_{one} != 0" for one in VALUES)}
    )"""


def views() -> dict[str, str]:
    """Name and CREATE statement of the views of this module."""
    return {"rates_now": _rates_now(), "rates_history": _rates_history()}
