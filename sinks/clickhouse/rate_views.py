"""The views of rates: how stored buckets and spans become `rates_now` and `rates_history`."""

from collections.abc import Sequence
from typing import Final

from schemas.columns import TableColumn
from schemas.indicators import INDICATORS, Indicator, window_length
from sinks.clickhouse.rates import flow_indicators, scope_ids, spans_of, spread, stock_groups, wilson
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.sql import create_view

STALE_AFTER_SECONDS: Final = 300
"""How much later than `lateness` a watermark may be before its rates are called stale."""

_MINUTE: Final = "DateTime64(0, 'Asia/Shanghai')"
_SILENCE: Final = 7200
"""Seconds between 10:00 and 22:00 after which a place without orders has no data, rather than no activity."""
_REGISTRY_SILENCE: Final = 172_800
"""Seconds after which a registry that says nothing has no data."""


def _marks() -> str:
    """Each indicator's as_of: the least watermark of its streams, cut to the minute; NULL while a stream has none."""
    return f"""SELECT code AS indicator,
    if(countIf(seen) = count(), toStartOfMinute(min(watermark)), NULL) AS as_of,
    as_of - toIntervalSecond(any(settle)) AS window_end,
    max(late) AS stale, maxIf(last_time, stream = 'yangguang.registry') AS registry_time
FROM (
    SELECT code, settle, stream, watermark, watermark > toDateTime64(0, 6, 'UTC') AS seen, last_time,
        if(mode = 'event', clock_now, now64(6)) - watermark > lateness + {STALE_AFTER_SECONDS} AS late
    FROM (
        SELECT code, settle, arrayJoin(streams) AS stream FROM {DATABASE}.raw_indicators
        WHERE synced_at = (SELECT max(synced_at) FROM {DATABASE}.raw_indicators)
    ) AS entries
    LEFT JOIN (
        SELECT stream, watermark, lateness, mode, (SELECT max(clock) FROM {DATABASE}.watermarks FINAL) AS clock_now
        FROM {DATABASE}.watermarks FINAL
    ) AS marks USING (stream)
    LEFT JOIN (SELECT stream, max(max_time) AS last_time FROM {DATABASE}.progress FINAL GROUP BY stream) AS seen_times
    USING (stream)
)
GROUP BY code"""


_WITH_MARKS: Final = f"""WITH (
    SELECT mapFromArrays(groupArray(indicator), groupArray((as_of, window_end, stale, registry_time)))
    FROM {DATABASE}.indicator_marks
) AS marks
"""
"""Before a view's SELECT: all marks as one map, so that they are asked for once however often they are used."""


def _as_of(indicator: Indicator) -> str:
    return f"marks['{indicator.code}'].1"


def _flow_now() -> str:
    """Rolling sums of every flow indicator, window and scope at its as_of; `recent` counts the last two hours."""
    return "\n    UNION ALL\n    ".join(_rolling(indicator) for indicator in flow_indicators())


def _rolling(indicator: Indicator) -> str:
    lengths = {window: int(window_length(window).total_seconds()) for window in indicator.windows}
    as_of, end = _as_of(indicator), f"marks['{indicator.code}'].2"
    values = ("numerator", "denominator", "unknown")
    sums = ",\n            ".join(
        f"('{window}', "
        + ", ".join(f"sumIf({value}, minute < {end} AND minute >= {end} - {length})" for value in values)
        + ")"
        for window, length in lengths.items()
    )
    return f"""SELECT '{indicator.code}' AS indicator, part.1 AS window, place.1 AS scope, place.2 AS scope_id,
        sum(part.2) AS numerator, sum(part.3) AS denominator, sum(part.4) AS unknown, sum(recent) AS recent
    FROM (
        SELECT town_code, platform, [{sums}] AS parts, sumIf(denominator, minute >= {as_of} - {_SILENCE}) AS recent
        FROM {DATABASE}.flow_minutes FINAL
        WHERE indicator = '{indicator.code}' AND minute >= {end} - {max(lengths.values())} AND minute < {as_of}
        GROUP BY town_code, platform
    )
    ARRAY JOIN parts AS part
    ARRAY JOIN {spread("[platform]")} AS place
    GROUP BY window, scope, scope_id"""


def _stock_now() -> str:
    """Every stock indicator and scope at its as_of."""
    parts = []
    for indicators in stock_groups().values():
        as_of = _as_of(indicators[0])
        parts.append(
            f"SELECT indicator, 'now' AS window, scope, scope_id, toUInt64(sum(numerator)) AS numerator,\n"
            f"    toUInt64(sum(denominator)) AS denominator, toUInt64(sum(unknown)) AS unknown, toUInt64(1) AS recent\n"
            f"FROM (\n    {spans_of(indicators)}\n)\nWHERE from <= {as_of} AND until > {as_of}\n"
            f"GROUP BY indicator, scope, scope_id"
        )
    return "\nUNION ALL\n".join(parts)


