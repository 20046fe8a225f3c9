-- What the alert stage remembers: the states it reached minute by minute, and what was delivered.
-- forward
CREATE TABLE yangguang.alert_log {on_cluster} (
    `alert_id` String COMMENT 'Identity of the alert; empty on the row that closes a minute',
    `transition_id` String COMMENT 'Identity of the transition, the same on re-evaluation; empty where the state only went on',
    `kind` LowCardinality(String) COMMENT 'rate, condition or event',
    `indicator` LowCardinality(String) COMMENT 'Code of the indicator, condition or event',
    `scope` LowCardinality(String) COMMENT 'city, town or platform',
    `scope_id` LowCardinality(String) COMMENT 'Code of the scope',
    `window` LowCardinality(String) COMMENT 'Window',
    `from_state` LowCardinality(String) COMMENT 'State before',
    `to_state` LowCardinality(String) COMMENT 'State after',
    `since` DateTime64(6, 'UTC') COMMENT 'Minute at which the state was entered, UTC',
    `held` UInt32 COMMENT 'Minutes for which the condition of the next transition has held',
    `as_of` DateTime64(6, 'UTC') COMMENT 'Minute that was evaluated, UTC',
    `recorded_at` DateTime64(6, 'UTC') COMMENT 'When the row was written, UTC',
    `numerator` UInt64 COMMENT 'Units in the numerator',
    `denominator` UInt64 COMMENT 'Units in the denominator',
    `unknown` UInt64 COMMENT 'Units of which too little is known',
    `rate` Nullable(Float64) COMMENT 'Rate, or number for a count',
    `target` Nullable(Float64) COMMENT 'Target that was valid',
    `worst` Array(Tuple(`scope` String, `scope_id` String, `name` String, `numerator` UInt64, `denominator` UInt64, `rate` Float64)) COMMENT 'The worst places below the scope',
    `reason` String COMMENT 'Why the state changed',
    `step` UInt8 COMMENT 'Order within the minute; 9 where the state only went on'
)
ENGINE = {replacing}(recorded_at)
ORDER BY (as_of, alert_id, indicator, step)
COMMENT 'States and transitions of alerts by the minute that was evaluated';

CREATE TABLE yangguang.raw_alert_deliveries {on_cluster} (
    `transition_id` String COMMENT 'Transition that was delivered',
    `channel` LowCardinality(String) COMMENT 'Name of the channel',
    `attempt` UInt32 COMMENT 'Number of the attempt, from 1',
    `outcome` LowCardinality(String) COMMENT 'delivered, refused or failed',
    `detail` String COMMENT 'What the channel answered',
    `at` DateTime64(6, 'UTC') COMMENT 'When the attempt ended, UTC'
)
ENGINE = {replacing}(at)
ORDER BY (transition_id, channel, attempt)
COMMENT 'Every attempt to deliver a transition';

CREATE TABLE yangguang.alert_actions {on_cluster} (
    `alert_id` String COMMENT 'Alert that a person acted on',
    `acknowledged_by` String COMMENT 'Who acknowledged it, empty where nobody did',
    `silenced_until` Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it is silenced, UTC',
    `at` DateTime64(6, 'UTC') COMMENT 'When the person acted; the latest wins'
)
ENGINE = {replacing}(at)
ORDER BY alert_id
COMMENT 'Acknowledgements and silences';

-- backward
DROP TABLE IF EXISTS yangguang.alert_actions {on_cluster};
DROP TABLE IF EXISTS yangguang.raw_alert_deliveries {on_cluster};
DROP TABLE IF EXISTS yangguang.alert_log {on_cluster};
