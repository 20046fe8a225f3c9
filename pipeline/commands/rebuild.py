"""`yangguang rebuild`: stored rates computed anew from the raw rows, while the pipeline runs."""

import asyncio
import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipeline.commands.arguments import Moment
from pipeline.counted_bar import counted_bar
from pipeline.settings import load_settings
from schemas.indicator import END
from schemas.indicators import CATALOGUE
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import Store, brief
from sinks.clickhouse.raw import DATABASE
from streams.rebuild import Rebuilder

_DIGESTS: Final = f"""SELECT indicator, toString(groupBitXor(row)) FROM (
    SELECT indicator, cityHash64(minute, town_code, platform, numerator, denominator, unknown) AS row
    FROM {DATABASE}.flow_minutes FINAL WHERE numerator + denominator > 0
    UNION ALL
    SELECT part.indicator, cityHash64(unit_id, span.from, span.until, span.town_code, span.platforms, part)
    FROM {DATABASE}.stock_spans FINAL ARRAY JOIN spans AS span ARRAY JOIN span.counts AS part
) GROUP BY indicator"""
"""What is stored of each indicator, in a few digits."""


@click.command()
@click.option("--indicator", "codes", multiple=True, type=click.Choice(list(CATALOGUE)), help="Only this; repeatable.")
@click.option("--from", "begin", type=Moment(), help="Only minutes from here on, such as 2026-11-01T00:00 (Shanghai).")
@click.option("--to", "end", type=Moment(), help="Only minutes before this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(codes: tuple[str, ...], begin: datetime | None, end: datetime | None, as_json: bool) -> None:
    """Compute stored rates anew from the raw rows, whole or by indicator and span, while the pipeline runs.

    What is computed is what the pipeline computes, so nothing should change; what did is said. Timelines of stock have
    no span and are always computed whole. Minutes whose raw rows were dropped stay as they are."""
    settings = load_settings()
    configuration = settings.configuration()
    catalogue = configuration.catalogue()
    rebuilder = functools.partial(
        Rebuilder, catalogue=catalogue, active_days=configuration.takeaway_active_days, codes=codes or None
    )
    chosen = [one for one in catalogue if not codes or one.code in codes]
    span = int(begin.timestamp()) if begin else 0, int(end.timestamp()) if end else END
    if span[0] >= span[1]:
        raise click.UsageError("--from should be before --to")
    bar = counted_bar(transient=False)
    try:
        with bar:
            before, after, seconds = asyncio.run(_run(bar, settings.writer, rebuilder, span, whole=not codes))
    except ClickHouseError as error:
        raise click.ClickException(
            f"ClickHouse refuses a step of the rebuild ({brief(error)}): run yangguang doctor; "
            "a rebuild can be begun again at any time"
        ) from error
    changed = [one.code for one in chosen if before.get(one.code) != after.get(one.code)]
    if as_json:
        click.echo(json.dumps({"indicators": [one.code for one in chosen], "changed": changed, "seconds": seconds}))
        return
    table = Table("indicator", "stored numbers", box=None, pad_edge=False)
    for one in chosen:
        table.add_row(one.code, "changed" if one.code in changed else "the same")
    Console().print(table)
    click.echo(f"rebuilt in {seconds:.1f} s")


async def _run(
    bar: Progress, address: Address, rebuilder: Callable[[Store], Rebuilder], span: tuple[int, int], *, whole: bool
) -> tuple[dict[str, str], dict[str, str], float]:
    store = await Store.open(address)
    started = datetime.now(UTC)
    try:
        before = await _digests(store)
        tasks: dict[str, Any] = {}
        async for step in rebuilder(store).run(*span, identities=whole):
            if step.what not in tasks:
                tasks[step.what] = bar.add_task(step.what, total=step.of)
            bar.update(tasks[step.what], completed=step.done)
        return before, await _digests(store), (datetime.now(UTC) - started).total_seconds()
    finally:
        await store.close()


async def _digests(store: Store) -> dict[str, str]:
    return {str(code): str(digest) for code, digest in await store.rows(_DIGESTS)}
