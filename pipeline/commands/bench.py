"""`yangguang bench`: speed, measured as ratios against named peers in the same run."""

import click

from pipeline.bench import land


@click.group()
def bench() -> None:
    """Measure the pipeline against named peers in the same run."""


bench.add_command(land)
