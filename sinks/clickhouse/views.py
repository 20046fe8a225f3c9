"""The names that analysts rely on: views over the raw tables and the aggregates, with a comment on every column.

Times are stored in UTC and shown in Asia/Shanghai. The SQL of rates stands in `sinks.clickhouse.rate_views`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.action import MATCHED
from schemas.catalogue import MODELS
from schemas.columns import LANDED_AT, TableColumn, table_columns
from schemas.event import EventData
from schemas.indicator import Indicator
from schemas.indicators import INDICATORS
from schemas.seal import Order
from sinks.clickhouse import asked_views, catalogue_views, rate_views
from sinks.clickhouse.alert_actions import ACKNOWLEDGEMENTS, HOLDING, of_firing
from sinks.clickhouse.raw import DATABASE, raw_table, superseded_filter
from sinks.clickhouse.sql import MOMENT, create_view, shown
from sinks.clickhouse.units import EVIDENCE_FIELDS, EVIDENCE_KEY, KEY

_EVIDENCE_FIELDS: Final = frozenset({*EVIDENCE_FIELDS, "code", "photo_uri"})


def views(catalogue: Sequence[Indicator] = INDICATORS) -> dict[str, str]:
    """Name and CREATE statement of every view, each after those that it reads.

    :param catalogue: indicators with the configuration applied."""
    made: dict[str, str] = {}
    for model in MODELS:
        made[model.table] = _orders(model) if model is Order else _current_records(model)
    made |= _events_and_rejected() | catalogue_views.views() | rate_views.views()
    return made | asked_views.views(catalogue) | _alerts()


def _record_columns(model: type[EventData]) -> Sequence[TableColumn]:
    return (*table_columns(model), LANDED_AT)


def _current_records(model: type[EventData]) -> str:
    """One row an entity: the record with the greatest (time, id, source)."""
    columns = _record_columns(model)
    values = ", ".join(f"`{one.name}`" for one in columns)
    body = (
        f"SELECT {_untupled(columns)}\nFROM (\n    SELECT argMax(({values}), {KEY}) AS record\n"
        f"    FROM {raw_table(model)}\n    WHERE {superseded_filter(model)}\n    GROUP BY {model.entity}\n)"
    )
    return create_view(model.table, _shown(columns), body, f"Current records: {model.type}")


def _orders(model: type[EventData]) -> str:
    """One row an order: who and how from the latest event, packages and seal from the best evidence."""
    columns = _record_columns(model)
    seal = [one for one in columns if one.name in _EVIDENCE_FIELDS]
    rest = [one for one in columns if one.name not in _EVIDENCE_FIELDS]
    body = (
        f"SELECT {', '.join(_selected(one) for one in columns)}\nFROM (\n"
        f"    SELECT {_untupled(rest, 'latest')}, {_untupled(seal, 'best')}\n    FROM (\n"
        f"        SELECT argMax(({', '.join(f'`{one.name}`' for one in rest)}), {KEY}) AS latest,\n"
        f"            argMax(({', '.join(f'`{one.name}`' for one in seal)}), {EVIDENCE_KEY}) AS best\n"
        f"        FROM {raw_table(model)}\n        WHERE {superseded_filter(model)}\n"
        f"        GROUP BY order_id, delivered_at\n    )\n)"
    )
    return create_view(model.table, _shown(columns), body, f"Current records: {model.type}")


def _untupled(columns: Iterable[TableColumn], record: str = "record") -> str:
    """The columns by position: argMax over a tuple keeps NULLs, which argMax over a column would pass over."""
    return ",\n    ".join(
        f"{shown(f'{record}.{position}', one.type) if record == 'record' else f'{record}.{position}'} AS `{one.name}`"
        for position, one in enumerate(columns, 1)
    )


def _selected(column: TableColumn) -> str:
    return f"{shown(f'`{column.name}`', column.type)} AS `{column.name}`"


def _shown(columns: Iterable[TableColumn]) -> list[TableColumn]:
    return [
        one._replace(type=one.type.replace("'UTC'", "'Asia/Shanghai'"), comment=one.comment.replace(", UTC", ""))
        for one in columns
    ]


def _events_and_rejected() -> dict[str, str]:
    orders = raw_table(Order)
    text = "LowCardinality(String)"
    return {
        "events": create_view(
            "events",
            [
                TableColumn("stream", text, "Stream, which is also the Kafka topic"),
                TableColumn("type", text, "Type of the event"),
                TableColumn("source", text, "Producer of the event"),
                TableColumn("id", "String", "Id of the event, unique in its source"),
                TableColumn("subject", "String", "Subject of the event, empty where none was given"),
                TableColumn("time", MOMENT, "When the event became true"),
                TableColumn("landed_at", MOMENT, "When the event was stored"),
            ],
            f"SELECT stream, type, source, id, subject, toTimeZone(time, 'Asia/Shanghai') AS time,\n"
            f"    toTimeZone(landed_at, 'Asia/Shanghai') AS landed_at\nFROM {DATABASE}.raw_events FINAL\n"
            f"WHERE (type, source, id, raw_events.time, digest) NOT IN "
            f"(SELECT type, source, id, time, digest FROM {DATABASE}.superseded)",
            "Every accepted event, once",
        ),
        "order_conflicts": create_view(
            "order_conflicts",
            [
                TableColumn("order_id", "String", "Order"),
                TableColumn("delivered_at", f"Array({MOMENT})", "The different times of delivery that were reported"),
                TableColumn("sources", "Array(String)", "Who reported them"),
            ],
            f"SELECT order_id, arraySort(groupUniqArray(toTimeZone(raw_orders.delivered_at, 'Asia/Shanghai'))) "
            f"AS delivered_at,\n    arraySort(groupUniqArray(toString(source))) AS sources\nFROM {orders}\n"
            f"WHERE {superseded_filter(Order)}\nGROUP BY order_id\nHAVING length(delivered_at) > 1",
            "Orders whose events disagree on delivered_at, which is the producer's fault",
        ),
        "rejected": create_view(
            "rejected",
            [
                TableColumn("reason", text, "Why it was not accepted"),
                TableColumn("detail", "String", "JSON pointer from the event root and message"),
                TableColumn("topic", text, "Topic of the record; http or mqtt where the gateway refused it"),
                TableColumn("partition", "Int32", "Partition of the record, -1 for the gateway"),
                TableColumn("offset", "Int64", "Offset of the record; for the gateway that of its raw bytes"),
                TableColumn("source", "String", "Producer, where readable"),
                TableColumn("id", "String", "Id of the event, where readable"),
                TableColumn("type", "String", "Type of the event, where readable"),
                TableColumn("producer", text, "Whose API key pushed it; empty where it came by Kafka directly"),
                TableColumn("vendor", text, "The vendor mapping that it came through; empty for an event"),
                TableColumn("time", MOMENT, "When it was rejected"),
                TableColumn("raw_partition", "Int32", "Partition of the raw bytes in topic yangguang.rejected"),
                TableColumn("raw_offset", "Int64", "Offset of the raw bytes in topic yangguang.rejected"),
                TableColumn("replayed_at", f"Nullable({MOMENT})", "When it was replayed"),
            ],
            f"SELECT reason, detail, topic, partition, offset, source, id, type, producer, vendor,\n"
            f"    toTimeZone(raw_rejected.time, 'Asia/Shanghai') AS time, raw_partition, raw_offset,\n"
            f"    toTimeZone(raw_rejected.replayed_at, 'Asia/Shanghai') AS replayed_at\n"
            f"FROM {DATABASE}.raw_rejected FINAL",
            "Events that were not accepted, without their bytes",
        ),
        "rejected_summary": create_view(
            "rejected_summary",
            [
                TableColumn("day", "Date", "Day of the rejection, Asia/Shanghai"),
                TableColumn("topic", text, "Topic of the record, http for the gateway"),
                TableColumn("reason", text, "Why it was not accepted"),
                TableColumn("source", "String", "Producer, where readable"),
                TableColumn("count", "UInt64", "Rejected events"),
            ],
            f"SELECT toDate(time) AS day, topic, reason, source, count() AS count\nFROM {DATABASE}.rejected\n"
            f"GROUP BY day, topic, reason, source",
            "Rejected events by day, topic, reason and source",
        ),
    }


_RATE_COLUMNS: Final = (
    *rate_views.RATE_COLUMNS,
    TableColumn("target", "Nullable(Float64)", "Target that was valid"),
)
_ALERT_COLUMNS: Final = (
    TableColumn("alert_id", "String", "Identity of the alert"),
    TableColumn("kind", "LowCardinality(String)", "rate, condition or event"),
    TableColumn("indicator", "LowCardinality(String)", "Code of the indicator, condition or event"),
    TableColumn("scope", "LowCardinality(String)", "city, town or platform; source for condition rejects_high"),
    TableColumn("scope_id", "LowCardinality(String)", "Code of the city, town or platform; the source"),
    TableColumn("window", "LowCardinality(String)", "Window, now for stock"),
    TableColumn("subject", "String", "What it is about within its place, such as a stream; empty for rates"),
)
_WORST: Final = (
    "Array(Tuple(scope String, scope_id String, name String, numerator UInt64, denominator UInt64, rate Float64))"
)


def _names_it() -> str:
    """Whether every column that a silence names has its value in the row of the alert."""
    value = ", ".join(f"name = '{one}', toString(log.`{one}`)" for one in MATCHED)
    return f"arrayAll(name -> one.1[name] = multiIf({value}, NULL), mapKeys(one.1))"


def _alerts() -> dict[str, str]:
    key = ", ".join(f"`{one.name}`" for one in _ALERT_COLUMNS)
    shown_key = ", ".join(f"log.`{one.name}` AS `{one.name}`" for one in _ALERT_COLUMNS)
    counts = ", ".join(one.name for one in _RATE_COLUMNS)
    log = f"{DATABASE}.alert_log"
    return {
        "alerts": create_view(
            "alerts",
            [
                *_ALERT_COLUMNS,
                TableColumn("state", "LowCardinality(String)", "ok, pending, firing or resolved"),
                TableColumn("since", MOMENT, "Minute at which the state was entered"),
                TableColumn("as_of", MOMENT, "Minute at which the numbers were taken"),
                *_RATE_COLUMNS,
                TableColumn("worst", _WORST, "The worst places below the city at as_of"),
                TableColumn("acknowledged_by", "Nullable(String)", "Who acknowledged this firing"),
                TableColumn("silenced_until", f"Nullable({MOMENT})", "Until when it is silenced"),
                TableColumn("inhibited_by", "String", "The city's alert that held its message back; empty where none"),
                TableColumn("facts", "String", "What an event alert knows of its subject, JSON; empty for others"),
            ],
            f"WITH (SELECT groupArray((named, ends)) FROM ({HOLDING}) WHERE ends > now64(6)) AS holding\n"
            f"SELECT {shown_key}, to_state AS state, toTimeZone(log.since, 'Asia/Shanghai') AS since,\n"
            f"    toTimeZone(log.as_of, 'Asia/Shanghai') AS as_of, {counts}, worst,\n"
            f"    if(to_state = 'firing', nullIf({of_firing('acknowledged.made', 'log.since')}, ''), NULL) "
            f"AS acknowledged_by,\n"
            f"    toTimeZone(nullIf(arrayMax(arrayMap(one -> one.2, arrayFilter("
            f"one -> {_names_it()}, holding))), toDateTime64(0, 6, 'UTC')), 'Asia/Shanghai') AS silenced_until,\n"
            f"    held.back_by AS inhibited_by, facts\n"
            f"FROM (SELECT * EXCEPT inhibited_by FROM {log} WHERE alert_id != ''\n"
            f"    ORDER BY alert_log.as_of DESC, step DESC LIMIT 1 BY alert_id) AS log\n"
            f"LEFT JOIN ({ACKNOWLEDGEMENTS}) AS acknowledged ON acknowledged.alert_id = log.alert_id\n"
            f"LEFT JOIN (SELECT alert_id, argMax(inhibited_by, (as_of, step)) AS back_by FROM {log}\n"
            f"    WHERE transition_id != '' GROUP BY alert_id) AS held ON held.alert_id = log.alert_id",
            "Every alert that ever left ok, in its present state",
        ),
        "alert_transitions": create_view(
            "alert_transitions",
            [
                TableColumn("transition_id", "String", "Identity of the transition, the same on re-evaluation"),
                *_ALERT_COLUMNS,
                TableColumn("from_state", "LowCardinality(String)", "State before"),
                TableColumn("to_state", "LowCardinality(String)", "State after"),
                TableColumn("as_of", MOMENT, "Minute that was evaluated"),
                TableColumn("recorded_at", MOMENT, "When the transition was recorded"),
                *_RATE_COLUMNS,
                TableColumn("reason", "String", "Why the state changed"),
                TableColumn("inhibited_by", "String", "The city's alert that held its message back; empty where none"),
            ],
            f"SELECT transition_id, {key}, from_state, to_state, toTimeZone(log.as_of, 'Asia/Shanghai') AS as_of,\n"
            f"    toTimeZone(log.recorded_at, 'Asia/Shanghai') AS recorded_at, {counts}, reason, inhibited_by\n"
            f"FROM (SELECT * FROM {log} FINAL WHERE transition_id != '') AS log",
            "Every change of state of an alert",
        ),
        "acknowledgements": create_view(
            "acknowledgements",
            [
                TableColumn("action_id", "String", "Identity of the action"),
                TableColumn("action", "LowCardinality(String)", "acknowledge, silence or unsilence"),
                TableColumn("alert_id", "String", "Alert that a person acted on; empty for a silence of several"),
                TableColumn("by", "String", "Who acted"),
                TableColumn("why", "String", "Why"),
                TableColumn("matches", "Map(String, String)", "Columns of alerts and the values a silence holds for"),
                TableColumn("until", f"Nullable({MOMENT})", "Until when a silence holds"),
                TableColumn("at", MOMENT, "When the person acted"),
                TableColumn("via", "LowCardinality(String)", "cli, api or link"),
            ],
            f"SELECT action_id, action, alert_id, `by`, why, matches,\n"
            f"    toTimeZone(log.`until`, 'Asia/Shanghai') AS `until`,\n"
            f"    toTimeZone(log.at, 'Asia/Shanghai') AS at, via\n"
            f"FROM (SELECT * FROM {DATABASE}.raw_alert_actions FINAL) AS log",
            "What people did about alerts: acknowledgements and silences",
        ),
        "alert_deliveries": create_view(
            "alert_deliveries",
            [
                TableColumn("transition_id", "String", "Transition that was delivered, or another message by its id"),
                TableColumn("channel", "LowCardinality(String)", "Name of the channel"),
                TableColumn("attempt", "UInt32", "Number of the attempt, from 1"),
                TableColumn("outcome", "LowCardinality(String)", "delivered, handed_over, refused or failed"),
                TableColumn("detail", "String", "What the channel answered"),
                TableColumn("at", MOMENT, "When the attempt ended"),
            ],
            f"SELECT transition_id, channel, attempt, outcome, detail, toTimeZone(log.at, 'Asia/Shanghai') AS at\n"
            f"FROM (SELECT * FROM {DATABASE}.raw_alert_deliveries FINAL) AS log",
            "Every attempt to deliver a transition or another message",
        ),
    }
