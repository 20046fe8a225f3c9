"""When too much of a source is refused: what the settings say, and the condition judges by. Pure."""

from typing import NamedTuple


class RejectsRule(NamedTuple):
    """When too much of a source is refused: more than this share of at least `floor` events, or more than so many a
    minute, on the average of the window."""

    share: float = 0.05
    floor: int = 20
    per_minute: int = 100
    for_minutes: int = 5
    window_minutes: int = 10

    @property
    def window(self) -> str:
        """Its name, as alerts have it."""
        return f"{self.window_minutes}m"

    def breached(self, refused: int, accepted: int) -> bool:
        """Whether too much was refused, of what came in the window."""
        together = refused + accepted
        return (
            together >= self.floor and refused > self.share * together
        ) or refused > self.per_minute * self.window_minutes
