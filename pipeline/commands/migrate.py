"""`yangguang migrate`: the database's shape, forward and back."""

import time

import click
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.settings import Settings, load_settings
from sinks.clickhouse.catalogue import sync_catalogue
from sinks.clickhouse.client import Fault, brief, connect, fault
from sinks.clickhouse.migrate import Migrator

PATIENCE_SECONDS = 60.0


def writer_client(settings: Settings, patience: float = PATIENCE_SECONDS, database: str | None = None) -> Client:
    """A client of the writer; ClickHouse is waited for. Raises click.ClickException after `patience` seconds."""
    deadline = time.monotonic() + patience
    address = settings.writer
    while True:
        try:
            return connect(address, database)
        except (ClickHouseError, OSError) as error:
            if fault(error) is not Fault.TRANSIENT or time.monotonic() > deadline:
                raise click.ClickException(
                    f"ClickHouse at {address.url} does not take us ({brief(error)}): "
                    "check YANGGUANG_CLICKHOUSE and the writer's password, or start it"
                ) from error
        time.sleep(0.3)


def prepare_database(settings: Settings) -> list[str]:
    """Applies what is missing, writes the catalogue, and returns the names of what was applied."""
    client = writer_client(settings)
    migrator = Migrator(client, settings.clickhouse_cluster, settings.configuration().catalogue())
    migrator.prepare()
    steps = migrator.plan()
    migrator.apply(steps)
    sync_catalogue(client, settings.configuration().catalogue())
    client.close()
    return [step.name for step in steps]


@click.command()
@click.option("--to", help="Migration to go to, forward or back: a number, a name, or 0 for an empty database.")
@click.option("--dry-run", is_flag=True, help="Print the statements and change nothing.")
@click.option("--check", is_flag=True, help="Only compare the database with the code.")
@click.option("--yes", is_flag=True, help="Go back without asking: it deletes tables and what is in them.")
def migrate(to: str | None, dry_run: bool, check: bool, yes: bool) -> None:
    """Bring the database to the shape of the code: numbered migrations, then views, then the catalogue."""
    settings = load_settings()
    client = writer_client(settings)
    migrator = Migrator(client, settings.clickhouse_cluster, settings.configuration().catalogue())
    try:
        migrator.prepare()
        if check:
            differences = migrator.check()
            for one in differences:
                click.echo(one)
            if differences:
                raise click.ClickException(f"the database differs from the code in {len(differences)} places")
            click.echo("the database equals the code")
            return
        steps = migrator.plan(to)
        if dry_run:
            for step in steps:
                click.echo(f"-- {step.name} ({step.direction})\n" + ";\n".join(step.statements) + ";\n")
            return
        lost = [step.name for step in steps if step.direction == "backward" and not step.name.startswith("view:")]
        if lost and not yes:
            click.confirm(f"This deletes the tables of {', '.join(lost)} and what is in them. Go on?", abort=True)
        for step in steps:
            migrator.apply([step])
            click.echo(f"{step.name}: {step.direction}")
        if to is None:
            sync_catalogue(client, settings.configuration().catalogue())
            click.echo("the catalogue of indicators is written")
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except ClickHouseError as error:
        raise click.ClickException(f"ClickHouse refuses a statement ({brief(error)}): {str(error)[:300]}") from error
