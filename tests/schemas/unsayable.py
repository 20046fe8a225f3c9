"""What JSON Schemas of events cannot say, so that only the decoder knows it."""

import re
import unicodedata
from typing import Any, Final

from schemas.reject import Reason, Rejection

WHITE_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
VERBATIM: Final = {"extensions", "finding", "vendor_code"}
UNSAYABLE: Final = (
    (Reason.FUTURE_TIME, ""),
    (Reason.TOO_LARGE, ""),
    (Reason.BAD_VALUE, r"sealed_packages should be at most packages"),
    (Reason.BAD_VALUE, r"^/data/extensions: extensions should be at most 4096 bytes"),
    (Reason.BAD_VALUE, r"should be (greater|less) than or equal to \d{4}-\d\d-\d\dT"),
    (Reason.BAD_VALUE, r"Input should be a valid integer$"),
    (Reason.BAD_IDENTIFIER, r"with a right check character"),
)
"""What a schema cannot say: reason, and how the detail goes on."""


def sayable(rejection: Rejection) -> bool:
    return not any(reason is rejection.reason and re.search(how, rejection.detail) for reason, how in UNSAYABLE)


def trimmed(value: Any) -> Any:
    """As the decoder looks at a value of `data`."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip(WHITE_SPACE)
    if isinstance(value, list):
        return [trimmed(item) for item in value]
    if isinstance(value, dict):
        return {name: trimmed(item) for name, item in value.items()}
    return value


def looked_at(event: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(event.get("data"), dict):
        return event
    data = {name: value if name in VERBATIM else trimmed(value) for name, value in event["data"].items()}
    return event | {"data": data}
