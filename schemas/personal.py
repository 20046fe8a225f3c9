"""Personal data (PIPL): which form of it may be written anywhere.

Names and phones of hosts, cooks and contact persons never leave the validating process in clear. What is kept is a
masked form, for people to recognise a record by, and a token, for analysts to join by. The token is an HMAC-SHA256
under a key that only the landing process holds: a plain hash of an 11-digit mobile number is reversed by trying all.
"""

import hashlib
import hmac
from typing import NamedTuple

import phonenumbers


class Masked(NamedTuple):
    """The three columns that stand for one person."""

    name_masked: str | None
    phone_masked: str | None
    token: str | None


def mask_name(name: str) -> str:
    """The family name's first character and one asterisk for whatever follows: 张三丰 -> 张*."""
    return name[:1] + "*"


def _number(phone: str) -> str:
    """The number without separators, and without the country code of China, so that `+86 138-0013-8000` and
    `13800138000` are one person."""
    try:
        parsed = phonenumbers.parse(phone, "CN")
    except phonenumbers.NumberParseException:
        return "".join(filter(str.isalnum, phone))
    return ("" if parsed.country_code == 86 else f"+{parsed.country_code} ") + str(parsed.national_number)


def mask_phone(phone: str) -> str:
    """First three and last four of eleven digits and more (138****8000); the last two of seven and more, else none."""
    digits = "".join(filter(str.isdecimal, _number(phone)))
    if len(digits) >= 11:
        return f"{digits[:3]}****{digits[-4:]}"
    return f"****{digits[-2:]}" if len(digits) >= 7 else "****"


class Tokeniser:
    """Makes masked forms under one key.

    :param key: at least 16 bytes, the same in every process that lands events, or tokens of one person differ.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError(f"the personal data key has {len(key)} bytes: give one of at least 16 random bytes")
        self._key = key

    def token(self, text: str) -> str:
        """32 hexadecimal digits of HMAC-SHA256(key, text)."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def person(self, name: str | None, phone: str | None) -> Masked:
        """One person's columns. The token follows the phone, which is one person's, and the name only without it."""
        return Masked(
            mask_name(name) if name else None,
            mask_phone(phone) if phone else None,
            self.token("phone:" + _number(phone)) if phone else self.token("name:" + name) if name else None,
        )