def _skeleton() -> str:
    """One row for every indicator, window and place, also where there is nothing to count."""
    rows = []
    for one in INDICATORS:
        windows = "[" + ", ".join(f"'{window}'" for window in one.windows) + "]"
        places = "[" + ", ".join(f"('{scope}', '{scope_id}')" for scope, scope_id in scope_ids(one)) + "]"
        rows.append(
            f"SELECT '{one.code}' AS indicator, arrayJoin({windows}) AS window, arrayJoin({places}) AS place,\n"
            f"    '{one.kind}' AS kind, toBool({int(one.counts)}) AS counts"
        )
    return "\nUNION ALL\n".join(rows)


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
            "as_of", f"Nullable({_MINUTE})", "Minute up to which the rate counts; NULL before the first watermark"
        ),
        TableColumn(
            "window_end", f"Nullable({_MINUTE})", "End of the window, which as_of - settle is; as_of for stock"
        ),
        TableColumn("definition", "LowCardinality(String)", "Version of the indicator's definition"),
    ]
    silent = (
        "if(kind = 'flow', recent = 0 AND toHour(mark.1, 'Asia/Shanghai') BETWEEN 10 AND 21, "
        f"mark.4 < mark.1 - {_REGISTRY_SILENCE})"
    )
    body = f"""{_WITH_MARKS}SELECT indicator, scope, scope_id, window, numerator, denominator, unknown,
    multiIf(counts, toFloat64(numerator), denominator = 0, NULL, numerator / denominator) AS rate,
    if(kind = 'flow' AND denominator > 0, {wilson("-")}, NULL) AS lower,
    if(kind = 'flow' AND denominator > 0, {wilson("+")}, NULL) AS upper,
    {_valid_target("mark.1")} AS target, comparator,
    multiIf(
        mark.1 IS NULL, 'no_data',
        mark.3, 'stale',
        NOT counts AND denominator = 0, if({silent}, 'no_data', 'no_activity'),
        NOT counts AND denominator < floor, 'low_sample',
        target IS NULL, 'ok',
        if(comparator = '>=', rate >= target, rate <= target), 'ok', 'below') AS status,
    toDateTime64(mark.1, 0, 'Asia/Shanghai') AS as_of, toDateTime64(mark.2, 0, 'Asia/Shanghai') AS window_end,
    definition
FROM (
    SELECT skeleton.indicator AS indicator, place.1 AS scope, place.2 AS scope_id, skeleton.window AS window, kind,
        counts, comparator, floor, definition, targets, recent, marks[skeleton.indicator] AS mark,
        counted.numerator AS numerator, counted.denominator AS denominator, counted.unknown AS unknown
    FROM (
    {_skeleton()}
    ) AS skeleton
    INNER JOIN (
        SELECT code AS indicator, comparator, floor, definition, targets
        FROM {DATABASE}.raw_indicators WHERE synced_at = (SELECT max(synced_at) FROM {DATABASE}.raw_indicators)
    ) AS entry ON entry.indicator = skeleton.indicator
    LEFT JOIN (
    {_flow_now()}
    UNION ALL
    {_stock_now()}
    ) AS counted ON counted.indicator = skeleton.indicator AND counted.window = skeleton.window
        AND counted.scope = skeleton.place.1 AND counted.scope_id = skeleton.place.2
)"""
    return create_view("rates_now", columns, body, "Every rate as it is now, one row an indicator, window and place")


def _valid_target(moment: str) -> str:
    """The target of `targets` that is valid on the day of `moment` in Asia/Shanghai, or NULL."""
    day = f"toDate({moment}, 'Asia/Shanghai')"
    valid = f"arrayFilter(dated -> dated.1 <= assumeNotNull({day}), targets)"
    return f"if(empty({valid}), NULL, arraySort({valid})[-1].2)"


def _rates_history() -> str:
    columns = [
        *PLACE_COLUMNS,
        TableColumn("minute", _MINUTE, "Flow: first second of the minute that is counted; stock: end of the minute"),
        *RATE_COLUMNS,
        TableColumn("definition", "LowCardinality(String)", "Version of the indicator's definition"),
    ]
    flow = f"""SELECT indicator, place.1 AS scope, place.2 AS scope_id, minute, sum(numerator) AS numerator,
        sum(denominator) AS denominator, sum(unknown) AS unknown
    FROM {DATABASE}.flow_minutes FINAL ARRAY JOIN {spread("[platform]")} AS place
    GROUP BY indicator, scope, scope_id, minute
    HAVING denominator + numerator > 0"""
    stock = "\nUNION ALL\n".join(_stock_history(indicators) for indicators in stock_groups().values())
    body = f"""{_WITH_MARKS}SELECT indicator, scope, scope_id, toDateTime64(minute, 0, 'Asia/Shanghai') AS minute,
    numerator, denominator, unknown,
    multiIf(counts, toFloat64(numerator), denominator = 0, NULL, numerator / denominator) AS rate,
    definition
FROM (
    {flow}
    UNION ALL
    {stock}
) AS counted
INNER JOIN (
    SELECT code AS indicator, counts, definition FROM {DATABASE}.raw_indicators
    WHERE synced_at = (SELECT max(synced_at) FROM {DATABASE}.raw_indicators)
) AS entry USING (indicator)"""
    return create_view(
        "rates_history",
        columns,
        body,
        "Flow: each minute's own units; stock: the value where it changed, which then holds",
    )


