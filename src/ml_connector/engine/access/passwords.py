"""Passwords: what makes one good enough, and argon2id.

Length is what counts; beyond it only what anybody would try first is refused. Hashing is slow on purpose, so that few
run at once in a process: a flood of tries must not take the machine away from those who work.
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ml_connector.engine.access.values import AccessRefused, Busy, folded

Result = TypeVar("Result")

SHORTEST = 12
LONGEST = 256
AT_ONCE = 2
QUEUE = 20

# 46 MiB, one pass, one lane: OWASP's first choice of equal strengths, and the quickest of them.
_HASHER = PasswordHasher(time_cost=1, memory_cost=47104, parallelism=1)

_OBVIOUS = (
    *("password", "passwort", "passw0rd", "p@ssw0rd", "letmein", "letmeinnow", "welcome", "changeme", "iloveyou"),
    *("administrator", "admin", "operator", "clerk", "viewer", "root", "secret", "default", "master", "superuser"),
    *("mlconnector", "connector", "bigcommerce", "businessone", "s4hana", "saphana", "netsuite", "acumatica"),
    *("football", "baseball", "princess", "sunshine", "dragon", "monkey", "trustno", "starwars", "whatever"),
    *("correcthorsebatterystaple", "thisismypassword", "mypassword", "opensesame", "qwertyqwerty", "companyname"),
)
_ROWS = (
    *("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm"),
    *("azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "q1w2e3r4t5y6u7i8o9p0"),
)


def normal(password: str) -> str:
    """As every keyboard and system writes the same password."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, name: str = "") -> None:
    """Raises `AccessRefused` with what to do where `password` is none to choose."""
    plain = normal(password)
    if len(plain) < SHORTEST:
        raise AccessRefused(f"A password has at least {SHORTEST} characters; a few words in a row are easy to keep.")
    if len(plain) > LONGEST:
        raise AccessRefused(f"A password has at most {LONGEST} characters.")
    if len(set(plain)) < 5:
        raise AccessRefused("This password repeats a few characters; choose another.")
    bare = _bare(plain)
    core = bare.strip("0123456789")
    names = {_bare(folded(name)), _bare(folded(name).partition("@")[0])} - {""}
    if bare in names or core in names or (core == "" and len(bare) < 20):
        raise AccessRefused("This password is your name or a number; choose another.")
    if core in _OBVIOUS or any(_repeats(core, word) for word in _OBVIOUS) or any(_along(bare, row) for row in _ROWS):
        raise AccessRefused("This password is one of those that are tried first; choose another.")


def _bare(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum() or each in "@$")


def _repeats(text: str, word: str) -> bool:
    return len(text) > len(word) and text == (word * (len(text) // len(word) + 1))[: len(text)]


def _along(text: str, row: str) -> bool:
    """Whether it only runs along the row, forwards or backwards, whatever digits follow."""
    core = text.rstrip("0123456789") or text
    return len(core) > 3 and (core in row * 2 or core[::-1] in row * 2)


class Passwords:
    """The hashing of one process."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """The password as it is stored. Raises `Busy`."""
        return await self._apart(_HASHER.hash, normal(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password. Where none is stored: the same work, and no. Raises `Busy`."""
        if not self._nobodys:
            self._nobodys = await self.hash(secrets.token_hex(16))
        given = normal(password[: 2 * LONGEST])
        right = await self._apart(_matches, self._nobodys if stored is None else stored, given)
        return right and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return _HASHER.check_needs_rehash(stored)

    async def _apart(self, work: Callable[..., Result], *given: str) -> Result:
        if self._waiting >= QUEUE:
            raise Busy("too many sign in at once")
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
