-- Everything that the whole catalogue of indicators is computed from: duties, timelines of villages and duties, hours of
-- orders, buckets of hours, the slots of cameras; and the index of identities by month, so that old months can go.
-- forward
CREATE TABLE yangguang.raw_measures {on_cluster} (
    `extensions` Nullable(String) COMMENT 'What the vendor adds, compact JSON of at most 4 KiB',
    `measure_id` String COMMENT 'Identity of the duty',
    `measure` String COMMENT 'Which duty it is: guarantee_relation, pledge, supervision_visit, or one of yours',
    `town_code` LowCardinality(String) COMMENT 'Town, nine-digit division code',
    `operator_id` Nullable(String) COMMENT 'Operator that it concerns',
    `status` LowCardinality(String) COMMENT 'Due, done, or void and so not counted',
    `due_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it has to be done, UTC',
    `done_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was done, UTC',
    `event_id` String COMMENT 'Id of the event, unique in its source',
    `source` LowCardinality(String) COMMENT 'Producer of the event',
    `event_time` DateTime64(6, 'UTC') COMMENT 'When the event became true, UTC',
    `subject` String COMMENT 'Subject of the event, empty where none was given',
    `landed_at` DateTime64(6, 'UTC') COMMENT 'When the event was stored, UTC',
    `digest` UInt64 MATERIALIZED sipHash64(subject, isNull(`extensions`), assumeNotNull(`extensions`), `measure_id`, `measure`, `town_code`, isNull(`operator_id`), assumeNotNull(`operator_id`), `status`, isNull(`due_at`), assumeNotNull(`due_at`), isNull(`done_at`), assumeNotNull(`done_at`)) COMMENT 'Digest of the content'
)
ENGINE = {replacing}(landed_at)
ORDER BY (measure_id, source, event_id, event_time, digest)
COMMENT 'Accepted events of type yangguang.registry.measure.v1';

CREATE MATERIALIZED VIEW yangguang.raw_measures_to_events {on_cluster} TO yangguang.raw_events AS
SELECT 'yangguang.registry' AS stream, 'yangguang.registry.measure.v1' AS type, source, event_id AS id, event_time AS time,
    digest, subject, landed_at, measure_id AS place
FROM yangguang.raw_measures;

CREATE TABLE yangguang.raw_events_by_month {on_cluster} (
    `stream` LowCardinality(String) COMMENT 'Stream, which is also the Kafka topic',
    `type` LowCardinality(String) COMMENT 'Type of the event',
    `source` LowCardinality(String) COMMENT 'Producer of the event',
    `id` String COMMENT 'Id of the event, unique in its source',
    `time` DateTime64(6, 'UTC') COMMENT 'When the event became true, UTC',
    `digest` UInt64 COMMENT 'Digest of the content',
    `subject` String COMMENT 'Subject of the event, empty where none was given',
    `landed_at` DateTime64(6, 'UTC') COMMENT 'When the event was stored, UTC',
    `place` String COMMENT 'Minute (Unix seconds) or entity by which the event is kept and recomputed'
)
ENGINE = {replacing}(landed_at)
PARTITION BY (type, toYYYYMM(least(greatest(time, toDateTime64('2020-01-01', 6, 'UTC')), toDateTime64('2040-01-01', 6, 'UTC'))))
ORDER BY (type, source, id, time, digest)
SETTINGS index_granularity = 256
COMMENT 'Index of accepted events by identity';

INSERT INTO yangguang.raw_events_by_month SELECT * FROM yangguang.raw_events SETTINGS max_partitions_per_insert_block = 0;

DROP TABLE yangguang.raw_events {on_cluster};

RENAME TABLE yangguang.raw_events_by_month TO yangguang.raw_events {on_cluster};

