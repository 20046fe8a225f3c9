"""`yangguang vendor`: mappings of vendors' own messages, tried before anything is sent."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from pipeline.commands.tables import cell, paper, printable
from pipeline.gateway.items import NotEventsError
from pipeline.settings import SettingsError, load_settings
from pipeline.vendors import Vendor, load_vendors
from pipeline.vendors.dry_run import Made, Tried, messages, tried
from pipeline.vendors.load import load_devices, load_mapping, load_vendor, shipped_names, shipped_text
from pipeline.vendors.mapping import read_mapping
from schemas.event import latest_acceptable

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_MAPPING_OPTION: Final = "--mapping"


@click.group()
def vendor() -> None:
    """Vendors' own formats: what a mapping makes of a message."""


@vendor.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--vendor", "name", metavar="NAME", help="A vendor of yangguang.toml; may be left out if it has one.")
@click.option(_MAPPING_OPTION, metavar="PATH", help="A mapping instead: a .toml file, or the name of a shipped one.")
@click.option("--devices", type=click.Path(dir_okay=False, path_type=Path), help="The table of devices for --mapping.")
@_as_json
def test(file: str, name: str | None, mapping: str | None, devices: Path | None, as_json: bool) -> None:
    """Show what would become of the messages in FILE (- for standard input), without sending anything.

    FILE has one message as JSON, a JSON array of messages, or one message a line. Status 1 if anything is refused."""
    chosen = _chosen(name, mapping, devices)
    latest = latest_acceptable(datetime.now(UTC))
    with click.open_file(file, "rb") as stream:
        body = stream.read()
    try:
        found = [tried(chosen, raw, latest) for raw in messages(body)]
    except NotEventsError:
        raise click.ClickException(f"{file} has no message: write one as JSON, an array, or one a line") from None
    if as_json:
        click.echo(json.dumps([_as_object(*one) for one in enumerate(found, 1)], ensure_ascii=False, indent=2))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    if any(one.refused for one in found):
        raise SystemExit(1)


@vendor.command("list")
@_as_json
def list_vendors(as_json: bool) -> None:
    """List the vendors of yangguang.toml and the mappings that come with the project."""
    configured = [_row(name, one) for name, one in load_vendors(load_settings()).items()]
    shipped = [_shipped_row(name) for name in shipped_names()]
    if as_json:
        click.echo(json.dumps({"configured": configured, "shipped": shipped}, ensure_ascii=False, indent=2))
        return
    table = Table(pad_edge=False)
    for heading in ("", "name", "verified", "devices", "what"):
        table.add_column(heading, no_wrap=heading != "what")
    for kind, rows in (("vendor", configured), ("shipped", shipped)):
        for row in rows:
            known = str(row["devices"]) if "devices" in row else ""
            verified = "yes" if row["verified"] else "no"
            table.add_row(kind, cell(row["name"]), verified, known, cell(row["description"]))
    paper().print(table)


@vendor.command()
@click.argument("name", type=click.Choice(shipped_names()))
def show(name: str) -> None:
    """Print the shipped mapping NAME, to begin one of your own with."""
    click.echo(shipped_text(name), nl=False)


def _chosen(name: str | None, mapping: str | None, devices: Path | None) -> Vendor:
    if mapping is not None:
        if name is not None:
            raise click.UsageError(f"--vendor and {_MAPPING_OPTION} exclude each other: keep one")
        read = load_mapping(mapping, Path(), _MAPPING_OPTION)
        if read.needs_devices and devices is None:
            raise click.UsageError("the mapping asks $device whose a device is: add --devices devices.csv")
        table = None if devices is None else load_devices(devices, "--devices")
        return Vendor(Path(mapping).stem, read, table)
    if devices is not None:
        raise click.UsageError(f"--devices belongs to {_MAPPING_OPTION}: yangguang.toml names a vendor's table")
    settings = load_settings()
    configured = settings.configuration().vendor
    if name is None:
        if len(configured) != 1:
            known = f"--vendor with one of {', '.join(configured)}, or " if configured else ""
            raise click.UsageError(f"which mapping? Add {known}{_MAPPING_OPTION} with a file or a shipped mapping")
        (name,) = configured
    if name not in configured:
        raise SettingsError(f"{settings.config} names no vendor {name}: use {', '.join(configured) or _MAPPING_OPTION}")
    return load_vendor(name, configured[name], settings.config)


def _row(name: str, one: Vendor) -> dict[str, Any]:
    mapping = one.mapping
    return {
        "name": name,
        "verified": mapping.verified,
        "devices": len(one.devices),
        "description": mapping.description,
        "sources": [source.model_dump() for source in mapping.source],
    }


def _shipped_row(name: str) -> dict[str, Any]:
    mapping = read_mapping(shipped_text(name), name)
    row = _row(name, Vendor(name, mapping))
    del row["devices"]
    return row


def _as_object(number: int, one: Tried) -> dict[str, Any]:
    told: dict[str, Any] = {"message": number, "outcome": _outcome(one)}
    if one.ignored is not None:
        told["why"] = one.ignored
    if one.rejection is not None:
        told |= {"reason": one.rejection.reason.value, "detail": one.rejection.detail, "explanation": one.explanation}
    told["events"] = [_made_as_object(made) for made in one.events]
    return told


def _made_as_object(made: Made) -> dict[str, Any]:
    if made.rejection is None:
        return {"outcome": "accepted", "topic": made.topic, "event": made.event}
    why = {"reason": made.rejection.reason.value, "detail": made.rejection.detail}
    return {"outcome": "refused", **why, "event": made.event}


def _outcome(one: Tried) -> str:
    return "ignored" if one.ignored is not None else "refused" if one.rejection is not None else "mapped"


def _lines(found: Sequence[Tried]) -> Iterator[str]:
    for number, one in enumerate(found, 1):
        if one.ignored is not None:
            yield f"message {number}: nothing for us: {one.ignored}"
        elif one.rejection is not None:
            yield f"message {number}: refused, {one.rejection.reason.value}{one.rejection.detail}"
            if one.explanation.rpartition(": ")[2] not in one.rejection.detail:
                yield f"  {one.explanation}"
        for made in one.events:
            if made.rejection is None:
                yield f"message {number}: accepted, for {made.topic}"
            else:
                yield f"message {number}: refused, {made.rejection.reason.value} at {made.rejection.detail}"
            yield from json.dumps(made.event, ensure_ascii=False, indent=2).splitlines()
    events = sum(len(one.events) for one in found)
    refused = sum(one.refused for one in found)
    ignored = sum(one.ignored is not None for one in found)
    yield f"messages: {len(found)}, events: {events}, refused: {refused}, ignored: {ignored}"
