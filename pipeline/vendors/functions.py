"""What mappings need beside JSONata's own functions: times with their offset, identities, JSON inside a text.

Each takes values of a vendor's message and raises MappingError, which never repeats them."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from pipeline.vendors.failure import MappingError
from pipeline.vendors.message import bounded

_SHANGHAI: Final = timezone(timedelta(hours=8))
"""As it has been since 1992, at a fraction of what the zone with its history costs."""

_LOCAL: Final = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ] ?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r" ?(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?",
    re.ASCII,
)
_COMPACT: Final = re.compile(r"(2[0-2]\d{2})(\d{2})(\d{2})T?(\d{2})(\d{2})(\d{2})(\d{3})?(Z)?", re.ASCII)
"""No number of milliseconds or microseconds with so many digits begins with a 2 until the year 2299."""
_TIME_MAX_CHARACTERS: Final = 40

_SECONDS: Final = range(946_684_800, 10_413_792_000)
"""Seconds since 1970 of the years 2000 to 2299, which are not milliseconds of those years either."""

_MOST_MICROSECONDS: Final = _SECONDS.stop * 1_000_000
_MICROSECONDS_A_UNIT: Final = (1_000_000, 1_000, 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST_CHARACTERS: Final = 32


def moment(value: Any = None) -> str:
    """The moment as an event has it: ISO 8601 with an offset.

    Takes `2026-11-23 12:00:00` and its like, which without an offset is Asia/Shanghai, and seconds, milliseconds or
    microseconds since 1970, as a number or as digits."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if 0 < len(text) <= _TIME_MAX_CHARACTERS:
        if match := _LOCAL.fullmatch(text):
            return _written(*match.groups())
        if match := _COMPACT.fullmatch(text):
            *parts, thousandths, zulu = match.groups()
            return _written(*parts, thousandths, zulu, None, None, None)
        if text.isascii() and text.removeprefix("-").isdigit():
            return _since_1970(int(text))
    if isinstance(value, float):
        return _since_1970(value)
    raise _fails("moment", "is missing" if value is None else "is no time")


def _written(*parts: str | None) -> str:
    *date_and_time, fraction, zulu, sign, hours, minutes = parts
    year, month, day, hour, minute, second = (int(one or 0) for one in date_and_time)
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    zone: Any = UTC if zulu else _SHANGHAI
    try:
        if sign:
            length = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            zone = timezone(-length if sign == "-" else length)
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone).isoformat()
    except ValueError:
        raise _fails("moment", "is no time that there is") from None


def _since_1970(value: int | float) -> str:
    for unit in _MICROSECONDS_A_UNIT if 0 <= value < _MOST_MICROSECONDS else ():
        microseconds = round(value * unit)
        if microseconds // 1_000_000 in _SECONDS:
            return (_EPOCH + timedelta(microseconds=microseconds)).astimezone(_SHANGHAI).isoformat()
    raise _fails("moment", "is no time from 2000 to 2299")


def identity(*parts: Any) -> str:
    """The parts with a slash between them. One that is missing is an error: what is left would be the identity of many
    messages, of which all but one would count as repeats."""
    _require("id", parts)
    texts = [_text(one) for one in parts]
    if None in texts:
        raise _fails("id", f"part {texts.index(None) + 1} is no text and no whole number")
    return "/".join(one for one in texts if one is not None)


def digest(*parts: Any) -> str:
    """32 characters that stand for the parts' content, the same for the same content."""
    _require("digest", parts)
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]


def json_inside(text: Any = None) -> Any:
    """The object or list that is written in a text."""
    if not isinstance(text, str):
        raise _fails("json", "is missing, or longer than a mapping may see" if text is None else "is no text")
    try:
        return bounded(text)
    except ValueError:
        raise _fails("json", "is no JSON") from None
    except MappingError as error:
        raise MappingError(f"$json: {error.detail.replace('the message', 'the text')}") from None


def _require(function: str, parts: tuple[Any, ...]) -> None:
    if not parts:
        raise _fails(function, "has no part")
    for position, one in enumerate(parts, 1):
        if one is None or one == "":
            raise _fails(function, f"part {position} is missing in the message")


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _fails(function: str, what: str) -> MappingError:
    subject = "" if what.startswith(("part", "has")) else "the value "
    return MappingError(f"${function}: {subject}{what}")
