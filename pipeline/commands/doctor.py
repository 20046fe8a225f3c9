"""`yangguang doctor`: is every part there and doing its work, and if not, what to do."""

import json
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import click
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.errors import AuthorizationError, KafkaError
from rich.console import Console
from rich.table import Table

from pipeline.settings import Settings, SettingsError, load_settings
from schemas.catalogue import LANDED_TOPIC
from sinks.clickhouse.address import Address
from sinks.clickhouse.client import brief, connect
from sinks.clickhouse.migrate import Migrator
from streams.kafka_access import KafkaAccessError, require_access
from streams.kafka_address import KafkaAddress
from streams.topics import WORKER_TOPICS, Offsets, group_members, wanted_topics

LATE: Final = timedelta(minutes=5)
LAG_SECONDS_OF_PEAK: Final = 10_000
DISK_FREE_BYTES: Final = 2 * 2**30


class Finding(NamedTuple):
    """What was found of one part: `advice` is empty where it is well."""

    part: str
    found: str
    advice: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check every part and say what to do. Status 1 if something needs doing."""
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([one._asdict() for one in findings], ensure_ascii=False, indent=2))
    else:
        table = Table(pad_edge=False)
        for heading in ("", "part", "found", "what to do"):
            table.add_column(heading)
        for one in findings:
            table.add_row("[red]✗[/]" if one.advice else "[green]✓[/]", one.part, one.found, one.advice)
        Console().print(table)
    sys.exit(1 if any(one.advice for one in findings) else 0)


def examine() -> Iterator[Finding]:
    """All findings, one after the other; what a part needs that is missing is not asked for again."""
    try:
        settings = load_settings()
        settings.configuration()
        settings.home.mkdir(parents=True, exist_ok=True)
        yield Finding("settings", f"home {settings.home}, clock {settings.clock}")
    except SettingsError as error:
        yield Finding("settings", "refused", str(error))
        return
    free = shutil.disk_usage(settings.home).free
    yield Finding(
        "disk",
        f"{free / 2**30:.1f} GiB free",
        "" if free > DISK_FREE_BYTES else "make room: Kafka and ClickHouse stop without",
    )
    for check in (_kafka, _clickhouse, _gateway):
        yield from check(settings)


def _kafka(settings: Settings) -> Iterator[Finding]:
    address = settings.kafka_address
    try:
        require_access(address)
        offsets = Offsets(address, settings.group)
        offsets.extents_now(LANDED_TOPIC)
    except KafkaAccessError as error:
        yield Finding("Kafka", f"no access to {address} ({address.described})", str(error))
        return
    except (KafkaError, OSError) as error:
        yield Finding(
            "Kafka",
            f"no answer at {address} ({address.described}; {type(error).__name__})",
            "run yangguang up, or set YANGGUANG_KAFKA",
        )
        return
    yield Finding("Kafka", f"answers at {address} ({address.described})")
    try:
        yield from _pipeline(address, settings.group, offsets)
    except AuthorizationError as error:
        yield Finding(
            "rights",
            f"Kafka does not answer everything to {address.principal} ({type(error).__name__})",
            "grant DESCRIBE on topics that begin with yangguang. and READ on groups that begin with "
            f"{settings.group}: docs/settings.md",
        )
    except KafkaError as error:
        yield Finding("Kafka", f"does not answer everything ({type(error).__name__})", "ask again in a moment")
    finally:
        offsets.close()


def _pipeline(address: KafkaAddress, group: str, offsets: Offsets) -> Iterator[Finding]:
    """What Kafka knows of topics, workers and lag. Raises KafkaError."""
    missing = [one.name for one in wanted_topics(1, 1) if not offsets.extents_now(one.name)]
    advice = "start a worker: it makes them" if missing else ""
    yield Finding("topics", f"missing: {', '.join(missing)}" if missing else "all there", advice)
    workers = group_members(address, group)
    yield Finding("workers", f"{len(workers)} in group {group}", "" if workers else "run yangguang worker")
    notifiers = group_members(address, f"{group}-notify")
    yield Finding("notifier", f"{len(notifiers)} running", "" if notifiers else "run yangguang notifier")
    if not missing:
        behind = {name: one.end - one.committed for name, one in offsets.positions_now(WORKER_TOPICS).items()}
        worst = max(behind, key=lambda name: behind[name])
        advice = "start more workers, or look into their logs" if behind[worst] > LAG_SECONDS_OF_PEAK else ""
        yield Finding("lag", f"{sum(behind.values())} records, most on {worst} ({behind[worst]})", advice)


def _clickhouse(settings: Settings) -> Iterator[Finding]:
    for address, advice in (
        (settings.writer, "run yangguang up, or check YANGGUANG_CLICKHOUSE and the writer's password"),
        (settings.analyst, "make the user analyst, or check YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD"),
    ):
        name = f"ClickHouse as {address.user}"
        try:
            client = connect(address, None)
            version = client.server_version
            client.close()
        except (ClickHouseError, OSError) as error:
            yield Finding(name, f"no answer at {address.url} ({brief(error)})", advice)
            return
        yield Finding(name, f"version {version} at {address.url}")
    yield from _database(settings, settings.writer)


def _database(settings: Settings, address: Address) -> Iterator[Finding]:
    client = connect(address, None)
    try:
        migrator = Migrator(client, settings.clickhouse_cluster)
        migrator.prepare()
        differences = migrator.check()
        found = f"differs from the code: {differences[0]}" if differences else "equals the code"
        yield Finding("database", found, "run yangguang migrate" if differences else "")
        if differences:
            return
        rows = client.query("SELECT min(watermark), count(), any(mode) FROM yangguang.watermarks FINAL").result_rows
        mark, count, mode = rows[0]
        if not count:
            yield Finding("watermark", "none yet", "" if settings.clock == "event" else "see whether a worker runs")
        else:
            behind = datetime.now(UTC) - mark
            late = mode == "wall" and behind > LATE
            yield Finding(
                "watermark",
                f"{mark:%Y-%m-%d %H:%M:%S} UTC"
                + (f", {behind.total_seconds():.0f} s behind" if mode == "wall" else ""),
                "see lag and the workers' logs: rates are stale" if late else "",
            )
        rejected = client.query(
            "SELECT count(), any(reason) FROM yangguang.rejected WHERE time > now() - INTERVAL 1 HOUR"
        ).result_rows[0]
        yield Finding("rejected", f"{rejected[0]} events in the last hour")
    finally:
        client.close()


def _gateway(settings: Settings) -> Iterator[Finding]:
    url = f"{settings.gateway_url}/readyz"
    own = ssl._create_unverified_context()  # its certificate is made out to the name that others call it by
    try:
        with urllib.request.urlopen(url, timeout=5, context=own):
            yield Finding("gateway", f"ready at {url.removesuffix('readyz')}")
    except urllib.error.HTTPError as error:
        missing = ", ".join(json.loads(error.read()).get("missing", ()))
        yield Finding("gateway", f"waits for {missing} (HTTP {error.code})", "see Kafka and ClickHouse above")
    except OSError:
        yield Finding("gateway", f"no answer at {url}", "run yangguang gateway, or set YANGGUANG_HTTP_PORT")
