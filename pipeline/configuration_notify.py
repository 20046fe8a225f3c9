"""What `yangguang.toml` may say of messages in general: table `[notify]`."""

from datetime import time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.durations import Minutes


def _of_day(value: object) -> object:
    if value == "off":
        return None
    if isinstance(value, str) and len(value) == 5:
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError('should be a time of the day such as "08:30", or "off"')


def _to_a_day(length: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= length <= timedelta(days=1):
        raise ValueError("should be from 1m to 1d")
    return length


class NotifySettings(BaseModel):
    """Address of links, the summary of the day, and the sign of life.

    Without `summary_channels` the summary goes to the channels for people; a sign of life is sent where
    `watchdog_channels` names a receiver that notices its absence."""

    model_config = ConfigDict(extra="forbid")

    base_url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    summary: Annotated[time | None, BeforeValidator(_of_day)] = time(8, 30)
    summary_channels: tuple[str, ...] | None = None
    watchdog_every: Annotated[Minutes, AfterValidator(_to_a_day)] = timedelta(minutes=5)
    watchdog_channels: tuple[str, ...] = ()
