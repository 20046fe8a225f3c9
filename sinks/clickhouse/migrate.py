"""Bringing the database to the shape that the code expects, and checking that it has it.

Tables come from numbered files with a forward and a backward part, applied once each and recorded. Views hold no data,
so they are not numbered: they are made anew from the code whenever their text differs from what was last applied.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.catalogue import MODELS
from schemas.columns import LANDED_AT, table_columns
from schemas.indicator import Indicator
from schemas.indicators import INDICATORS
from sinks.clickhouse.raw import DATABASE, raw_table
from sinks.clickhouse.views import views

_RECORD: Final = f"""CREATE TABLE IF NOT EXISTS {DATABASE}.schema_migrations {{on_cluster}} (
    `name` String COMMENT 'Migration, or view',
    `digest` String COMMENT 'Digest of its text',
    `applied` Bool COMMENT 'false after it was taken back',
    `at` DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When; the latest wins'
)
ENGINE = {{replacing}}(at)
ORDER BY name
COMMENT 'Migrations and views that were applied'"""


class Migration(NamedTuple):
    """One numbered file: statements that lead forward, and those that lead back."""

    name: str
    forward: tuple[str, ...]
    backward: tuple[str, ...]


class Step(NamedTuple):
    """One thing that `plan` found to do: `statements` in their order, then the record."""

    name: str
    direction: str
    statements: tuple[str, ...]
    digest: str


def load_migrations() -> list[Migration]:
    """All migrations in the order of their numbers."""
    folder = files("sinks.clickhouse").joinpath("migrations")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return [_parse(entry.name[:-4], entry.read_text(encoding="utf-8")) for entry in sorted(found, key=lambda e: e.name)]


def _parse(name: str, text: str) -> Migration:
    forward, backward = text.split("-- forward\n", 1)[1].split("-- backward\n", 1)
    return Migration(name, _statements(forward), _statements(backward))


def _statements(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip())


def _digest(statements: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


class Migrator:
    """Plans and applies.

    :param client: a client of the writer, connected to no database.
    :param cluster: name of a ClickHouse cluster, for Replicated engines and ON CLUSTER; empty for one server.
    :param catalogue: indicators with the configuration applied, from which the views of rates are made.
    """

    def __init__(self, client: Client, cluster: str = "", catalogue: Sequence[Indicator] = INDICATORS) -> None:
        self._client = client
        self._catalogue = catalogue
        self._words = {
            "on_cluster": f"ON CLUSTER '{cluster}'" if cluster else "",
            "replacing": "ReplicatedReplacingMergeTree" if cluster else "ReplacingMergeTree",
        }

    def _run(self, statement: str) -> None:
        for word, value in self._words.items():
            statement = statement.replace("{" + word + "}", value)
        self._client.command(statement)

    def prepare(self) -> None:
        """Makes the database and the record of migrations, where they are missing."""
        self._run(f"CREATE DATABASE IF NOT EXISTS {DATABASE} {{on_cluster}}")
        self._run(_RECORD)

    def applied(self) -> dict[str, str]:
        """Names and digests of what is applied."""
        rows = self._client.query(
            f"SELECT name, digest FROM {DATABASE}.schema_migrations FINAL WHERE applied"
        ).result_rows
        return {str(name): str(digest) for name, digest in rows}

    def plan(self, to: str | None = None) -> list[Step]:
        """What is to be done to reach migration `to` (a name or its number; None: the newest; `0`: nothing).

        Raises ValueError for a name that no file has, and for an applied file whose text has changed since."""
        applied = self.applied()
        migrations = load_migrations()
        end = len(migrations) if to is None else self._index(migrations, to)
        steps: list[Step] = []
        for migration in migrations[:end]:
            digest = _digest(migration.forward)
            if migration.name not in applied:
                steps.append(Step(migration.name, "forward", migration.forward, digest))
            elif applied[migration.name] != digest:
                raise ValueError(
                    f"migration {migration.name} was applied with other text than it has now: restore the file and put "
                    "the change into a new migration"
                )
        back = [migration for migration in migrations[end:] if migration.name in applied]
        wanted = views(self._catalogue) if end == len(migrations) else {}
        dropped = [name for name in applied if name.startswith("view:") and name[5:] not in wanted]
        steps += [
            Step(name, "backward", (f"DROP VIEW IF EXISTS {DATABASE}.{name[5:]} {{on_cluster}}",), "")
            for name in dropped
        ]
        steps += [Step(one.name, "backward", one.backward, "") for one in reversed(back)]
        for name, statement in wanted.items():
            if applied.get(f"view:{name}") != _digest([statement]):
                steps.append(Step(f"view:{name}", "forward", (statement,), _digest([statement])))
        return steps

    @staticmethod
    def _index(migrations: list[Migration], to: str) -> int:
        if to.strip("0") == "":
            return 0
        for position, migration in enumerate(migrations, 1):
            if to in (migration.name, migration.name.split("_")[0], migration.name.split("_")[0].lstrip("0")):
                return position
        raise ValueError(f"there is no migration {to}: the newest is {migrations[-1].name}")

    def apply(self, steps: Iterable[Step]) -> None:
        """Carries out the steps, recording each when it is done."""
        for step in steps:
            for statement in step.statements:
                self._run(statement)
            self._client.insert(
                f"{DATABASE}.schema_migrations",
                [[step.name, step.digest, step.direction == "forward"]],
                column_names=["name", "digest", "applied"],
            )

    def check(self) -> list[str]:
        """In what the database differs from the code, one sentence each; empty where they are equal."""
        found: dict[str, dict[str, str]] = {}
        for table, name, kind in self._client.query(
            f"SELECT table, name, type FROM system.columns WHERE database = '{DATABASE}'"
        ).result_rows:
            found.setdefault(str(table), {})[str(name)] = str(kind)
        differences = [f"{step.name} is not applied ({step.direction}): run yangguang migrate" for step in self.plan()]
        for model in MODELS:
            table = raw_table(model).removeprefix(f"{DATABASE}.")
            expected = {one.name: one.type for one in (*table_columns(model), LANDED_AT)} | {"digest": "UInt64"}
            actual = found.get(table, {})
            for name in sorted(expected.keys() | actual.keys()):
                wanted, is_now = expected.get(name, "absent"), actual.get(name, "absent")
                if wanted.replace("`", "") != is_now.replace("`", ""):
                    differences.append(f"{table}.{name} is {is_now} and should be {wanted}: add a migration")
        return differences
