"""Options by which people say which refused events they mean, and how such events are shown."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.commands.arguments import Moment
from pipeline.rejected.selection import Name, Selection
from schemas.reject import Reason

Command = Callable[..., Any]

_LISTS: Final = (
    ("reason", click.Choice([one.value for one in Reason]), "Refused for this reason"),
    ("source", click.STRING, "Of this source, as it stands in the event"),
    ("producer", click.STRING, "Pushed with a key of this producer"),
    ("topic", click.STRING, "Of this topic; http or mqtt for what the gateway refused"),
    ("type", click.STRING, "Of this event type"),
)


class EventName(click.ParamType):
    """The name of a refused event, as `rejected list` prints it."""

    name = "event"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Name:
        """Raises a usage error for what names none."""
        try:
            return value if isinstance(value, Name) else Name.parsed(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def selecting(command: Command) -> Command:
    """Adds the options of a selection; the command gets them by the names of `Selection`."""
    until = click.option("--until", type=Moment(), help="Refused before this.")
    since = click.option(
        "--since", type=Moment(), help="Refused at or after this, such as 2026-11-23T12:00 (Shanghai)."
    )
    command = since(until(command))
    for name, kind, help_text in reversed(_LISTS):
        option = click.option(
            f"--{name}", f"{name}s", type=kind, multiple=True, metavar=name.upper(), help=f"{help_text}; repeatable."
        )
        command = option(command)
    return command


def selection_of(chosen: dict[str, Any], names: Sequence[Name] = (), *, waiting: bool = False) -> Selection:
    """The selection that the options of `selecting` say."""
    return Selection(names=names, waiting=waiting, **chosen)


def plain_table(*headings: str, wide: str = "") -> Table:
    """A table of which only the column `wide` is broken over lines."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        number = heading in ("count", "replayed", "events")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading != wide, overflow="fold")
    return table


def name_of(row: dict[str, Any]) -> Name:
    """The name of a row of the view."""
    return Name(row["topic"], row["partition"], row["offset"])


def progress_bar() -> Progress:
    """On a terminal's stderr only."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
