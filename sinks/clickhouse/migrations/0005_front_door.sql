-- What the front door knows of a refused event, who pushed it and through which vendor's mapping it came; and what came
-- of each source lately, accepted and refused, found by the time of arrival.
-- forward
ALTER TABLE yangguang.raw_rejected {on_cluster}
    ADD COLUMN IF NOT EXISTS `producer` LowCardinality(String) DEFAULT '' COMMENT 'Whose API key pushed it; empty where it came by Kafka directly' AFTER `type`,
    ADD COLUMN IF NOT EXISTS `vendor` LowCardinality(String) DEFAULT '' COMMENT 'The vendor mapping that it came through; empty where it was sent as an event' AFTER `producer`,
    ADD INDEX IF NOT EXISTS by_time `time` TYPE minmax GRANULARITY 1;
ALTER TABLE yangguang.raw_rejected {on_cluster} MATERIALIZE INDEX by_time;
ALTER TABLE yangguang.raw_cameras {on_cluster} ADD INDEX IF NOT EXISTS by_arrival landed_at TYPE minmax GRANULARITY 1;
ALTER TABLE yangguang.raw_cameras {on_cluster} MATERIALIZE INDEX by_arrival;
ALTER TABLE yangguang.raw_orders {on_cluster} ADD INDEX IF NOT EXISTS by_arrival landed_at TYPE minmax GRANULARITY 1;
ALTER TABLE yangguang.raw_orders {on_cluster} MATERIALIZE INDEX by_arrival;

-- backward
ALTER TABLE yangguang.raw_orders {on_cluster} DROP INDEX IF EXISTS by_arrival;
ALTER TABLE yangguang.raw_cameras {on_cluster} DROP INDEX IF EXISTS by_arrival;
ALTER TABLE yangguang.raw_rejected {on_cluster}
    DROP INDEX IF EXISTS by_time,
    DROP COLUMN IF EXISTS `producer`,
    DROP COLUMN IF EXISTS `vendor`;
