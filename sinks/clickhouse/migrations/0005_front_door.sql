-- What the front door knows of a refused event: who pushed it, and through which vendor's mapping it came.
-- forward
ALTER TABLE yangguang.raw_rejected {on_cluster}
    ADD COLUMN IF NOT EXISTS `producer` LowCardinality(String) DEFAULT '' COMMENT 'Whose API key pushed it; empty where it came by Kafka directly' AFTER `type`,
    ADD COLUMN IF NOT EXISTS `vendor` LowCardinality(String) DEFAULT '' COMMENT 'The vendor mapping that it came through; empty where it was sent as an event' AFTER `producer`;

-- backward
ALTER TABLE yangguang.raw_rejected {on_cluster}
    DROP COLUMN IF EXISTS `producer`,
    DROP COLUMN IF EXISTS `vendor`;