CREATE TABLE yangguang.flow_hours {on_cluster} (
    `indicator` LowCardinality(String) COMMENT 'Code of the indicator',
    `hour` DateTime('UTC') COMMENT 'First second of the hour, UTC',
    `town_code` LowCardinality(String) COMMENT 'Town',
    `platform` LowCardinality(String) COMMENT 'Takeaway platform, empty where the indicator has none',
    `numerator` UInt64 COMMENT 'Units in the numerator',
    `denominator` UInt64 COMMENT 'Units in the denominator',
    `unknown` UInt64 COMMENT 'Units in the denominator of which too little is known',
    `version` DateTime64(6, 'UTC') COMMENT 'When the bucket was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (indicator, hour, town_code, platform)
COMMENT 'Buckets of whole hours: each row the sum of the buckets of its minutes';

DROP TABLE yangguang.order_activity {on_cluster};

CREATE TABLE yangguang.order_hours {on_cluster} (
    `operator_id` String COMMENT 'Operator',
    `hour` DateTime('UTC') COMMENT 'Hour of delivery, UTC',
    `spans` Array(Tuple(`from` DateTime('UTC'), `until` DateTime('UTC'))) COMMENT 'Minutes [from, until) at which an order of this hour counts as recent',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (operator_id, hour)
COMMENT 'When an operator had a recent order: each row a pure function of the raw orders of its hour';

CREATE TABLE yangguang.village_timelines {on_cluster} (
    `village_id` String COMMENT 'Village or community',
    `spans` Array(Tuple(
        `from` DateTime('UTC'), `until` DateTime('UTC'), `town_code` String, `served` Bool
    )) COMMENT 'Minutes [from, until) in which nothing about the village changes, and what holds in them',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY village_id
COMMENT 'The whole life of each village as spans: a pure function of its events and of the canteens that serve it';

CREATE TABLE yangguang.duty_timelines {on_cluster} (
    `measure_id` String COMMENT 'Duty',
    `spans` Array(Tuple(
        `from` DateTime('UTC'), `until` DateTime('UTC'), `measure` String, `town_code` String, `status` String
    )) COMMENT 'Minutes [from, until) in which nothing about the duty changes, and what holds in them',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY measure_id
COMMENT 'The whole life of each duty as spans: a pure function of its events';

CREATE TABLE yangguang.stock_spans {on_cluster} (
    `relation` LowCardinality(String) COMMENT 'What the unit is: operators, villages or duties',
    `unit_id` String COMMENT 'Operator, village or duty',
    `spans` Array(Tuple(
        `from` DateTime('UTC'), `until` DateTime('UTC'), `town_code` String, `platforms` Array(String),
        `counts` Array(Tuple(indicator String, numerator UInt8, denominator UInt8, unknown UInt8))
    )) COMMENT 'Minutes [from, until) and in which indicators the unit counts in them, as what',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (relation, unit_id)
COMMENT 'Stock indicators unit by unit: the conditions of the catalogue applied to each timeline';

CREATE TABLE yangguang.camera_hours {on_cluster} (
    `indicator` LowCardinality(String) COMMENT 'Code of the indicator',
    `hour` DateTime('UTC') COMMENT 'First second of the hour, UTC',
    `camera_id` String COMMENT 'Camera',
    `healthy` UInt16 COMMENT 'One bit for each of the 12 slots of 5 minutes, the first is the lowest',
    `first_time` DateTime64(6, 'UTC') COMMENT 'Least event time of the hour, 1970 where there is none',
    `last` Tuple(event_time DateTime64(6, 'UTC'), event_id String, source String, operator_id String, town_code String) COMMENT 'The latest heartbeat of the hour',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
PARTITION BY toYYYYMM(least(greatest(hour, toDateTime('2020-01-01 00:00:00', 'UTC')), toDateTime('2040-01-01 00:00:00', 'UTC')))
ORDER BY (indicator, hour, camera_id)
COMMENT 'Slots with a healthy heartbeat by camera and hour: each row a pure function of the raw heartbeats of its hour';

CREATE TABLE yangguang.camera_bindings {on_cluster} (
    `indicator` LowCardinality(String) COMMENT 'Code of the indicator',
    `camera_id` String COMMENT 'Camera',
    `operator_id` String COMMENT 'Operator of its current heartbeat',
    `town_code` LowCardinality(String) COMMENT 'Town of its current heartbeat',
    `first_time` DateTime64(6, 'UTC') COMMENT 'Time of its first heartbeat; of a camera whose heartbeats all lost their identity 2106',
    `open` Array(UInt16) COMMENT 'For each hour of the day (Asia/Shanghai) a bit for each slot that is expected',
    `settled` Bool COMMENT 'The buckets of the past have been computed with this row',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (indicator, camera_id)
COMMENT 'Where each camera belongs and when it is expected to be online';

DROP TABLE yangguang.raw_indicators {on_cluster};

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
    `assumption` String COMMENT 'What of it is a local assumption',
    `sql_where` String COMMENT 'Condition of the denominator',
    `sql_numerator` String COMMENT 'Condition of the numerator',
    `sql_unknown` String COMMENT 'Condition of the unknown',
    `parameters` Array(Tuple(name String, `from` Date, value Float64)) COMMENT 'Parameters of the conditions by the day from which they are valid, durations in seconds',
    `comparator` LowCardinality(String) COMMENT '>= or <=, empty where the indicator is shown only',
    `targets` Array(Tuple(`from` Date, value Float64)) COMMENT 'Targets by the day from which they are valid',
    `local_target` Bool COMMENT 'The target is a local setting, not the documents',
    `recoveries` Array(Tuple(`from` Date, value Float64)) COMMENT 'Recovery levels that are set, by the day from which they are valid',
    `deadline` Nullable(Date32) COMMENT 'Day until which the target is to be reached',
    `windows` Array(String) COMMENT 'Windows',
    `lengths` Array(UInt32) COMMENT 'Seconds of each window',
    `width` UInt32 COMMENT 'Seconds that one bucket covers, 0 for stock',
    `settle` UInt32 COMMENT 'Seconds that evidence needs to arrive',
    `silence` Tuple(seconds UInt32, from_hour UInt8, until_hour UInt8) COMMENT 'After how long, and between which hours, nothing to count is no data',
    `scopes` Array(String) COMMENT 'Scopes',
    `places` Array(Tuple(scope String, scope_id String)) COMMENT 'Every place of the scopes',
    `floors` Array(Tuple(`from` Date, value UInt32)) COMMENT 'Least samples by the day from which they are valid',
    `for_seconds` UInt32 COMMENT 'Seconds that a breach has to hold before the alert fires',
    `alert_windows` Array(String) COMMENT 'Windows that alerts are judged on',
    `definition` String COMMENT 'Latest version of the definition',
    `definition_from` Date COMMENT 'Day from which it is valid',
    `phases` Array(Tuple(`from` DateTime('UTC'), version String)) COMMENT 'Versions of the definition with what is configured, by the minute from which they are valid',
    `computed_as` String COMMENT 'Digest of the definition by which stored numbers have to be computed',
    `synced_at` DateTime64(6, 'UTC') COMMENT 'When the catalogue was written; the latest wins'
)
ENGINE = {replacing}(synced_at)
ORDER BY code
COMMENT 'The catalogue of indicators, written from the code and the configuration';

-- backward
ALTER TABLE yangguang.settings {on_cluster} DELETE WHERE startsWith(name, 'computed_as:') SETTINGS mutations_sync = 2;
DROP TABLE IF EXISTS yangguang.raw_indicators {on_cluster};
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
DROP TABLE IF EXISTS yangguang.camera_bindings {on_cluster};
DROP TABLE IF EXISTS yangguang.camera_hours {on_cluster};
DROP TABLE IF EXISTS yangguang.stock_spans {on_cluster};
DROP TABLE IF EXISTS yangguang.duty_timelines {on_cluster};
DROP TABLE IF EXISTS yangguang.village_timelines {on_cluster};
DROP TABLE IF EXISTS yangguang.order_hours {on_cluster};
CREATE TABLE yangguang.order_activity {on_cluster} (
    `operator_id` String COMMENT 'Operator',
    `minute` DateTime('UTC') COMMENT 'Minute of delivery, UTC',
    `spans` Array(Tuple(`from` DateTime('UTC'), `until` DateTime('UTC'))) COMMENT 'Minutes [from, until) at which an order of this minute counts as recent',
    `version` DateTime64(6, 'UTC') COMMENT 'When the row was recomputed; the latest wins'
)
ENGINE = {replacing}(version)
ORDER BY (operator_id, minute)
COMMENT 'When an operator had a recent order: each row a pure function of the raw orders of its minute';
DROP TABLE IF EXISTS yangguang.flow_hours {on_cluster};
DROP VIEW IF EXISTS yangguang.raw_measures_to_events {on_cluster};
DROP TABLE IF EXISTS yangguang.raw_measures {on_cluster};
CREATE TABLE yangguang.raw_events_whole {on_cluster} (
    `stream` LowCardinality(String) COMMENT 'Stream, which is also the Kafka topic',
    `type` LowCardinality(String) COMMENT 'Type of the event',
    `source` LowCardinality(String) COMMENT 'Producer of the event',
    `id` String COMMENT 'Id of the event, unique in its source',
    `time` DateTime64(6, 'UTC') COMMENT 'When the event became true, UTC',
    `digest` UInt64 COMMENT 'Digest of the content',
    `subject` String COMMENT 'Subject of the event, empty where none was given',
    `landed_at` DateTime64(6, 'UTC') COMMENT 'When the event was stored, UTC',
    `place` String COMMENT 'Minute (Unix seconds) or entity by which the event is kept and recomputed'
)
ENGINE = {replacing}(landed_at)
ORDER BY (type, source, id, time, digest)
SETTINGS index_granularity = 1024
COMMENT 'Index of accepted events by identity';
INSERT INTO yangguang.raw_events_whole SELECT * FROM yangguang.raw_events;
DROP TABLE IF EXISTS yangguang.raw_events {on_cluster};
RENAME TABLE yangguang.raw_events_whole TO yangguang.raw_events {on_cluster};
