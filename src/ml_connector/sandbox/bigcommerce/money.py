"""Amounts as the store writes them: Decimal inside, four-decimal strings in v2, plain strings in v3 documents."""

from decimal import ROUND_HALF_UP, Decimal

_DECIMALS = {
    "JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0,
    "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3,
}  # fmt: skip
_FOUR = Decimal("0.0001")
ZERO = Decimal(0)


def decimals_of(currency: str) -> int:
    """Number of decimals of an ISO 4217 currency (2 unless known otherwise)."""
    return _DECIMALS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded half up to the currency's decimals."""
    return amount.quantize(Decimal(1).scaleb(-decimals_of(currency)), ROUND_HALF_UP)


def four(amount: Decimal) -> Decimal:
    """The amount rounded half up to four decimals, the precision of every v2 money field."""
    return amount.quantize(_FOUR, ROUND_HALF_UP)


def money4(amount: Decimal) -> str:
    """A v2 money string: `"64.5300"`."""
    return f"{four(amount):.4f}"


def plain(amount: Decimal, currency: str) -> str:
    """A decimal string with the currency's own decimals: `"64.53"`, `"6453"`, `"64.530"`."""
    return f"{to_minor(amount, currency):f}"


def dec(value: object) -> Decimal:
    """Decimal of a stored money field; absent and empty fields are zero, as the store means them."""
    if value is None or value == "":
        return ZERO
    return Decimal(str(value))


def number(value: object) -> float | int | None:
    """A money field for a v3 body.

    The vendor's v3 API writes JSON numbers. The shortest text of the binary number is the decimal itself up to 15
    significant digits, so nothing is lost on the wire; no arithmetic is done on the result.
    """
    if value is None:
        return None
    amount = Decimal(str(value))
    return int(amount) if amount == amount.to_integral_value() else float(amount)
