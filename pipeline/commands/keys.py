"""`yangguang keys`: who may push events to the gateway, and what; and who may act on alerts."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from kafka.errors import KafkaError
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pipeline.audit import record
from pipeline.keys.key import RIGHTS, SHORT_STREAMS, Key, NewKey, new_key, signing_secret
from pipeline.keys.topic import read_keys, write_key
from pipeline.settings import Settings, load_settings
from schemas.durations import parse_duration
from streams.kafka_access import KafkaAccessError
from streams.topics import ensure_topics

OVERLAP: Final = "1d"
_PATIENCE_SECONDS: Final = 10.0


@click.group()
def keys() -> None:
    """API keys: make, list, revoke and rotate them. Every gateway heeds a change within a second."""


def _as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _rights(_context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The rights named, in the order in which they are listed."""
    named = {one.strip() for text in given for one in text.split(",")}
    if unknown := sorted(named - set(RIGHTS)):
        raise click.BadParameter(f"{', '.join(map(repr, unknown))}: use {', '.join(RIGHTS)}", param=option)
    return tuple(one for one in RIGHTS if one in named)


@keys.command()
@click.argument("producer")
@click.option(
    "--may",
    multiple=True,
    default=("push",),
    show_default=True,
    callback=_rights,
    metavar="RIGHT,...",
    help="What it may: push events, acknowledge, silence alerts.",
)
@click.option("--stream", "streams", multiple=True, type=click.Choice(list(SHORT_STREAMS)), help="May be repeated.")
@click.option("--source", "sources", multiple=True, metavar="PREFIX", help="Such as /platform/jd; may be repeated.")
@click.option("--town", "towns", multiple=True, metavar="CODE", help="Nine digits; may be repeated.")
@click.option("--rate", metavar="EVENTS/TIME", help="The most events that are taken, such as 60000/minute.")
@click.option("--expires", metavar="DURATION", help="For how long the key is good, such as 365d; else until revoked.")
@click.option("--signed", is_flag=True, help="Its requests have to be signed; the signing secret is printed.")
@_as_json
def create(producer: str, as_json: bool, expires: str | None, **fields: Any) -> None:
    """Make a key for PRODUCER (a-z, 0-9, . _ -). Its text is printed once and kept nowhere.

    Without --may the key may push and nothing else. Without --stream, --source or --town it may push everything: give
    at least --source to a vendor."""
    settings = load_settings()
    now = datetime.now(UTC)
    end = None if expires is None else now + _duration(expires)
    try:
        made = new_key(producer, now, expires_at=end, **_fields(fields))
    except ValidationError as error:
        raise click.UsageError(_sentence(error)) from None
    with _kafka(settings):
        ensure_topics(settings.kafka_address, settings.partitions, settings.replication, _PATIENCE_SECONDS)
        write_key(settings.kafka_address, made.key)
        record(settings.kafka_address, "keys create", made.key.id, producer)
    _tell(settings, made, as_json)


@keys.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones too.")
@_as_json
def list_keys(everything: bool, as_json: bool) -> None:
    """List the keys: whose they are and what they may; never their text."""
    settings = load_settings()
    now = datetime.now(UTC)
    with _kafka(settings):
        known = sorted(read_keys(settings.kafka_address).values(), key=lambda one: (one.producer, one.created_at))
    shown = [one.shown(now) for one in known if everything or one.state(now) == "valid"]
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    table = Table(pad_edge=False)
    for heading in ("id", "producer", "state", "until"):
        table.add_column(heading, no_wrap=True)
    table.add_column("may")
    for one in shown:
        rights = [", ".join(one["may"])]
        rights += [f"{name}: {', '.join(one[name])}" for name in ("streams", "sources", "towns") if one[name]]
        rights += [f"at most {one['rate']}"] if one["rate"] else []
        rights += ["signed"] if one["signed"] else []
        rights += ["from this machine"] if one["development"] else []
        table.add_row(one["id"], one["producer"], one["state"], (one["expires_at"] or "")[:10], "; ".join(rights))
    Console().print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--why", default="", help="For the audit log.")
def revoke(key_id: str, why: str) -> None:
    """Revoke the key ID, for good: its requests get 401."""
    settings = load_settings()
    with _kafka(settings):
        key = _known(read_keys(settings.kafka_address), key_id)
        if key.revoked_at is None:
            write_key(settings.kafka_address, key.model_copy(update={"revoked_at": datetime.now(UTC)}))
            record(settings.kafka_address, "keys revoke", key.id, why)
    click.echo(f"{key.id} of {key.producer} is revoked")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--overlap", default=OVERLAP, show_default=True, help="For how long the old key is good still.")
@_as_json
def rotate(key_id: str, overlap: str, as_json: bool) -> None:
    """Make a new key with the same rights as ID, which expires after --overlap."""
    settings = load_settings()
    now = datetime.now(UTC)
    end = now + _duration(overlap)
    with _kafka(settings):
        old = _known(read_keys(settings.kafka_address), key_id)
        if old.state(now) != "valid":
            raise click.ClickException(
                f"the key {old.id} is {old.state(now)}: make a new one with yangguang keys create"
            )
        same = {name: getattr(old, name) for name in ("grant", "rate", "signed", "development")}
        made = new_key(old.producer, now, **same)
        write_key(settings.kafka_address, made.key)
        expires = end if old.expires_at is None else min(end, old.expires_at)
        write_key(settings.kafka_address, old.model_copy(update={"expires_at": expires}))
        record(settings.kafka_address, "keys rotate", old.id, f"by {made.key.id}")
    _tell(settings, made, as_json, {"replaces": old.id, "old_expires_at": expires.isoformat()})


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    grant = {name: given[name] for name in ("may", "streams", "sources", "towns")}
    return {"grant": grant, "rate": given["rate"], "signed": given["signed"]}


def _tell(settings: Settings, made: NewKey, as_json: bool, more: Mapping[str, str] | None = None) -> None:
    """The one time that a key's text is told."""
    told = {**made.key.shown(made.key.created_at), "key": made.text, **(more or {})}
    if made.key.signed:
        told["signing_secret"] = signing_secret(settings.signing_master, made.key.id)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    click.echo(f"key {made.key.id} of {made.key.producer}; keep its text now, it is not shown again:", err=True)
    click.echo(made.text)
    if made.key.signed:
        click.echo("its requests have to be signed with this secret:", err=True)
        click.echo(told["signing_secret"])
    if more:
        click.echo(f"{more['replaces']} is good until {more['old_expires_at']}", err=True)


def _known(known: Mapping[str, Key], key_id: str) -> Key:
    if key_id not in known:
        raise click.ClickException(f"there is no key {key_id}: yangguang keys list --all shows those there are")
    return known[key_id]


def _duration(text: str) -> timedelta:
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"{text} {error}") from None
    assert isinstance(length, timedelta)
    return length


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = str(first["loc"][0])
    message = first["msg"].removeprefix("Value error, ")
    return "PRODUCER: write 1 to 64 of a-z, 0-9, . _ -" if place == "producer" else f"{place}: {message}"


@contextmanager
def _kafka(settings: Settings) -> Iterator[None]:
    try:
        yield
    except KafkaAccessError:
        raise  # it says itself what to do
    except KafkaError as error:
        raise click.ClickException(
            f"Kafka at {settings.servers} does not answer ({type(error).__name__}): start it, or set YANGGUANG_KAFKA"
        ) from error
