-- What is computed from the raw tables: buckets, spans, and how far each stream is.
-- forward
CREATE TABLE yangguang.flow_minutes {on_cluster} (
    `indicator` LowCardinality(String) COMMENT 'Code of the indicator',
    `minute` DateTime('UTC') COMMENT 'First second of the minute, UTC',
    `town_code` LowCardinality(String) COMMENT 'Town',
    `platform` LowCardinality(String) COMMENT 'Takeaway platform, empty where the indicator has none',
    `numerator` UInt64 COMMENT 'Units in the numerator',
    `denominator` UInt64 COMMENT 'Units in the denominator',
    `unknown` UInt64 COMMENT 'Units in the denominator of which too little is known',
    `version` DateTime64(6, 'UTC') COMMENT 'When the bucket was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
PARTITION BY toYYYYMM(least(greatest(minute, toDateTime('2020-01-01 00:00:00', 'UTC')), toDateTime('2040-01-01 00:00:00', 'UTC')))
ORDER BY (indicator, minute, town_code, platform)
COMMENT 'Flow indicators by minute: each row a pure function of the raw rows of its minute';

CREATE TABLE yangguang.order_activity {on_cluster} (
    `operator_id` String COMMENT 'Operator',
    `minute` DateTime('UTC') COMMENT 'Minute of delivery, UTC',
    `spans` Array(Tuple(`from` DateTime('UTC'), `until` DateTime('UTC'))) COMMENT 'Minutes [from, until) at which an order of this minute counts as recent',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (operator_id, minute)
COMMENT 'When an operator had a recent order: each row a pure function of the raw orders of its minute';

CREATE TABLE yangguang.operator_timelines {on_cluster} (
    `operator_id` String COMMENT 'Operator',
    `spans` Array(Tuple(
        `from` DateTime('UTC'), `until` DateTime('UTC'), `kind` String, `town_code` String, `status` String,
        `platforms` Array(String), `grade` String, `certified` Bool, `director` Bool, `officers` Int32,
        `accepted` Array(String), `trained` Bool, `healthy` Bool, `kitchen` String, `ordered` Bool
    )) COMMENT 'Minutes [from, until) in which nothing about the operator changes, and what holds in them',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY operator_id
COMMENT 'The whole life of each operator as spans: a pure function of its registry and kitchen events and its orders';

CREATE TABLE yangguang.progress {on_cluster} (
    `stream` LowCardinality(String) COMMENT 'Stream, which is also the Kafka topic',
    `partition` Int32 COMMENT 'Partition of the topic',
    `next_offset` Int64 COMMENT 'Offset of the first record that has not been landed and aggregated',
    `max_time` DateTime64(6, 'UTC') COMMENT 'Greatest event time landed from the partition, 1970 where there is none',
    `updated_at` DateTime64(6, 'UTC') COMMENT 'When the row was written; the latest wins'
)
ENGINE = {replacing}(updated_at)
ORDER BY (stream, partition)
COMMENT 'How far the pipeline is in each partition';

CREATE TABLE yangguang.watermarks {on_cluster} (
    `stream` LowCardinality(String) COMMENT 'Stream',
    `watermark` DateTime64(6, 'UTC') COMMENT 'Up to here the stream is taken to be complete',
    `clock` DateTime64(6, 'UTC') COMMENT 'The clock by which the watermark was taken',
    `mode` LowCardinality(String) COMMENT 'wall or event',
    `lateness` UInt32 COMMENT 'Seconds that the watermark stays behind the clock',
    `updated_at` DateTime64(6, 'UTC') COMMENT 'When the row was written; the latest wins'
)
ENGINE = {replacing}(updated_at)
ORDER BY stream
COMMENT 'The watermark of each stream';

CREATE TABLE yangguang.raw_rejected {on_cluster} (
    `topic` LowCardinality(String) COMMENT 'Topic of the record, http for the gateway',
    `partition` Int32 COMMENT 'Partition of the record, -1 for the gateway',
    `offset` Int64 COMMENT 'Offset of the record; for the gateway that of its raw bytes',
    `reason` LowCardinality(String) COMMENT 'Why it was not accepted',
    `detail` String COMMENT 'JSON pointer from the event root and message; never the value of a personal field',
    `source` String COMMENT 'Producer, where readable',
    `id` String COMMENT 'Id of the event, where readable',
    `type` String COMMENT 'Type of the event, where readable',
    `time` DateTime64(6, 'UTC') COMMENT 'When it was rejected, UTC',
    `raw_partition` Int32 COMMENT 'Partition of the raw bytes in topic yangguang.rejected',
    `raw_offset` Int64 COMMENT 'Offset of the raw bytes in topic yangguang.rejected',
    `replayed_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was replayed, UTC',
    `recorded_at` DateTime64(6, 'UTC') COMMENT 'When the row was written; the latest wins'
)
ENGINE = {replacing}(recorded_at)
ORDER BY (topic, partition, offset, if(topic = 'http', raw_partition, 0))
COMMENT 'Rejected events without their bytes';

CREATE TABLE yangguang.raw_indicators {on_cluster} (
    `code` String COMMENT 'Code of the indicator',
    `name_zh` String COMMENT 'Name, Chinese',
    `name_en` String COMMENT 'Name, English',
    `clause` String COMMENT 'Clause of the 2023 work points',
    `kind` LowCardinality(String) COMMENT 'stock, flow or availability',
    `unit` LowCardinality(String) COMMENT 'What is counted',
    `streams` Array(String) COMMENT 'Streams that it reads',
    `counts` Bool COMMENT 'A number of units, not a share',
    `words` String COMMENT 'Definition in words',
    `sql_where` String COMMENT 'Condition of the denominator',
    `sql_numerator` String COMMENT 'Condition of the numerator',
    `sql_unknown` String COMMENT 'Condition of the unknown',
    `comparator` LowCardinality(String) COMMENT '>= or <=, empty where the indicator is shown only',
    `targets` Array(Tuple(`from` Date, `value` Float64)) COMMENT 'Targets by the day from which they are valid',
    `local_target` Bool COMMENT 'The target is a local setting, not the documents',
    `recovery` Nullable(Float64) COMMENT 'Recovery level where one is set',
    `deadline` Nullable(Date32) COMMENT 'Day until which the target is to be reached',
    `windows` Array(String) COMMENT 'Windows',
    `settle` UInt32 COMMENT 'Seconds that evidence needs to arrive',
    `scopes` Array(String) COMMENT 'Scopes',
    `floor` UInt32 COMMENT 'Least sample',
    `for_seconds` UInt32 COMMENT 'Seconds that a breach has to hold before the alert fires',
    `alert_windows` Array(String) COMMENT 'Windows that alerts are judged on',
    `definition` String COMMENT 'Version of the definition',
    `definition_from` Date COMMENT 'Day from which the definition is valid',
    `synced_at` DateTime64(6, 'UTC') COMMENT 'When the catalogue was written; the latest wins'
)
ENGINE = {replacing}(synced_at)
ORDER BY code
COMMENT 'The catalogue of indicators, written from the code and the configuration';

CREATE TABLE yangguang.raw_towns {on_cluster} (
    `town_code` String COMMENT 'Nine-digit division code',
    `name` String COMMENT 'Name of the town',
    `kind` String COMMENT '街道, 镇 or 乡'
)
ENGINE = {replacing}
ORDER BY town_code
COMMENT 'The 23 towns of the city';

CREATE TABLE yangguang.settings {on_cluster} (
    `name` String COMMENT 'Name of the setting',
    `value` String COMMENT 'Value with which the stored aggregates were computed',
    `set_at` DateTime64(6, 'UTC') COMMENT 'When it was written; the latest wins'
)
ENGINE = {replacing}(set_at)
ORDER BY name
COMMENT 'Settings that stored aggregates depend on: another value makes them be recomputed';

-- backward
DROP TABLE IF EXISTS yangguang.settings {on_cluster};
DROP TABLE IF EXISTS yangguang.raw_towns {on_cluster};
DROP TABLE IF EXISTS yangguang.raw_indicators {on_cluster};
DROP TABLE IF EXISTS yangguang.raw_rejected {on_cluster};
DROP TABLE IF EXISTS yangguang.watermarks {on_cluster};
DROP TABLE IF EXISTS yangguang.progress {on_cluster};
DROP TABLE IF EXISTS yangguang.operator_timelines {on_cluster};
DROP TABLE IF EXISTS yangguang.order_activity {on_cluster};
DROP TABLE IF EXISTS yangguang.flow_minutes {on_cluster};
