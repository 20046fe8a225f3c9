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


def national_number(phone: str) -> str:
    """The number without country code and separators, so that `+86 138-0013-8000` and `13800138000` are one person."""
    try:
        return str(phonenumbers.parse(phone, "CN").national_number)
    except phonenumbers.NumberParseException:
        return "".join(filter(str.isalnum, phone))


def mask_phone(phone: str) -> str:
    """First three and last four of eleven digits and more (138****8000); of anything shorter only the last two."""
    digits = national_number(phone)
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 11 else f"****{digits[-2:]}"


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
            self.token("phone:" + national_number(phone)) if phone else self.token("name:" + name) if name else None,
        )
