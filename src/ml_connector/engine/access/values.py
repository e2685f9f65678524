"""What access speaks of, and why it says no."""

import hashlib
import secrets
import unicodedata
from datetime import datetime

NAME_LIMIT = 120


class AccessRefused(Exception):
    """What was asked for cannot be; the sentence says why and what to do instead."""


class Wrong(Exception):
    """Name, password or code is not right, or there is no such user, or it is disabled: nobody is told which."""


class Locked(Exception):
    """The password is right, but the account is locked after too many tries."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"locked until {until.isoformat()}")
        self.until = until


class TooMany(Exception):
    """Too many tries from one address; says nothing of any account."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"too many tries until {until.isoformat()}")
        self.until = until


class Busy(Exception):
    """So many passwords are being checked that another one would only wait."""


NO_NUL = "\ufffd"


def folded(name: str) -> str:
    """A user's name as it is compared and stored; the database takes no NUL."""
    return unicodedata.normalize("NFKC", name.replace("\x00", NO_NUL)).strip().casefold()


def checked_name(name: str) -> str:
    """`name` folded. Raises `AccessRefused` for what is no name."""
    plain = folded(name)
    strange = any(not each.isprintable() or each.isspace() or each == NO_NUL for each in plain)
    if not plain or len(plain) > NAME_LIMIT or strange:
        raise AccessRefused(f"A name has 1 to {NAME_LIMIT} characters and no blanks: a mail address, or a word.")
    return plain


def fresh() -> str:
    """256 random bits as text for a cookie or an address."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> bytes:
    """As random values are stored. Enough for at least 80 random bits; never for passwords."""
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
