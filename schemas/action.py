"""What a person does about alerts: acknowledges one, silences one or several, takes a silence back. Pure values."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

Kind = Literal["acknowledge", "silence", "unsilence"]
Via = Literal["cli", "api", "link"]

MATCHED: Final = ("alert_id", "kind", "indicator", "scope", "scope_id", "window", "subject")
"""Columns of an alert that a silence can name."""
SILENCE_MAX: Final = timedelta(days=30)
"""A longer silence is a change of configuration."""
BY_MAX: Final = 64
WHY_MAX: Final = 500

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str:
    line = _CONTROLS.sub(" ", text).strip()
    if not line:
        raise ValueError("should not be empty")
    return line


By = Annotated[str, StringConstraints(max_length=BY_MAX), AfterValidator(_one_line)]
Why = Annotated[str, StringConstraints(max_length=WHY_MAX), AfterValidator(_one_line)]


class Action(BaseModel):
    """One thing that one person did. It travels on topic yangguang.actions and is a row of `raw_alert_actions`."""

    model_config = ConfigDict(frozen=True)

    action_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    action: Kind
    by: By
    why: Why
    at: AwareDatetime
    via: Via
    alert_id: str = ""
    """Empty for a silence of several, and for an unsilence."""
    matches: Mapping[str, str] = MappingProxyType({})
    """Of a silence: columns of alerts and the values that it holds for. Of an acknowledgement: `since`, the minute at
    which the firing began that it is about. Of an unsilence: `action_id` of the silence."""
    until: AwareDatetime | None = None
    """Of a silence."""

    def to_json(self) -> bytes:
        """The record's value."""
        return self.model_dump_json().encode()

    @classmethod
    def from_json(cls, value: bytes) -> "Action | None":
        """The action in a record; None for what is none of ours."""
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            return None


class Silence(NamedTuple):
    """A silence that holds."""

    action_id: str
    matches: Mapping[str, str]
    until: datetime
    by: str
    why: str
    at: datetime


def acknowledgement(alert_id: str, since: datetime, by: str, why: str, at: datetime, via: Via) -> Action:
    """Somebody has seen to the firing of an alert that began at `since`; the next firing is not acknowledged.

    Raises ValidationError for a name or reason that is empty or too long."""
    matches = {"since": since.isoformat()}
    return Action(
        action_id=uuid4().hex, action="acknowledge", alert_id=alert_id, matches=matches, by=by, why=why, at=at, via=via
    )


def silence(matches: Mapping[str, str], until: datetime, by: str, why: str, at: datetime, via: Via) -> Action:
    """Nobody is told, until then, of alerts that have these values in these columns.

    Raises ValueError where it names nothing, a column that it cannot, or an end that has passed or is too far."""
    unknown = set(matches) - set(MATCHED)
    if unknown or not matches:
        raise ValueError(
            f"a silence cannot name {', '.join(sorted(unknown)) or 'nothing'}: use one of {', '.join(MATCHED)}"
        )
    if not at < until <= at + SILENCE_MAX:
        raise ValueError(f"a silence should end after now and within {SILENCE_MAX.days} days, not at {until:%F %H:%M}")
    one = matches.get("alert_id", "")
    return Action(
        action_id=uuid4().hex,
        action="silence",
        alert_id=one,
        matches=dict(matches),
        until=until,
        by=by,
        why=why,
        at=at,
        via=via,
    )


def unsilence(silence: Silence, by: str, why: str, at: datetime, via: Via) -> Action:
    """A silence ends now."""
    return Action(
        action_id=uuid4().hex,
        action="unsilence",
        alert_id=silence.matches.get("alert_id", ""),
        matches={"action_id": silence.action_id},
        by=by,
        why=why,
        at=at,
        via=via,
    )
