"""`yangguang bench`: speed, measured as ratios against named peers in the same run."""

import click

try:
    from pipeline.bench import alerts_command, gateway_command, land, rates
except ModuleNotFoundError as error:
    raise click.ClickException(
        f"bench runs its own Kafka and ClickHouse and {error.name} is not installed: install yangguang[embedded]"
    ) from error


@click.group()
def bench() -> None:
    """Measure the pipeline against named peers in the same run."""


bench.add_command(land)
bench.add_command(rates)
bench.add_command(gateway_command)
bench.add_command(alerts_command)
