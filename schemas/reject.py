"""Why an event is not accepted: the closed list of reasons, in the order in which they are looked for."""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """The first that holds is the event's reason. The order of definition is the order of judgement."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_MAPPED = "not_mapped"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TOPIC = "wrong_topic"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    BAD_VALUE = "bad_value"
    FUTURE_TIME = "future_time"
    BAD_IDENTIFIER = "bad_identifier"
    NOT_PERMITTED = "not_permitted"
    SINK_REFUSED = "sink_refused"


class Rejection(NamedTuple):
    """One event that was not accepted. `detail` is a JSON pointer from the event's root and a message; it never
    repeats a value, so it cannot carry personal data. source, id and type are empty where they could not be read."""

    reason: Reason
    detail: str
    source: str = ""
    id: str = ""
    type: str = ""