def _stock_history(indicators: Sequence[Indicator]) -> str:
    """Running sums over the minutes at which spans begin and end, up to as_of."""
    as_of = _as_of(indicators[0])
    order = "OVER (PARTITION BY indicator, scope, scope_id ORDER BY minute)"
    sums = ", ".join(f"toUInt64(sum(d_{one}) {order}) AS {one}" for one in ("numerator", "denominator", "unknown"))
    return f"""SELECT indicator, scope, scope_id, minute, {sums}
    FROM (
        SELECT indicator, scope, scope_id, edge.1 AS minute, sum(edge.2 * numerator) AS d_numerator,
            sum(edge.2 * denominator) AS d_denominator, sum(edge.2 * unknown) AS d_unknown
        FROM (
    {spans_of(indicators)}
        )
        ARRAY JOIN [(from, 1), (until, -1)] AS edge
        WHERE minute <= {as_of}
        GROUP BY indicator, scope, scope_id, minute
        HAVING d_numerator != 0 OR d_denominator != 0 OR d_unknown != 0
    )"""


def _catalogue_views() -> dict[str, str]:
    entry = [
        TableColumn("code", "String", "Code of the indicator"),
        TableColumn("name_zh", "String", "Name, Chinese"),
        TableColumn("name_en", "String", "Name, English"),
        TableColumn("clause", "String", "Clause of the 2023 food-safety work points of the city"),
        TableColumn("kind", "LowCardinality(String)", "stock, flow or availability"),
        TableColumn("unit", "LowCardinality(String)", "What is counted"),
        TableColumn("streams", "Array(String)", "Streams that it reads"),
        TableColumn("counts", "Bool", "A number of units, not a share of them"),
        TableColumn("words", "String", "Definition in words"),
        TableColumn("sql_where", "String", "Condition of the denominator"),
        TableColumn("sql_numerator", "String", "Condition of the numerator"),
        TableColumn("sql_unknown", "String", "Condition of the unknown"),
        TableColumn(
            "comparator", "LowCardinality(String)", "On which side of the target is good; empty where shown only"
        ),
        TableColumn(
            "targets", "Array(Tuple(`from` Date, value Float64))", "Targets by the day from which they are valid"
        ),
        TableColumn("local_target", "Bool", "The target is a local setting, not the document's"),
        TableColumn("recovery", "Nullable(Float64)", "Recovery level where one is set"),
        TableColumn("deadline", "Nullable(Date32)", "Day by which the target is to be reached"),
        TableColumn("windows", "Array(String)", "Windows"),
        TableColumn("settle", "UInt32", "Seconds that evidence needs to arrive"),
        TableColumn("scopes", "Array(String)", "Scopes"),
        TableColumn("floor", "UInt32", "Least sample"),
        TableColumn("for_seconds", "UInt32", "Seconds that a breach has to hold before the alert fires"),
        TableColumn("alert_windows", "Array(String)", "Windows that alerts are judged on"),
        TableColumn("definition", "String", "Version of the definition"),
        TableColumn("definition_from", "Date", "Day from which the definition is valid"),
    ]
    names = ", ".join(f"`{one.name}`" for one in entry)
    return {
        "indicators": create_view(
            "indicators",
            entry,
            f"SELECT {names}\nFROM {DATABASE}.raw_indicators\n"
            f"WHERE synced_at = (SELECT max(synced_at) FROM {DATABASE}.raw_indicators)",
            "The catalogue of indicators with the targets that are configured",
        ),
        "towns": create_view(
            "towns",
            [
                TableColumn("town_code", "String", "Nine-digit division code"),
                TableColumn("name", "String", "Name"),
                TableColumn("kind", "String", "街道, 镇 or 乡"),
            ],
            f"SELECT town_code, name, kind FROM {DATABASE}.raw_towns FINAL",
            "The 23 towns of the city",
        ),
    }


def views() -> dict[str, str]:
    """Name and CREATE statement of the views of this module, each after those that it reads."""
    marks = [
        TableColumn("indicator", "String", "Code of the indicator"),
        TableColumn("as_of", "Nullable(DateTime('UTC'))", "Least watermark of its streams, cut to the minute"),
        TableColumn("window_end", "Nullable(DateTime('UTC'))", "as_of less the time that evidence needs"),
        TableColumn("stale", "UInt8", "The watermark is late"),
        TableColumn("registry_time", "DateTime64(6, 'UTC')", "Greatest event time landed from the registry"),
    ]
    return {
        "indicator_marks": create_view("indicator_marks", marks, _marks(), "How far each indicator is"),
        **_catalogue_views(),
        "rates_now": _rates_now(),
        "rates_history": _rates_history(),
    }
