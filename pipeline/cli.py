"""The command line: `yangguang --help` lists what there is. Each command loads only what it needs."""

import importlib
import logging
import sys
from typing import Final

import click

from pipeline.ports import PortTakenError
from pipeline.settings import SettingsError
from streams.kafka_address import NoAccessError

_COMMANDS: Final = {
    "up": ("pipeline.commands.up:up", "Run all parts on this machine."),
    "worker": ("pipeline.commands.serve:worker", "Run one worker: land, aggregate, alert."),
    "gateway": ("pipeline.commands.serve:gateway", "Run the HTTP gateway and the dashboard."),
    "notifier": ("pipeline.commands.serve:notifier", "Run the notifier that delivers alerts."),
    "simulate": ("pipeline.simulator.command:simulate_command", "Simulate a city that pushes events."),
    "migrate": ("pipeline.commands.migrate:migrate", "Bring the database to the shape of the code."),
    "produce": ("pipeline.commands.produce:produce", "Send events from a file to Kafka."),
    "keys": ("pipeline.commands.keys:keys", "API keys: who may push events to the gateway."),
    "rejected": ("pipeline.commands.rejected:rejected", "Refused events: list, show, replay, export."),
    "vendor": ("pipeline.commands.vendor:vendor", "Vendors' own formats: try and list mappings."),
    "audit": ("pipeline.commands.audit:audit", "Show who did what by hand."),
    "rebuild": ("pipeline.commands.rebuild:rebuild", "Compute stored rates anew from the raw rows."),
    "rates": ("pipeline.commands.rates:rates", "Show the rates as they are now, or over time."),
    "why": ("pipeline.commands.why:why", "Show what counts in a number, unit by unit."),
    "alerts": ("pipeline.commands.alerts:alerts", "Alerts: list, acknowledge, silence, route."),
    "schema": ("pipeline.commands.show:schema", "Print the JSON Schema of the events."),
    "doctor": ("pipeline.commands.doctor:doctor", "Check every part and say what to do."),
    "bench": ("pipeline.commands.bench:bench", "Measure the pipeline against named peers."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called; the list of them needs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click gives it
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click gives it
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 # click gives it
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Say more in the log.")
@click.version_option(package_name="yangguang")
def cli(verbose: bool) -> None:
    """yangguang (阳光): from kitchens' events to rates and alerts that can be trusted.

    Settings come from the environment (YANGGUANG_HOME, YANGGUANG_KAFKA, YANGGUANG_CLICKHOUSE, ...) and from
    yangguang.toml; see docs/settings.md."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("kafka").setLevel(logging.ERROR)
    logging.getLogger("clickhouse_connect").setLevel(logging.WARNING)


def main() -> None:
    """Runs a command; what the user can mend is one sentence on stderr and status 1, wrong usage is status 2."""
    try:
        cli.main(prog_name="yangguang")
    except (SettingsError, PortTakenError, NoAccessError) as error:
        click.echo(f"yangguang: {error}", err=True)
        sys.exit(1)
