"""What JSON Schemas of events cannot say, so that only the decoder refuses it."""

import re
from typing import Final

from schemas.reject import Reason, Rejection

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
