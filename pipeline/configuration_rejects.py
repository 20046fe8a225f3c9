"""What `yangguang.toml` may say of refused events: when so much of a source is refused that somebody should look."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.durations import Minutes
from schemas.indicator import Number
from streams.rejects_rule import RejectsRule

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def _up_to_a_day(length: timedelta) -> timedelta:
    if length > _DAY:
        raise ValueError("should be at most 1d")
    return length


def _window(length: timedelta) -> timedelta:
    if not _MINUTE <= length <= timedelta(hours=1):
        raise ValueError("should be from 1m to 1h")
    return length


class RejectsSettings(BaseModel):
    """Table `[rejects]`: above which share or rate a source raises condition `rejects_high`."""

    model_config = ConfigDict(extra="forbid")

    share: Annotated[Number, Field(ge=0, le=1)] = 0.05
    floor: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] = 20
    per_minute: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 100
    for_: Annotated[Minutes, AfterValidator(_up_to_a_day)] = Field(timedelta(minutes=5), alias="for")
    window: Annotated[Minutes, AfterValidator(_window)] = timedelta(minutes=10)

    def rule(self) -> RejectsRule:
        """The rule that the alert stage judges by."""
        return RejectsRule(self.share, self.floor, self.per_minute, self.for_ // _MINUTE, self.window // _MINUTE)
