"""The progress bar of work that has so many steps."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def counted_bar(*, transient: bool = True) -> Progress:
    """On a terminal's stderr what is being done, how many steps of how many are, and since when; elsewhere nothing.

    :param transient: whether it is gone when the work is done.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    )
