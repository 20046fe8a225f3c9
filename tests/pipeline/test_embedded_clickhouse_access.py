"""The analyst reads the public views of `yangguang` and reaches nothing else, by whatever road."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline.embedded_clickhouse import WRITER, Server

# A table that only the writer knows, and two public views on it.
SCHEMA = (
    "CREATE TABLE yangguang.raw_orders (a Int32, s String) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO yangguang.raw_orders VALUES (1, 'x')",
    "CREATE VIEW yangguang.orders AS SELECT * FROM yangguang.raw_orders",
    "CREATE VIEW yangguang.rate_between AS SELECT * FROM yangguang.raw_orders WHERE a = {x:Int32}",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    for statement in SCHEMA:
        assert running.write(statement).status == 200
    yield running
    running.kill()


ALLOWED = [
    "select * from orders",
    "select * from yangguang.orders settings max_threads=1",
    "select * from rate_between(x=1)",
    "with t as (select 1 as a) select * from t",
    "show tables",
    "show databases",
    "describe orders",
    "describe table yangguang.orders",
    "show create table orders",
    "exists table orders",
    "explain select * from orders",
    "explain syntax select 1",
    "show columns from orders",
    "show functions like 'sum'",
    "select name from system.tables where database='yangguang'",
    "select * from system.databases",
    "select count() from system.columns",
    "select * from information_schema.tables",
    "select table_name from INFORMATION_SCHEMA.columns",
    "select number from numbers(3)",
    "select * from system.one",
    "select arrayMap(x->x+1,[1])",
    "select columns('a') apply sum from orders",
    "select formatDateTime(now(),'%Y')",
    "select * from system.numbers limit 1",
    "select * from orders format JSON",
    "select 1 settings output_format_json_quote_64bit_integers=1",
    "select timezone(), version(), currentDatabase()",
    "select format('{}','a')",
    "select count() from orders o join orders p on o.a=p.a",
    "show settings like 'max_threads'",
    "select * from values('a int',1)",
    "select toString(1) as file",
    "explain pipeline select 1",
    "select count() from system.settings",
    "select 1 limit 1 settings session_timezone='Asia/Shanghai'",
    "select * from orders where a in (select a from orders)",
    "select case s when 'x' then 1 else 2 end from orders",
    "select 1 where 1 in (1,2)",
    "select hostName()",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_the_analyst_may(server: Server, sql: str) -> None:
    answer = server.request(sql)
    assert answer.status == 200, answer.text


REFUSED = [
    "insert into yangguang.raw_orders values (2,'y')",
    "create table yangguang.x (a int) engine=Memory",
    "drop table yangguang.raw_orders",
    "alter table yangguang.raw_orders delete where 1",
    "truncate table yangguang.raw_orders",
    "optimize table yangguang.raw_orders",
    "rename table yangguang.raw_orders to yangguang.b",
    "set max_threads=1",
    "use system",
    "create temporary table t (a int)",
    "kill query where 1",
    "system jemalloc purge",
    "system shutdown",
    "select * from raw_orders",
    "select * from yangguang.raw_orders",
    "select * from (select * from yangguang.raw_orders)",
    "select (select count() from yangguang.raw_orders)",
    "select 1 in yangguang.raw_orders",
    "select * from merge(yangguang,'raw.*')",
    "select * from merge('yangguang','.*')",
    "select * from view(select * from yangguang.raw_orders)",
    "select * from file('/etc/passwd','LineAsString')",
    "select file('/etc/passwd')",
    "select File('/etc/passwd')",
    "select arrayMap(file,['/etc/passwd'])",
    "select arrayMap(x->file(x),['/etc/passwd'])",
    "with x->file(x) as f select f('/etc/passwd')",
    "select columns('dummy') apply file from system.one",
    "select * apply (x -> file('/etc/passwd')) from system.one",
    "explain select * apply file from system.one",
    "explain query tree select file('/etc/passwd')",
    "explain syntax run_query_tree_passes=1 select file('/etc/passwd')",
    "describe (select file('/etc/passwd'))",
    "describe (select * apply file from system.one)",
    "describe file('/etc/passwd','LineAsString')",
    "select * from url('http://127.0.0.1:1/','CSV','a String')",
    "select * from remote('127.0.0.1','system.one')",
    "select * from remoteSecure('127.0.0.1','system.one')",
    "select * from s3('http://127.0.0.1:1/a')",
    "select * from mysql('127.0.0.1:1','a','b','c','d')",
    "select * from postgresql('127.0.0.1:1','a','b','c','d')",
    "select * from cluster('default','system.one')",
    "select * from clusterAllReplicas('default','system.one')",
    "select * from input('a int')",
    "select * from executable('a.sh','CSV','a String')",
    "select * from python('x')",
    "select * from dictionary('x')",
    "select dictGet('x','y',1)",
    "select joinGet('yangguang.raw_orders','a',1)",
    "select * from yangguang.orders into outfile '/nowhere/a'",
    "select 1 settings readonly=0",
    "select 1 settings max_memory_usage=0",
    "select 1 settings max_memory_usage=100000000000",
    "select 1 settings max_execution_time=0",
    "select 1 settings max_threads=default",
    "select 1 settings max_threads=64",
    "select 1 settings allow_introspection_functions=1",
    "select 1 settings allow_experimental_database_iceberg=1",
    "select 1 settings profile='default'",
    "select (select 1 settings max_memory_usage=0)",
    "select 1 settings param_x='a'",
    "explain select 1 settings readonly=0",
    "select * from system.query_log",
    "select * from system.processes",
    "select * from system.users",
    "select * from system.settings_profiles",
    "select * from system.grants",
    "select * from `system`.`processes`",
    "select * from SYSTEM.processes",
    "select 1 in system.processes",
    "select * from system.stack_trace",
    "select * from system.server_settings",
    "select * from system.parts",
    "show processlist",
    "show users",
    "show grants",
    "show access",
    "show profiles",
    "show quotas",
    "select 1; select 2",
    "select 1; drop table yangguang.raw_orders",
    "select reverseDNSQuery('localhost')",
    "select addressToLine(1)",
    "select aiGenerate('x')",
    "select AIGenerate('x')",
    "select * from default.`/etc/passwd`",
    "select * from null('a int')",
    "select * from loop(yangguang.orders)",
    "select * from generateRandom('a int') limit 1",
    "select * from format(CSV,'1')",
    "backup database yangguang to file('/nowhere/b')",
    "grant select on *.* to analyst",
    "set role writer",
    "execute as default select 1",
    "begin transaction",
    "attach table x",
    "detach table yangguang.orders",
    "exchange tables yangguang.orders and yangguang.raw_orders",
    "create function f as x->x",
    "create user u",
    "select hasColumnInTable('yangguang','raw_orders','a')",
    "select 1 parallel with select 2",
    "check table yangguang.raw_orders",
    "select * from icebergLocal('/etc')",
    "select * from sqlite('/nowhere/a.db','t')",
    "select * from odbc('x','y')",
    "select * from mergeTreeIndex(yangguang,raw_orders)",
    "select getServerSetting('max_server_memory_usage')",
    "show create table yangguang.raw_orders",
    "describe yangguang.raw_orders",
    "exists table yangguang.raw_orders",
    "explain select * from yangguang.raw_orders",
    "select naiveBayesClassifier('a','b')",
    "select catboostEvaluate('/etc/passwd',1)",
    "select * from fuzzQuery('select 1')",
    "select * from eval('select 1')",
    "select * from viewIfPermitted(select * from yangguang.raw_orders else null('a int'))",
    "select * from viewExplain('EXPLAIN','',(select 1))",
    "select * from system.view_refreshes",
    "select generateSerialID('x')",
    "select * from prometheusQuery('a','b','c')",
    "select * from information_schema.tables settings readonly=0",
    "select 1 format Template settings format_template_resultset='/etc/passwd'",
    "select 1 format Protobuf settings format_schema='/etc/passwd:A'",
    "undrop table yangguang.x",
    "delete from yangguang.raw_orders where 1",
    "update yangguang.raw_orders set s='a' where 1",
    "create view yangguang.vv as select 1",
    "create database x",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_the_analyst_may_not(server: Server, sql: str) -> None:
    answer = server.request(sql)
    assert answer.status in (400, 403, 500), answer.text
    code = answer.headers["X-ClickHouse-Exception-Code"]
    # Refused, not merely failed: access denied, constrained setting, several statements.
    assert code in ("497", "452") or "Multi-statements" in answer.text, answer.text
    assert server.write("SELECT count() FROM yangguang.raw_orders").body == b"1\n"


@pytest.mark.parametrize(
    "setting",
    [
        ("readonly", "0"),
        ("max_memory_usage", "0"),
        ("max_memory_usage", "99999999999"),
        ("max_execution_time", "0"),
        ("max_threads", "999"),
        ("profile", "default"),
        ("allow_ddl", "1"),
        ("allow_introspection_functions", "1"),
        ("additional_table_filters", "{}"),
        ("format_schema", "/etc/passwd"),
        ("role_that_is_none", "1"),
    ],
)
def test_the_analysts_settings_do_not_lift_limits(server: Server, setting: tuple[str, str]) -> None:
    params: dict[str, Any] = {setting[0]: setting[1]}
    answer = server.request("SELECT 1", **params)
    assert answer.headers["X-ClickHouse-Exception-Code"] == "452"


def test_a_role_or_database_in_the_request_changes_nothing(server: Server) -> None:
    assert server.request("SELECT currentRoles()", role="writer").body == b"['analyst']\n"
    assert server.request("SELECT currentDatabase()", database="default").body == b"yangguang\n"
    assert server.request("SELECT * FROM processes", database="system").status == 403


def test_identifiers_given_as_parameters_are_judged_too(server: Server) -> None:
    sql = "SELECT * FROM {d:Identifier}.{t:Identifier}"
    assert server.request(sql, param_d="yangguang", param_t="orders").body == b"1\tx\n"
    for database, table in (("system", "processes"), ("yangguang", "raw_orders"), ("s\\x79stem", "processes")):
        assert server.request(sql, param_d=database, param_t=table).status == 403
    # What was allowed with one parameter is judged again with another.
    one = "SELECT * FROM system.{t:Identifier} LIMIT 1"
    assert server.request(one, param_t="one").status == 200
    assert server.request(one, param_t="processes").status == 403


def test_a_files_name_is_no_tables_name(server: Server) -> None:
    for name in ("`/etc/passwd`", "yangguang.`/etc/passwd`", "default.`/etc/passwd`"):
        answer = server.request(f"SELECT * FROM {name}")
        assert answer.status in (403, 404)
        assert "root:" not in answer.text


def test_metadata_shows_an_analyst_only_his_names(server: Server) -> None:
    for sql in (
        "SELECT * FROM system.tables",
        "SELECT * FROM system.columns",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.columns",
        "SHOW TABLES FROM yangguang",
        "SHOW COLUMNS FROM yangguang.raw_orders",
    ):
        names = server.request(f"{sql}", default_format="JSONEachRow").text
        assert '"raw_orders"' not in names
    assert server.request("SHOW TABLES").body == b"orders\nrate_between\n"


# -- who is who ---------------------------------------------------------------------------------------------------


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_all_ways_to_name_the_user_work(server: Server) -> None:
    password = WRITER["X-ClickHouse-Key"]
    who = "SELECT currentRoles()"
    assert server.request(who, headers=WRITER).body == b"['writer']\n"
    assert server.request(who, headers=basic("writer", password)).body == b"['writer']\n"
    assert server.request(who, user="writer", password=password).body == b"['writer']\n"
    for headers in ({}, basic("default", ""), basic("analyst", ""), {"X-ClickHouse-User": "analyst"}):
        assert server.request(who, headers=headers).body == b"['analyst']\n"


def test_wrong_names_and_passwords_are_told_alike(server: Server) -> None:
    for headers in (basic("writer", "wrong"), basic("nobody", "wrong"), {"Authorization": "Bearer x"}):
        answer = server.request("SELECT 1", headers=headers)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    answer = server.request("SELECT 1", headers=basic("writer", ""))
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (401, "194")


def test_a_foreign_host_name_is_refused_while_no_password_protects_the_data(server: Server) -> None:
    assert server.request("SELECT 1", headers={"Host": "evil.example:8123"}).status == 403
    for name in ("localhost", f"127.0.0.1:{server.port}", f"[::1]:{server.port}"):
        assert server.request("SELECT 1", headers={"Host": name}).status == 200


def test_the_analysts_password_is_asked_for_when_it_is_set(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("clickhouse") / "data", analyst_password="analyst-secret")
    assert server.request("SELECT 1").status == 401
    assert server.request("SELECT 1", headers=basic("analyst", "wrong")).status == 403
    assert server.request("SELECT 1", headers=basic("default", "analyst-secret")).status == 200
    assert (
        server.request("SELECT 1", headers={"Host": "db.example", **basic("analyst", "analyst-secret")}).status == 200
    )
    server.kill()
