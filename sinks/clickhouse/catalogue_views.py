"""The views of the catalogue: what is counted, by what targets, and how far each indicator is."""

from typing import Final

from schemas.columns import TableColumn
from sinks.clickhouse.raw import DATABASE
from sinks.clickhouse.sql import create_view

STALE_AFTER_SECONDS: Final = 300
"""How much later than `lateness` a watermark may be before its rates are called stale."""

STALE: Final = (
    f"toUInt8(ifNull(if(mode = 'event', clock_now, now64(6)) - watermark > lateness + {STALE_AFTER_SECONDS}, 0))"
)
"""SQL over a row of `watermarks`, with `clock_now`: whether the stream is late."""

LATEST: Final = f"{DATABASE}.raw_indicators WHERE synced_at = (SELECT max(synced_at) FROM {DATABASE}.raw_indicators)"
"""Behind FROM: the catalogue as it was written last."""

_DATED: Final = "Array(Tuple(`from` Date, value {kind}))"
_TEXT: Final = "LowCardinality(String)"
_ENTRY: Final = (
    TableColumn("code", "String", "Code of the indicator"),
    TableColumn("name_zh", "String", "Name, Chinese"),
    TableColumn("name_en", "String", "Name, English"),
    TableColumn("clause", "String", "Clause of the 2023 food-safety work points of the city"),
    TableColumn("kind", _TEXT, "stock, flow or availability"),
    TableColumn("unit", _TEXT, "What is counted"),
    TableColumn("streams", "Array(String)", "Streams that it reads"),
    TableColumn("counts", "Bool", "A number of units, not a share of them"),
    TableColumn("words", "String", "Definition in words"),
    TableColumn("assumption", "String", "What of it is a local assumption"),
    TableColumn("sql_where", "String", "Condition of the denominator"),
    TableColumn("sql_numerator", "String", "Condition of the numerator"),
    TableColumn("sql_unknown", "String", "Condition of the unknown"),
    TableColumn(
        "parameters",
        "Array(Tuple(name String, `from` Date, value Float64))",
        "Parameters of the conditions by the day from which they are valid, durations in seconds",
    ),
    TableColumn("comparator", _TEXT, "On which side of the target is good; empty where shown only"),
    TableColumn("targets", _DATED.format(kind="Float64"), "Targets by the day from which they are valid"),
    TableColumn("local_target", "Bool", "The target is a local setting, not the document's"),
    TableColumn(
        "recoveries",
        _DATED.format(kind="Float64"),
        "Recovery levels that are set, by the day from which they are valid",
    ),
    TableColumn("deadline", "Nullable(Date32)", "Day by which the target is to be reached"),
    TableColumn("windows", "Array(String)", "Windows"),
    TableColumn("settle", "UInt32", "Seconds that evidence needs to arrive"),
    TableColumn("scopes", "Array(String)", "Scopes"),
    TableColumn("floors", _DATED.format(kind="UInt32"), "Least samples by the day from which they are valid"),
    TableColumn("for_seconds", "UInt32", "Seconds that a breach has to hold before the alert fires"),
    TableColumn("alert_windows", "Array(String)", "Windows that alerts are judged on"),
    TableColumn("definition", "String", "Latest version of the definition"),
    TableColumn("definition_from", "Date", "Day from which it is valid"),
)


def _marks() -> str:
    """Each indicator's as_of: the least watermark of its streams, cut to the minute; NULL while a stream has none."""
    return f"""SELECT indicator, as_of, window_end, stale, error, width, silence,
    ifNull(registry_time < as_of - silence.seconds, 1) AS registry_silent,
    if(isNull(as_of) OR width = 0, [], arrayPushBack(
        arrayMap((w, length) -> (w, toUInt32(end - length), toUInt32(end)), windows, lengths),
        ('silence', toUInt32(end + settle - silence.seconds), toUInt32(end + settle)))) AS ranges
FROM (
    SELECT code AS indicator, windows, lengths, width, settle, silence, arrayMin(mine) > 0 AS seen,
        arrayMap(stream -> marks[stream].1, streams) AS mine,
        if(seen, toStartOfMinute(arrayMin(mine)), NULL) AS as_of, as_of - settle AS window_end,
        toUnixTimestamp(assumeNotNull(window_end)) AS end,
        arrayMax(stream -> marks[stream].2, streams) AS stale,
        registry_time, settings['computed_as:' || code] != computed_as AS error
    FROM {LATEST}
)"""


_WITH: Final = f"""WITH
    (SELECT max(clock) FROM {DATABASE}.watermarks FINAL) AS clock_now,
    (SELECT mapFromArrays(groupArray(stream), groupArray((
        watermark,
        {STALE}
    ))) FROM {DATABASE}.watermarks FINAL) AS marks,
    (SELECT maxIf(max_time, stream = 'yangguang.registry') FROM {DATABASE}.progress FINAL) AS registry_time,
    (SELECT mapFromArrays(groupArray(name), groupArray(value)) FROM {DATABASE}.settings FINAL) AS settings
"""


def views() -> dict[str, str]:
    """Name and CREATE statement of the views of this module."""
    moment = "Nullable(DateTime('UTC'))"
    marks = [
        TableColumn("indicator", "String", "Code of the indicator"),
        TableColumn("as_of", moment, "Least watermark of its streams, cut to the minute"),
        TableColumn("window_end", moment, "as_of less the time that evidence needs"),
        TableColumn("stale", "UInt8", "The watermark is late"),
        TableColumn("error", "UInt8", "The stored numbers were not computed by the definition that is shown"),
        TableColumn("width", "UInt32", "Seconds that a bucket covers, 0 for stock"),
        TableColumn("silence", "Tuple(seconds UInt32, from_hour UInt8, until_hour UInt8)", "When nothing is no data"),
        TableColumn("registry_silent", "UInt8", "The registry says nothing for longer than that"),
        TableColumn(
            "ranges",
            "Array(Tuple(name String, start UInt32, stop UInt32))",
            "Windows and the time of silence, Unix seconds, the latter last; empty for stock",
        ),
    ]
    names = ", ".join(f"`{one.name}`" for one in _ENTRY)
    towns = [
        TableColumn("town_code", "String", "Nine-digit division code"),
        TableColumn("name", "String", "Name"),
        TableColumn("kind", "String", "街道, 镇 or 乡"),
    ]
    return {
        "indicator_marks": create_view("indicator_marks", marks, _WITH + _marks(), "How far each indicator is"),
        "indicators": create_view(
            "indicators",
            _ENTRY,
            f"SELECT {names}\nFROM {LATEST}",
            "The catalogue of indicators with what is configured",
        ),
        "towns": create_view(
            "towns", towns, f"SELECT town_code, name, kind FROM {DATABASE}.raw_towns FINAL", "The 23 towns of the city"
        ),
    }
