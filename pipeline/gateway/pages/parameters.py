"""Parameters of the gateway's addresses as OpenAPI describes them."""

from typing import Any, Final

from pipeline.gateway.own import LIMIT, LIMIT_MAX
from schemas.indicators import CATALOGUE
from schemas.reject import Reason

Parameter = dict[str, Any]

_STATUSES: Final = ("ok", "below", "low_sample", "no_activity", "no_data", "stale", "error")
_STATES: Final = ("ok", "pending", "firing", "resolved")
_KINDS: Final = ("rate", "condition", "event")
_SCOPES: Final = ("city", "town", "platform")
_WINDOWS: Final = tuple(dict.fromkeys(window for entry in CATALOGUE.values() for window in entry.windows))


def _filter(name: str, description: str, *values: str) -> Parameter:
    """A filter that may be given several times. What it names need not exist, then nothing is found: so no values are
    enumerated in its schema."""
    some = f": {', '.join(f'`{value}`' for value in values)}" if values else ""
    return {
        "name": name,
        "in": "query",
        "description": f"{description}{some}",
        "schema": {"type": "array", "items": {"type": "string"}},
        "explode": True,
    }


def _flag(name: str, description: str) -> Parameter:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "boolean"}}


def rate_filters() -> list[Parameter]:
    """Of rates."""
    return [
        _filter("indicator", "Code of the indicator", *CATALOGUE),
        _filter("scope", "Kind of place", *_SCOPES),
        _filter("scope_id", "Division code or platform, such as `330681`"),
        _filter("window", "Length of the window", *_WINDOWS),
        _filter("status", "Status", *_STATUSES),
    ]


def alert_filters() -> list[Parameter]:
    """Of alerts."""
    return [
        _filter("state", "State", *_STATES),
        _filter("kind", "What it judges", *_KINDS),
        _filter("indicator", "Code of the indicator, condition or event"),
        _filter("scope", "Kind of place", *_SCOPES, "source"),
        _filter("scope_id", "Division code, platform or source, such as `330681`"),
        _flag("acknowledged", "Whether somebody has acknowledged its present firing"),
        _flag("silenced", "Whether it is silenced now"),
        _flag("inhibited", "Whether the city's alert, which fires, has held its message back"),
    ]


def rejected_filters() -> list[Parameter]:
    """Of refused events."""

    def one(name: str, description: str, schema: dict[str, Any]) -> Parameter:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    moment = {"type": "string", "format": "date-time"}
    return [
        one("since", "Refused at or after this time, which has an offset", moment),
        one("until", "Refused before this time, which has an offset", moment),
        one("reason", "Why; any of several", {"type": "array", "items": {"type": "string", "enum": list(Reason)}}),
        _filter("type", "Type of the event"),
        one("limit", "At most so many", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}),
    ]


def in_path(name: str, description: str, schema: dict[str, Any]) -> Parameter:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
