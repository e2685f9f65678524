"""Simple types of the posting service: facets, and values read under them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

TEXT_TYPE = re.compile(r"(?P<kind>[tsn=])(?:(?P<low>\d+)-)?(?P<high>\d+)")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?Z")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DAYS = re.compile(r"-?P\d{1,18}D")


@dataclass(frozen=True)
class Amount:
    value: Decimal
    currency: str


@dataclass(frozen=True)
class Facets:
    """Of a text type; ``digits`` and ``collapse`` as in XML schema."""

    minimum: int
    maximum: int
    collapse: bool
    digits: bool


NUMBERS: Mapping[str, tuple[int, int]] = {"amount": (28, 6), "quantity": (31, 14), "rate": (28, 14), "percent": (16, 6)}
"""Total and fraction digits."""


def text_facets(kind: str) -> Facets | None:
    """The facets of ``t35``, ``s1-40``, ``=4``, ``n6``; None for other types."""
    match = TEXT_TYPE.fullmatch(kind)
    if match is None:
        return None
    letter, high = match["kind"], int(match["high"])
    low = int(match["low"]) if match["low"] else {"t": 1, "n": 1, "s": 0, "=": high}[letter]
    return Facets(low, high, collapse=letter != "s", digits=letter == "n")


def read_value(kind: str, text: str, attributes: Mapping[str, str]) -> Any:
    """Raises ``ValueError`` with what is wrong."""
    if (facets := text_facets(kind)) is not None:
        return _read_text(facets, text)
    if kind in NUMBERS:
        number = _read_number(text.strip(), *NUMBERS[kind])
        if kind != "amount":
            return number
        currency = attributes.get("currencyCode", "")
        if len(currency) != 3:
            raise ValueError("attribute currencyCode with three letters is required")
        return Amount(number, currency)
    return READERS[kind](text.strip())


def _read_text(facets: Facets, text: str) -> str:
    value = " ".join(text.split()) if facets.collapse else text
    if not facets.minimum <= len(value) <= facets.maximum:
        raise ValueError(f"value {value!r} is not of {facets.minimum} to {facets.maximum} characters")
    if facets.digits and not value.isdigit():
        raise ValueError(f"value {value!r} is not numeric")
    return value


def _read_number(text: str, total: int, fraction: int) -> Decimal:
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)", text):
        raise ValueError(f"value {text!r} is not a decimal")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"value {text!r} is not a decimal") from error
    _, digits, exponent = number.normalize().as_tuple()
    if len(digits) > total or (isinstance(exponent, int) and -exponent > fraction):
        raise ValueError(f"value {text!r} has more than {total} digits or {fraction} fractions")
    return number


def _read_date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"value {text!r} is not a date")
    return date.fromisoformat(text)


def _read_moment(text: str) -> datetime:
    if not MOMENT.fullmatch(text):
        raise ValueError(f"value {text!r} is not a UTC time stamp")
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00"))


def _read_bool(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError(f"value {text!r} is not a boolean")
    return text in ("true", "1")


def _read_days(text: str) -> int:
    if not DAYS.fullmatch(text):
        raise ValueError(f"value {text!r} is not a number of days such as P30D")
    return int(text.replace("P", "").removesuffix("D"))


def _read_uuid(text: str) -> str:
    if not UUID.fullmatch(text):
        raise ValueError(f"value {text!r} is not a UUID")
    return text.lower()


READERS: Mapping[str, Callable[[str], Any]] = {
    "date": _read_date,
    "moment": _read_moment,
    "bool": _read_bool,
    "days": _read_days,
    "uuid": _read_uuid,
    "uri": str,
}
