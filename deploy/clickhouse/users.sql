-- The two users for a server that is administered by SQL; elsewhere users.xml says the same. Run it as an administrator:
--     clickhouse-client --multiquery < deploy/clickhouse/users.sql
-- Nobody can log in as them until an administrator gives each a password and lets it in (deploy/README.md).
-- On a cluster add ON CLUSTER to every statement.

CREATE SETTINGS PROFILE IF NOT EXISTS yangguang_analyst SETTINGS
    readonly = 2 CONST,
    max_execution_time = 300 MIN 1 MAX 300,
    max_memory_usage = 4000000000 MIN 1 MAX 4000000000,
    allow_introspection_functions = 0 CONST;

CREATE ROLE IF NOT EXISTS yangguang_writer;
GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE ON yangguang.* TO yangguang_writer;

CREATE ROLE IF NOT EXISTS yangguang_analyst;
GRANT SELECT ON yangguang.rates_now TO yangguang_analyst;
GRANT SELECT ON yangguang.rates_history TO yangguang_analyst;
GRANT SELECT ON yangguang.rate_between TO yangguang_analyst;
GRANT SELECT ON yangguang.why TO yangguang_analyst;
GRANT SELECT ON yangguang.operators TO yangguang_analyst;
GRANT SELECT ON yangguang.villages TO yangguang_analyst;
GRANT SELECT ON yangguang.measures TO yangguang_analyst;
GRANT SELECT ON yangguang.kitchens TO yangguang_analyst;
GRANT SELECT ON yangguang.cameras TO yangguang_analyst;
GRANT SELECT ON yangguang.findings TO yangguang_analyst;
GRANT SELECT ON yangguang.banquets TO yangguang_analyst;
GRANT SELECT ON yangguang.orders TO yangguang_analyst;
GRANT SELECT ON yangguang.order_conflicts TO yangguang_analyst;
GRANT SELECT ON yangguang.events TO yangguang_analyst;
GRANT SELECT ON yangguang.rejected TO yangguang_analyst;
GRANT SELECT ON yangguang.rejected_summary TO yangguang_analyst;
GRANT SELECT ON yangguang.alerts TO yangguang_analyst;
GRANT SELECT ON yangguang.alert_transitions TO yangguang_analyst;
GRANT SELECT ON yangguang.acknowledgements TO yangguang_analyst;
GRANT SELECT ON yangguang.alert_deliveries TO yangguang_analyst;
GRANT SELECT ON yangguang.indicators TO yangguang_analyst;
GRANT SELECT ON yangguang.towns TO yangguang_analyst;

CREATE USER IF NOT EXISTS writer NOT IDENTIFIED HOST NONE;
GRANT yangguang_writer TO writer;
CREATE USER IF NOT EXISTS analyst NOT IDENTIFIED HOST NONE SETTINGS PROFILE 'yangguang_analyst';
GRANT yangguang_analyst TO analyst;
