"""What the embedded ClickHouse answers when it refuses or fails: ClickHouse's own codes, texts and HTTP status.

Clients decide by these numbers whether to retry, so they are the ones that a ClickHouse server would send.
"""

from __future__ import annotations

import re

# Codes that this server itself raises; those of the engine pass through as they come.
BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
CANNOT_DECOMPRESS = 271
UNEXPECTED_END_OF_FILE = 3
ABORTED = 236
REQUIRED_PASSWORD = 194
TOO_MANY_SIMULTANEOUS_QUERIES = 202
QUERY_WAS_CANCELLED = 394
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
QUERY_IS_TOO_LARGE = 437
UNKNOWN_COMPRESSION_METHOD = 89

_STATUS = {
    401: {194},
    403: {192, 193, 497, 512, 516},
    400: {
        6,
        15,
        16,
        25,
        26,
        27,
        36,
        38,
        41,
        43,
        44,
        53,
        62,
        67,
        72,
        117,
        167,
        168,
        223,
        271,
        321,
        407,
        427,
        441,
        493,
        676,
        677,
    }
    | {3, 89},  # a cut or undecodable body is the sender's fault as well
    404: {46, 47, 50, 56, 60, 63, 73, 78, 81, 106, 115, 511},
    408: {159},
    413: {437},
    501: {48},
    503: {209, 236, 439, 76},
}
_STATUS_OF_CODE = {code: status for status, codes in _STATUS.items() for code in codes}

_CODE = re.compile(r"Code: (\d+)\. ")
_TRAILER = re.compile(r"(?: \(version [^()]*\)\.?)?(?: \(([A-Z][A-Z0-9_]*)\))?(?: \(version [^()]*\))?\.?\s*$")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]{2,})\)")


class ClickHouseError(Exception):
    """A refusal or failure with ClickHouse's error `code`, symbolic `name` and one-sentence `message`."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status that a ClickHouse server gives this code."""
        return _STATUS_OF_CODE.get(self.code, 500)

    def body(self, version: str) -> bytes:
        """The response body in ClickHouse's wording."""
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name}) (version {version})\n".encode()

    @classmethod
    def from_engine(cls, text: str) -> ClickHouseError:
        """Take the engine's message apart; a text without a code becomes code 1001 (STD_EXCEPTION)."""
        found = _CODE.search(text)
        if found is None:
            return cls(1001, "STD_EXCEPTION", text.strip() or "the engine failed without a message")
        code = int(found.group(1))
        message = text[found.end() :].strip()
        message = message.removeprefix("DB::Exception: ")
        # A message may be wrapped in itself: "Code: 164. DB::Exception: Code: 164. DB::Exception: ...".
        while (inner := _CODE.match(message)) is not None:
            message = message[inner.end() :].removeprefix("DB::Exception: ")
        names = _NAME.findall(message)
        name = names[-1] if names else "UNKNOWN_EXCEPTION"
        for _ in range(3):
            message = _TRAILER.sub("", message)
        return cls(code, name, message.strip())


def access_denied(message: str) -> ClickHouseError:
    """A refusal of something the user may not do (HTTP 403)."""
    return ClickHouseError(ACCESS_DENIED, "ACCESS_DENIED", message)
