"""`test-channel`: whether a configured channel reaches people, before it has to."""

import asyncio
import json
import secrets
from datetime import UTC, datetime

import click

from pipeline.channels import channel
from pipeline.settings import load_settings
from sinks.notify.channel import Channel, Outcome
from sinks.notify.console import ConsoleChannel
from sinks.notify.envelope import Line, Message


@click.command("test-channel")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test_channel(name: str, as_json: bool) -> None:
    """Send one test message through channel NAME of yangguang.toml, and say what the other side answered."""
    configured = load_settings().configuration().channel
    if name in configured:
        made = channel(name, configured[name])
    elif not configured and name == "console":
        made = ConsoleChannel(name)
    else:
        known = ", ".join(configured) or "console"
        raise click.UsageError(f"there is no channel {name}: name one of yangguang.toml ({known})")
    message = trial(name, secrets.token_hex(16), datetime.now(UTC))
    outcome = asyncio.run(_send(made, message))
    reached = outcome.word in ("delivered", "handed_over")
    if as_json:
        shown = {"channel": name, "id": message.id, "outcome": outcome.word, "detail": outcome.detail}
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        click.echo(f"{name}: {outcome.word}: {outcome.detail}")
    if not reached:
        raise click.exceptions.Exit(1)


def trial(name: str, identity: str, at: datetime) -> Message:
    """A message that says that it is none."""
    moment = at.astimezone().isoformat(timespec="seconds")
    text = f"这是通道“{name}”的测试消息，无需处理。This is a test of channel {name}; nothing has happened."
    body = {"kind": "test", "transition_id": identity, "channel": name, "text": text, "as_of": moment, "since": moment}
    return Message(
        id=identity,
        kind="test",
        state="info",
        severity="info",
        title="阳光食安测试消息",
        text=text,
        lines=(Line("通道", name), Line("时间", moment)),
        body=body,
    )


async def _send(made: Channel, message: Message) -> Outcome:
    try:
        return await made.send(message)
    finally:
        await made.close()
