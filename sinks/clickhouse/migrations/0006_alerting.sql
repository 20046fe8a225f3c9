-- What alerts are about beside a place, what held them back, and what people did about them.
-- forward
ALTER TABLE yangguang.alert_log {on_cluster}
    ADD COLUMN `subject` String COMMENT 'What the alert is about within its place: a stream, an indicator, a finding, a banquet, a camera, an operator; empty for rates',
    ADD COLUMN `inhibited_by` String COMMENT 'Alert of the city whose firing held the message of this transition back; empty where nothing did',
    ADD COLUMN `facts` String COMMENT 'What an event alert knows of its subject, JSON, no personal data';

CREATE TABLE yangguang.raw_alert_actions {on_cluster} (
    `action_id` String COMMENT 'Identity of the action',
    `alert_id` String COMMENT 'Alert that a person acted on; empty for a silence of several',
    `action` LowCardinality(String) COMMENT 'acknowledge, silence or unsilence',
    `by` String COMMENT 'Who acted',
    `why` String COMMENT 'Why',
    `matches` Map(String, String) COMMENT 'Columns of alerts and the values that a silence holds for; alert_id for one alert',
    `until` Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when a silence holds, UTC',
    `at` DateTime64(6, 'UTC') COMMENT 'When the person acted, UTC',
    `via` LowCardinality(String) COMMENT 'cli, api or link'
)
ENGINE = {replacing}(at)
ORDER BY action_id
COMMENT 'Acknowledgements and silences, each as it was made';

-- backward
DROP TABLE IF EXISTS yangguang.raw_alert_actions {on_cluster};
ALTER TABLE yangguang.alert_log {on_cluster} DROP COLUMN `subject`, DROP COLUMN `inhibited_by`, DROP COLUMN `facts`;
