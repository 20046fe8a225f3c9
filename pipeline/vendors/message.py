"""From a vendor's bytes to the value that a mapping is given: JSON, and never more of it than is mapped in no time.

The bytes come from outside and may mean harm, the mapping is the operator's own. So bounds are set here, once, on what
a mapping can be made to work on.
"""

from typing import Any, Final

from pydantic_core import from_json

from pipeline.vendors.failure import MappingError
from schemas.reject import Reason, Rejection

MESSAGE_MAX_BYTES: Final = 1 << 20
"""Some boxes send their picture along."""

VALUES_MAX: Final = 10_000
"""Of one message, counting objects and lists too."""

TEXT_MAX: Final = 16_384
"""In characters. A longer text is a picture; no field of an event holds one, so the mapping sees null."""

_EXACT: Final = 2**53 - 1
"""The numbers of JSONata are doubles: whole numbers beyond this would lose digits, as a 20-digit device id does."""


def read_message(raw: bytes) -> Any | Rejection:
    """The object or list in a message as a mapping sees it, or why there is none to be mapped."""
    if len(raw) > MESSAGE_MAX_BYTES:
        return Rejection(
            Reason.TOO_LARGE, f": the message has {len(raw)} bytes, a vendor's may have {MESSAGE_MAX_BYTES}"
        )
    try:
        return bounded(raw)
    except ValueError as error:
        return Rejection(Reason.NOT_JSON, f": {str(error)[:100]}")
    except MappingError as error:
        return Rejection(Reason.NOT_MAPPED, f": {error.detail}")


def bounded(text: bytes | str) -> Any:
    """The object or list that is written in `text`. Whole numbers too great to be exact are texts of their digits.

    Raises ValueError for what is no JSON, and MappingError for what is no object, or too much."""
    value = from_json(text, allow_inf_nan=False, cache_strings="keys")
    if not isinstance(value, dict | list):
        raise MappingError("the message is no object and no list")
    _tame(value)
    return value


def _tame(value: Any) -> None:
    """Changes values in place where a mapping may not see them as they are."""
    left = VALUES_MAX
    todo = [value]
    while todo:
        holder = todo.pop()
        left -= len(holder)
        if left < 0:
            raise MappingError(f"the message has more than {VALUES_MAX} values")
        for key, one in holder.items() if type(holder) is dict else enumerate(holder):
            kind = type(one)
            if kind is dict or kind is list:
                todo.append(one)
            elif kind is str:
                if len(one) > TEXT_MAX:
                    holder[key] = None
            elif kind is int:
                if not -_EXACT <= one <= _EXACT:
                    holder[key] = str(one)
            elif kind is float and one - one != 0:  # infinite: 1e999 is JSON, but no number that anybody has
                raise MappingError("the message has a number that is too great")
