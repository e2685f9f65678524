"""Amounts are `Decimal` in one currency; whole minor units are what a ledger can hold.

Decimals follow ISO 4217, not the store, which writes four of them for every currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation

ZERO = Decimal(0)

# ISO 4217 minor units other than 2. Source: ISO 4217 list one.
_DECIMALS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    "CLF": 4,
    "UYW": 4,
}


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies met; nothing is ever added across currencies."""


_LARGEST = 15
_MOST_DECIMALS = 12
_FINEST = Decimal(1).scaleb(-_MOST_DECIMALS)


def amount_from(told: str) -> Decimal:
    """A decimal that can be counted with: finite, below 10^15, at most 12 decimals. Sums of such are exact in the 28
    digits that `Decimal` keeps, and each fits every ledger. Raises `ValueError`."""
    try:
        number = Decimal(told.strip())
    except InvalidOperation as error:
        raise ValueError(f"{_short(told)} is not a decimal") from error
    if not number.is_finite():
        raise ValueError(f"{_short(told)} is not a finite decimal")
    if not number:
        return ZERO
    if (
        number.adjusted() >= _LARGEST
        or number.adjusted() < -_MOST_DECIMALS
        or (kept := number.quantize(_FINEST)) != number
    ):
        raise ValueError(f"{_short(told)} has more digits than an amount of money")
    return number if int(number.as_tuple().exponent) >= -_MOST_DECIMALS else kept


def _short(told: str) -> str:
    return repr(told if len(told) <= 40 else f"{told[:40]}...")


def decimals(currency: str) -> int:
    """Digits after the point that `currency` (ISO 4217, three letters) has in a ledger."""
    return _DECIMALS.get(currency, 2)


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of `currency`: 0.01 for USD, 1 for JPY, 0.001 for KWD."""
    return Decimal(1).scaleb(-decimals(currency))


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """`amount` in whole minor units; halves go away from zero."""
    return amount.quantize(minor_unit(currency), ROUND_HALF_UP) + ZERO  # no negative zero


def cut(amount: Decimal, currency: str) -> Decimal:
    """`amount` cut to whole minor units toward zero."""
    return amount.quantize(minor_unit(currency), ROUND_DOWN) + ZERO


def allocate(exact: Sequence[Decimal], total: Decimal, currency: str) -> tuple[Decimal, ...]:
    """Whole minor units that add up to `total`, each as near to its exact amount as the sum allows.

    Every amount is rounded half up; missing units go one by one to the amount with the largest rounding error in
    the needed direction. Ties go to the larger absolute exact amount, then to the earlier one. `total` must be whole.
    """
    unit = minor_unit(currency)
    if total != cut(total, currency):
        raise ValueError(f"{total} {currency} is not a whole number of minor units")
    rounded = [round_half_up(amount, currency) for amount in exact]
    missing = int((total - sum(rounded, ZERO)) / unit)
    step = unit if missing > 0 else -unit
    for _ in range(abs(missing)):
        if not rounded:
            raise ValueError(f"{total} {currency} cannot be allocated to nothing")
        errors = [(exact[i] - rounded[i]) * (1 if missing > 0 else -1) for i in range(len(exact))]
        best = max(range(len(exact)), key=lambda i: (errors[i], abs(exact[i]), -i))
        rounded[best] += step
    return tuple(rounded)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency. Arithmetic refuses a second currency."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatch(f"cannot add {other} to {self}")
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{round_half_up(self.amount, self.currency)} {self.currency}"
