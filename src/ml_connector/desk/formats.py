"""Numbers and dates as the reader's locale writes them, on pages. Files and the API are ISO with a dot: they never say
`use`. Words stay English, and so do the names of months."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Final

NARROW: Final = "\u202f"
"""A space that breaks no line, as grouping uses it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a locale writes: between thousands, before decimals, and whether the day stands before the month."""

    group: str = ","
    mark: str = "."
    day_first: bool = False


PLAIN: Final = Way()
WAYS: Final[Mapping[str, Way]] = {
    "en-US": PLAIN,
    "en-GB": Way(day_first=True),
    "de-DE": Way(".", ",", True),
    "es-ES": Way(".", ",", True),
    "fr-FR": Way(NARROW, ",", True),
    "nl-NL": Way(".", ",", True),
    "pl-PL": Way(NARROW, ",", True),
    "sv-SE": Way(NARROW, ",", True),
}

_way: ContextVar[Way] = ContextVar("way", default=PLAIN)


def use(locale: str, accepted: str = "") -> None:
    """From here on in this request: `locale` of the account; empty: what the browser accepts first (`de-AT,de;q=0.9`)
    where that is known, by its language alone if need be."""
    wanted = locale or accepted.partition(",")[0].partition(";")[0].strip()
    _way.set(WAYS.get(wanted) or _by_language(wanted.partition("-")[0].lower()))


def way() -> Way:
    """Of this request."""
    return _way.get()


def grouped(number: int) -> str:
    """`1,204`."""
    return written(f"{number:,}")


def written(plain: str) -> str:
    """`1,204.50` as the locale writes it."""
    to = _way.get()
    return plain if to is PLAIN else plain.translate({ord(","): to.group, ord("."): to.mark})


def month_day(of: date) -> str:
    """`Nov 17` or `17 Nov`."""
    return f"{of.day} {of:%b}" if _way.get().day_first else f"{of:%b} {of.day}"


def _by_language(language: str) -> Way:
    return next((each for name, each in WAYS.items() if language and name.startswith(f"{language}-")), PLAIN)
